"""The false-alarm budget divided: shares add up to it, weights shift it, what is set by hand stays outside."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.settings import Share
from stream.config.budget import Part, divide
from stream.testing import small_config

FEATURES = {"x": {"type": "number"}, "y": {"type": "number"}, "kind": {"type": "category"}}
BUDGET = 1e6
WATCH: dict[str, Any] = {
    "concept": [{"kind": "e_detector"}],
    "data": [{"kind": "ks"}, {"kind": "conformal", "features": ["y"]}],
    "rejected": None,
}


def parts(detectors: dict[str, Any], **weights: float) -> dict[str, list[Part]]:
    """The parts of a budget of a million events, by the name of their detector."""
    alarms = {"expected_events_per_false_alarm": BUDGET, "weights": weights}
    config = small_config({"events": {"features": FEATURES}, "detectors": detectors, "alarms": alarms})
    found: dict[str, list[Part]] = {}
    for part in divide(config):
        found.setdefault(part.config.called, []).append(part)
    return found


def spent(found: dict[str, list[Part]]) -> float:
    """False alarms of all streams together in `BUDGET` events, with a value of each stream per event."""
    inside = [part for several in found.values() for part in several if part.share is not None]
    return sum(part.streams * BUDGET / float(part.config.run_length) for part in inside)


def test_detectors_have_equal_parts_and_their_features_equal_parts_of_those() -> None:
    found = parts(WATCH)

    assert [part.share for part in found["e_detector"]] == [Share(3e6, BUDGET)]
    assert [(part.watches, part.share) for part in found["ks"]] == [(("x", "y"), Share(6e6, BUDGET))]
    assert [(part.watches, part.share) for part in found["conformal"]] == [(("y",), Share(3e6, BUDGET))]


@pytest.mark.parametrize("weights", [{}, {"ks": 5.0, "e_detector": 0.5}, {"ks/x": 3.0, "ks": 0.1}])
def test_all_streams_together_spend_the_budget_however_it_is_weighed(weights: dict[str, float]) -> None:
    assert spent(parts(WATCH, **weights)) == pytest.approx(1.0)


def test_a_detector_has_its_part_by_its_weight() -> None:
    found = parts(WATCH, e_detector=2.0)

    assert found["e_detector"][0].config.run_length == pytest.approx(2e6)
    assert found["conformal"][0].config.run_length == pytest.approx(4e6)


def test_features_of_different_weights_are_watched_by_a_detector_for_each_weight() -> None:
    found = parts(WATCH, **{"ks/x": 3.0})

    assert [(part.config.features, part.config.run_length) for part in found["ks"]] == [
        (("x",), pytest.approx(3e6 * 4 / 3)),
        (("y",), pytest.approx(3e6 * 4)),
    ]


def test_a_detector_set_by_hand_stays_as_it_is_and_takes_nothing_of_the_budget() -> None:
    found = parts({**WATCH, "data": [{"kind": "ks", "run_length": 5000}]})

    (ks,) = found["ks"]
    assert (ks.share, ks.config.run_length) == (None, 5000)
    assert found["e_detector"][0].config.run_length == pytest.approx(BUDGET)
    assert spent(found) == pytest.approx(1.0)


def test_segments_share_a_detectors_part_as_they_share_the_events() -> None:
    plain, apart = parts(WATCH), parts({**WATCH, "concept": [{"kind": "e_detector", "segments": {"by": "kind"}}]})

    assert apart["e_detector"][0].share == plain["e_detector"][0].share
    assert spent(apart) == pytest.approx(1.0)


def test_topics_watched_for_rejected_records_are_streams_of_their_own() -> None:
    found = parts({"rejected": {}}, **{"rejected/labels": 3.0})

    assert [(part.watches, part.config.run_length) for part in found["rejected"]] == [
        (("events",), pytest.approx(4e6)),
        (("labels",), pytest.approx(4e6 / 3)),
    ]


def test_a_detector_without_anything_to_watch_takes_nothing() -> None:
    alarms = {"expected_events_per_false_alarm": BUDGET}
    detectors = {"concept": [{"kind": "e_detector"}], "data": [{"kind": "chi_squared"}], "rejected": None}
    config = small_config({"events": {"features": {"x": {"type": "number"}}}, "detectors": detectors, "alarms": alarms})

    assert [(part.config.called, part.config.run_length) for part in divide(config)] == [("e_detector", BUDGET)]


def test_without_a_budget_every_detector_stands_as_configured() -> None:
    config = small_config({"detectors": {"concept": [{"kind": "adwin"}], "data": [{"kind": "ks"}]}})

    assert [(part.config, part.share) for part in divide(config)] == [
        (config.detectors.concept[0], None),
        (config.detectors.data[0], None),
        (config.detectors.rejected, None),
    ]


def test_a_detector_that_looks_at_all_its_features_together_is_one_stream() -> None:
    watch = {**WATCH, "data": [{"kind": "multivariate"}]}

    found = parts(watch)

    assert [(part.watches, part.streams, part.config.run_length) for part in found["multivariate"]] == [
        (("x", "y"), 1, pytest.approx(2 * BUDGET))
    ]
    with pytest.raises(ValueError, match="'multivariate/x' is none of the detectors; expected one of e_detector, mult"):
        parts(watch, **{"multivariate/x": 2.0})
