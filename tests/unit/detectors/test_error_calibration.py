"""The run length of concept detectors: what it makes of them, what it refuses, and errors that never change."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import TypeAdapter, ValidationError

from detectors.base import ConceptDetector, State
from detectors.calibration import climbs, errors
from detectors.concept.usual import Moments, Usual
from detectors.registry import CONCEPT, ConceptConfig, build_concept
from detectors.settings import DetectorConfig, Share

Draw = Callable[[np.random.Generator, int], npt.NDArray[np.float64]]

DRAWS: dict[str, Draw] = {
    "0.05": lambda rng, count: (rng.random(count) < 0.05).astype(np.float64),
    "0.2": lambda rng, count: (rng.random(count) < 0.2).astype(np.float64),
    "0.5": lambda rng, count: (rng.random(count) < 0.5).astype(np.float64),
    "absolute": lambda rng, count: np.minimum(np.abs(rng.normal(0.0, 0.2, count)), 1.0),
    "normal": lambda rng, count: rng.normal(5.0, 3.0, count),
}
UNCALIBRATED = ("ddm", "eddm")
CALIBRATED = tuple(sorted(set(CONCEPT) - {*UNCALIBRATED}))


def configured(kind: str, **options: Any) -> DetectorConfig:
    adapter: TypeAdapter[DetectorConfig] = TypeAdapter(ConceptConfig)
    return adapter.validate_python({"kind": kind, **options})


def detector(kind: str, **options: Any) -> ConceptDetector[Any]:
    return build_concept(configured(kind, **options))


def states(watch: ConceptDetector[Any], draw: str, count: int) -> list[State]:
    values = DRAWS[draw](np.random.default_rng(1), count).tolist()
    return [signal.reading.state for signal in watch.observe(values)]


def run_over_stated(kind: str, draw: str, run_length: float, alarms: int, **options: Any) -> float:
    """Mean over stated run length, in as many errors as should have so many alarms."""
    found = states(detector(kind, run_length=run_length, **options), draw, round(run_length * alarms))
    return alarms / max(1, found.count(State.DRIFT))


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("kind", ["adwin", "cusum", "e_detector"])
def test_a_detector_for_any_errors_runs_as_long_as_stated(kind: str, draw: str) -> None:
    options = {"bound": "calibrated"} if kind == "e_detector" else {}
    assert 0.7 < run_over_stated(kind, draw, 1_500, 30, **options) < 2.5


@pytest.mark.parametrize("draw", ["0.2", "normal"])
def test_page_hinkley_runs_about_as_long_as_stated_on_any_scale(draw: str) -> None:
    assert 0.7 < run_over_stated("page_hinkley", draw, 1_500, 30, delta=0.02) < 2.2


@pytest.mark.parametrize("rate", ["0.05", "0.2", "0.5"])
@pytest.mark.parametrize("kind", ["hddm_a", "hddm_w", "stepd"])
def test_a_detector_for_rates_runs_no_shorter_than_stated_at_any_rate(kind: str, rate: str) -> None:
    assert run_over_stated(kind, rate, 1_500, 30) > 0.75


@pytest.mark.parametrize("draw", ["0.2", "normal"])
def test_kswin_runs_no_shorter_than_stated_with_ties_and_without(draw: str) -> None:
    assert run_over_stated("kswin", draw, 1_500, 30) > 0.75


def test_a_proven_run_length_is_kept_by_far() -> None:
    assert run_over_stated("e_detector", "0.2", 1_000, 30) > 5.0


@pytest.mark.parametrize("kind", ["e_detector", "hddm_a", "hddm_w", "stepd"])
def test_warnings_are_raised_more_often_than_alarms(kind: str) -> None:
    options = {"bound": "calibrated"} if kind == "e_detector" else {}
    found = states(detector(kind, run_length=2_500, **options), "0.5", 40_000)
    assert found.count(State.WARNING) > 2 * found.count(State.DRIFT) > 0


@pytest.mark.parametrize("kind", CALIBRATED)
def test_a_longer_run_takes_longer_to_find_a_change(kind: str) -> None:
    rng = np.random.default_rng(3)
    values = np.where(np.arange(4000) < 2000, rng.random(4000) < 0.1, rng.random(4000) < 0.9).astype(np.float64)
    found = [
        [signal.index for signal in detector(kind, run_length=length).observe(values.tolist()) if signal.index >= 2000]
        for length in (1e6, 1e9)
    ]
    assert 2000 < found[0][0] <= found[1][0]


def test_the_calibrated_bound_finds_a_change_sooner_than_the_proven_one() -> None:
    rng = np.random.default_rng(5)
    values = np.where(np.arange(4000) < 2000, rng.random(4000) < 0.2, rng.random(4000) < 0.3).astype(np.float64)
    proven, calibrated = (
        next(
            signal.index - 2000
            for signal in detector("e_detector", run_length=1e5, bound=bound).observe(values.tolist())
            if signal.reading.state is State.DRIFT
        )
        for bound in ("proven", "calibrated")
    )
    assert 0 < calibrated < 0.8 * proven


@pytest.mark.parametrize("kind", [kind for kind in CALIBRATED if configured(kind).knobs != ("run_length",)])
def test_a_knob_along_with_a_run_length_is_refused_with_the_cure(kind: str) -> None:
    knob = configured(kind).knobs[0]
    value = type(configured(kind)).model_fields[knob].default * 1.25
    with pytest.raises(ValidationError) as refusal:
        configured(kind, run_length=1_000_000, **{knob: value})
    for word in (f"{knob}: got {value:g}", "run_length=1,000,000", "one of the two", "Remove the other"):
        assert word in str(refusal.value)


@pytest.mark.parametrize("kind", UNCALIBRATED)
def test_detectors_that_alarm_early_or_never_refuse_a_run_length_and_name_others(kind: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        configured(kind, run_length=1_000_000)
    for word in ("run_length: got 1,000,000", kind, "cannot keep one", "drift_level", "e_detector"):
        assert word in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("cusum", {"run_length": 999}, ("greater than or equal to 1000",)),
        ("adwin", {"run_length": 2e9}, ("less than or equal to 1000000000",)),
        ("kswin", {"run_length": 1e9, "recent": 10}, ("run_length: got 1,000,000,000", "never alarm", "Raise recent")),
        ("rddm", {"run_length": 50_000}, ("run_length: got 50,000", "at least 330,000", "Lower longest")),
        ("page_hinkley", {"run_length": 1e5, "forgetting": 0.9}, ("forgetting: got 0.9", "at least 0.99", "Raise")),
    ],
)
def test_what_cannot_be_kept_is_refused(kind: str, options: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as refusal:
        configured(kind, **options)
    for word in words:
        assert word in str(refusal.value)


@pytest.mark.parametrize("kind", CALIBRATED)
def test_a_configuration_with_a_run_length_survives_being_written_out(kind: str) -> None:
    config = configured(kind, run_length=1_000_000)
    assert type(config).model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("kind", CALIBRATED)
def test_a_share_of_a_budget_takes_the_place_of_the_knobs(kind: str) -> None:
    config = configured(kind, **{"kswin": {"recent": 60}, "error_blocks": {"warmup": 14}}.get(kind, {"warmup": 150}))
    shared = config.with_share(Share(2_000_000))

    assert shared.run_length == 2_000_000
    assert shared == type(config).model_validate({**config.model_dump(), "run_length": 2_000_000})


@pytest.mark.parametrize("kind", CALIBRATED)
def test_a_run_length_of_the_users_own_is_set_by_hand(kind: str) -> None:
    assert not configured(kind).set_by_hand
    assert configured(kind, run_length=1_000_000).set_by_hand


@pytest.mark.parametrize("kind", ["adwin", "page_hinkley"])
def test_the_scale_of_errors_does_not_matter(kind: str) -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(np.where(np.arange(6000) < 3000, 0.0, 1.0))
    scaled = {"delta": 0.05 * 1024} if kind == "page_hinkley" else {}
    plain = {"delta": 0.05} if kind == "page_hinkley" else {}

    alarms = [signal.index for signal in detector(kind, run_length=1e5, **plain).observe(values.tolist())]
    larger = [signal.index for signal in detector(kind, run_length=1e5, **scaled).observe((1024 * values).tolist())]

    assert alarms == larger != []


@pytest.mark.parametrize("rate", [5e-5, 0.02, 0.2, 0.5])
def test_the_exponent_of_mistakes_is_exact_at_any_rate(rate: float) -> None:
    variance, allowance = rate * (1.0 - rate), 0.05
    theta = climbs.exponent(allowance, variance, 1.0 - 2.0 * rate)

    up, down = math.exp(theta * (1.0 - rate - allowance)), math.exp(-theta * (rate + allowance))
    assert rate * up + (1.0 - rate) * down == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("kind", "right"), [("cusum", 20_000), ("page_hinkley", 200_000)])
def test_mistakes_are_told_of_after_however_many_right_answers(kind: str, right: int) -> None:
    watching = detector(kind, run_length=1e6)

    alarm, *_ = watching.observe([0.0] * right + [1.0] * 100)

    assert alarm.reading.state is State.DRIFT
    assert alarm.index >= right


def test_more_is_allowed_for_while_few_errors_make_up_the_mean() -> None:
    climb = climbs.climb(1e6, 0.05, Usual(100_000, 0.16, 0.096))
    allowed = [climb.allowed(n) for n in (30, 100, 300, 1000, 10_000, 10_000_000)]

    assert allowed == sorted(allowed, reverse=True)
    assert allowed[-1] == pytest.approx(0.05, rel=0.01)
    needed = climb.threshold / climb.allowance
    assert climb.allowed(math.floor(needed)) == pytest.approx(climb.allowed(math.ceil(needed) + 1), rel=0.02)


@pytest.mark.parametrize(
    "knob",
    [
        errors.adwin_confidence,
        lambda length: -errors.hddm_a_confidence(length),
        lambda length: errors.hddm_w_log_confidence(length, 0.05).at(errors.place_of(200.0, 1000)),
        lambda length: -errors.kswin_alpha(length, 10),
        lambda length: errors.rddm_level(length, 100, 40_000, 7_000).at(errors.place_of(200.0, 1000)),
        lambda length: errors.stepd_height(length, 60).at(errors.place_of(200.0, 1000)),
        lambda length: climbs.climb(length, 0.05, Usual(1000, 0.16, 0.096)).threshold,
        lambda length: climbs.forgotten_climb(length, 0.005, 0.9999, Usual(1000, 0.16, 0.096)),
        lambda length: climbs.forgotten_climb(length, 0.005, 1.0, Usual(1000, 0.16, 0.096)),
    ],
    ids=["adwin", "hddm_a", "hddm_w", "kswin", "rddm", "stepd", "cusum", "page_hinkley", "never_forgets"],
)
def test_a_longer_run_takes_a_stricter_knob(knob: Callable[[float], float]) -> None:
    knobs = [knob(length) for length in (3e5, 1e6, 1e7, 1e8, 1e9)]
    assert knobs == sorted(set(knobs))


def test_moments_are_those_of_all_errors_whatever_their_offset() -> None:
    values = np.random.default_rng(1).exponential(size=2000)
    moments = Moments()
    for value in (1e6 + values).tolist():
        moments.add(value)

    usual = moments.usual()
    assert usual is not None
    assert usual.variance == pytest.approx(values.var(), rel=1e-6)
    assert usual.third == pytest.approx(((values - values.mean()) ** 3).mean(), rel=1e-5)


def test_errors_that_are_all_the_same_have_no_spread_to_judge_by() -> None:
    moments = Moments()
    for _ in range(100):
        moments.add(0.3)
    assert moments.usual() is None
