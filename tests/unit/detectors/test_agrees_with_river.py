"""Where River has the same method, both raise their first alarm at the same error."""

from __future__ import annotations

import random
from typing import Any

import pytest
from river import drift
from river.drift import binary
from river.drift.binary import hddm_w

from detectors.base import ConceptDetector, State
from detectors.concept.adwin import Adwin, AdwinConfig
from detectors.concept.ddm import Ddm, DdmConfig
from detectors.concept.eddm import Eddm, EddmConfig
from detectors.concept.hddm_a import HddmA, HddmAConfig
from detectors.concept.hddm_w import HddmW, HddmWConfig
from detectors.concept.page_hinkley import PageHinkley, PageHinkleyConfig

RIVER_ADWIN: Any = drift.ADWIN  # without types in River
RIVER_HDDM_A: Any = binary.HDDMA
RIVER_HDDM_W: Any = binary.HDDMW


class FullFirstWeight(hddm_w.SampleInfo):
    """A mean of one error has a sum of squared weights of 1; River starts with less, which narrows its bound."""

    def update(self, x: float) -> None:
        first = not self._is_init
        super().update(x)  # type: ignore[no-untyped-call]
        if first:
            self._ibc = 1.0


def rise(seed: int) -> list[float]:
    """Errors at a rate that rises, in every stream from another level and by another amount."""
    rng = random.Random(seed)
    low = rng.uniform(0.1, 0.3)
    high = low + rng.uniform(0.15, 0.5)
    return [float(rng.random() < (low if index < 600 else high)) for index in range(1600)]


def regression(seed: int) -> list[float]:
    """Errors of a regression far from zero, whose mean rises by less than their spread."""
    rng = random.Random(seed)
    return [1e6 + rng.gauss(5.0 if index < 600 else 5.5, 1.0) for index in range(1600)]


def first_of_ours(detector: ConceptDetector[Any], stream: list[float]) -> int | None:
    """The index of the first change that was found, for the better or the worse."""
    return next((index for index, error in enumerate(stream) if detector.observe_one(error).direction), None)


def first_alarm_of_ours(detector: ConceptDetector[Any], stream: list[float]) -> int | None:
    return next((signal.index for signal in detector.observe(stream) if signal.reading.state is State.DRIFT), None)


def first_of_river(detector: Any, stream: list[Any]) -> int | None:
    for index, error in enumerate(stream):
        detector.update(error)
        if detector.drift_detected:
            return index
    return None


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("stream", [rise, regression])
@pytest.mark.parametrize("clock", [1, 32])
def test_adwin_of_full_resolution_cuts_where_river_cuts(seed: int, stream: Any, clock: int) -> None:
    errors = stream(seed)
    ours = Adwin(AdwinConfig(min_window=1, clock=clock, warmup=30))
    theirs = RIVER_ADWIN(min_window_length=1, clock=clock, grace_period=30)
    assert first_of_ours(ours, errors) == first_of_river(theirs, errors)


@pytest.mark.parametrize("seed", range(8))
def test_page_hinkley_alarms_where_river_alarms(seed: int) -> None:
    errors = rise(seed)
    ours, theirs = PageHinkley(PageHinkleyConfig(threshold=30)), drift.PageHinkley(threshold=30, mode="up")
    assert first_alarm_of_ours(ours, errors) == first_of_river(theirs, errors) is not None


@pytest.mark.parametrize("seed", range(8))
def test_ddm_alarms_where_river_alarms(seed: int) -> None:
    errors = rise(seed)
    ours, theirs = Ddm(DdmConfig(warmup=100)), binary.DDM(warm_start=100)
    assert first_alarm_of_ours(ours, errors) == first_of_river(theirs, [bool(e) for e in errors]) is not None


@pytest.mark.parametrize("seed", range(8))
def test_eddm_alarms_where_river_alarms(seed: int) -> None:
    errors = rise(seed)
    ours, theirs = Eddm(EddmConfig(warning_level=0.95, drift_level=0.9)), binary.EDDM()
    assert first_alarm_of_ours(ours, errors) == first_of_river(theirs, [bool(e) for e in errors]) is not None


@pytest.mark.parametrize("seed", range(8))
def test_hddm_a_alarms_where_river_alarms(seed: int) -> None:
    errors = rise(seed)
    ours, theirs = HddmA(HddmAConfig()), RIVER_HDDM_A()
    assert first_alarm_of_ours(ours, errors) == first_of_river(theirs, [bool(e) for e in errors]) is not None


@pytest.mark.parametrize("seed", range(8))
def test_hddm_w_alarms_where_river_alarms_once_its_first_error_has_its_full_weight(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hddm_w, "SampleInfo", FullFirstWeight)
    errors = rise(seed)
    ours, theirs = HddmW(HddmWConfig()), RIVER_HDDM_W()
    assert first_alarm_of_ours(ours, errors) == first_of_river(theirs, [bool(e) for e in errors]) is not None
