"""The false-alarm budget in a configuration: said in events or in time, once, and refused where it makes no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stream.config.load import load
from stream.errors import ConfigError
from stream.testing import small_config
from tests.unit.config.shop import SHOP

KS = "detectors: {data: [{kind: ks}]}\n"


def problem(folder: Path, text: str) -> str:
    path = folder / "service.yaml"
    path.write_text(SHOP + text)
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return str(caught.value).replace(f"{folder}/", "")


def budget(alarms: dict[str, Any]) -> float:
    config = small_config({"alarms": alarms})
    assert config.alarms is not None
    return config.alarms.events_per_alarm


def test_a_budget_is_said_in_events() -> None:
    assert budget({"expected_events_per_false_alarm": 1_000_000}) == 1e6


def test_a_budget_is_said_in_time_with_the_rate_of_events() -> None:
    assert budget({"false_alarms_per_week": 2, "expected_events_per_second": 20}) == 20 * 7 * 86_400 / 2


def test_without_a_budget_there_is_none() -> None:
    assert small_config().alarms is None


@pytest.mark.parametrize(
    ("alarms", "told"),
    [
        (
            "{}",
            (
                "alarms: says not how many; expected expected_events_per_false_alarm, or false_alarms_per_week along "
                "with expected_events_per_second. Give one of the two, or remove the section."
            ),
        ),
        (
            "{expected_events_per_false_alarm: 1e6, false_alarms_per_week: 1}",
            (
                "alarms.false_alarms_per_week: stands along with expected_events_per_false_alarm; expected "
                "one of the two forms. Remove one."
            ),
        ),
        (
            "{false_alarms_per_week: 1}",
            (
                "alarms.expected_events_per_second: is missing; false_alarms_per_week needs it, as "
                "detectors count events. Give it, or give expected_events_per_false_alarm instead."
            ),
        ),
        (
            "{false_alarms_per_week: 1e6, expected_events_per_second: 1}",
            (
                "alarms.false_alarms_per_week: got 1e+06 at 1 events a second, which is one in 1 events; "
                "expected one in 1,000 to 1,000,000,000,000. Lower it."
            ),
        ),
        (
            "{expected_events_per_false_alarm: 1e6, weights: {kz: 2}}",
            (
                "alarms.weights: 'kz' is none of the detectors; expected one of ks, ks/amount, ks/age, "
                "rejected, rejected/events, rejected/labels."
            ),
        ),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused_with_its_cure(tmp_path: Path, alarms: str, told: str) -> None:
    assert problem(tmp_path, f"alarms: {alarms}\n" + KS) == f"service.yaml:9: {told}"


def test_a_budget_below_what_detectors_need_to_learn_is_refused(tmp_path: Path) -> None:
    told = problem(tmp_path, "alarms: {expected_events_per_false_alarm: 10}\n")

    assert "alarms.expected_events_per_false_alarm: got 10; expected a number of at least 1000" in told


def test_a_weight_of_nothing_is_refused(tmp_path: Path) -> None:
    told = problem(tmp_path, "alarms: {expected_events_per_false_alarm: 1e6, weights: {ks: 0}}\n" + KS)

    assert "alarms.weights.ks: got 0; expected a number of more than 0" in told


def test_a_weight_of_a_detector_set_by_hand_is_refused_with_its_cure(tmp_path: Path) -> None:
    text = (
        "alarms: {expected_events_per_false_alarm: 1e6, weights: {ks: 2}}\n"
        "detectors: {data: [{kind: ks, run_length: 5000}]}\n"
    )

    assert problem(tmp_path, text) == (
        "service.yaml:9: alarms.weights: 'ks' is outside the budget, as ks has a setting of its own (run_length). "
        "Remove the weight, or the setting."
    )


def test_a_share_that_a_detector_cannot_keep_names_it_and_the_cure(tmp_path: Path) -> None:
    text = "alarms: {expected_events_per_false_alarm: 1e12}\ndetectors: {concept: [{kind: e_detector}]}\n"

    told = problem(tmp_path, text)

    assert told.startswith(
        "service.yaml:10: detectors.concept[0]: e_detector gets a run length of 2,000,000,000,000 values as its share "
        "of the false-alarm budget"
    )
    assert "Change the budget or its weight (alarms), or set run_length by hand" in told


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        (
            "{by: amount}",
            "service.yaml:9: detectors.data[0].segments.by: 'amount' is not categorical; expected country.",
        ),
        ("{by: city}", "service.yaml:9: detectors.data[0].segments.by: 'city' does not exist; expected country."),
    ],
)
def test_segments_by_what_has_no_categories_are_refused(tmp_path: Path, segments: str, told: str) -> None:
    assert problem(tmp_path, f"detectors: {{data: [{{kind: ks, segments: {segments}}}]}}\n") == told


def test_predictions_may_be_watched_apart_by_a_feature_or_by_their_class(tmp_path: Path) -> None:
    apart = "detectors: {prediction: [{kind: ks, features: [score], segments: {by: %s}}]}\n"
    for by in ("country", "class"):
        path = tmp_path / f"{by}.yaml"
        path.write_text(SHOP + apart % by)
        (detector,) = load(path, {}).detectors.prediction
        assert detector.segments is not None
        assert detector.segments.by == by

    assert problem(tmp_path, apart % "score") == (
        "service.yaml:9: detectors.prediction[0].segments.by: 'score' does not exist; expected one of country, class."
    )


def test_predictions_are_watched_by_what_they_hold(tmp_path: Path) -> None:
    told = problem(tmp_path, "detectors: {prediction: [{kind: ks, features: [amount]}]}\n")

    assert told == ("service.yaml:9: detectors.prediction[0].features: 'amount' does not exist; ks can watch score.")


def test_two_detectors_of_one_name_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    told = problem(tmp_path, "detectors: {data: [{kind: ks}], prediction: [{kind: ks}]}\n")

    assert "detectors: detector 'ks' is listed twice; keep one of them, or give them names (`name`)." in told
