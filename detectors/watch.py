"""A detector as a task uses it: on the errors of a model, or on rows of features, with the time of each.

Detectors themselves see values alone. What needs to know more of a value than the value stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from detectors.base import ConceptDetector, DataDetector, Reading, Row, Signal
from detectors.concept.error_blocks import ErrorBlocks
from detectors.data.feature_blocks import FeatureBlocks
from detectors.dependence import Dependence, FeatureDependence
from detectors.local_time import Periods
from detectors.registry import ConceptConfig, DataConfig, build_concept, build_data
from detectors.row_seasons import ROW_SEASONS, RowSeason
from detectors.seasons import Season
from detectors.segments import SegmentedErrors, SegmentedFeatures

_DEPENDENT = 3.0
"""So many values that say as much as one are told of with an alarm: single large changes do not come to that."""

_ERRORS: Final = "errors depend on those before them ({:.0f} say as much as 1): for such there is error_blocks"
_VALUES: Final = "values depend on those before them ({:.0f} say as much as 1): for such there is feature_blocks"
"""What is told."""

T = TypeVar("T")


class ErrorWatch:
    """A concept detector on the errors of a model.

    Detectors take errors, given their level, to be independent of each other. How far they are is measured, and an
    alarm of one that cannot be trusted for it says so in its `detail`. Blocks are made for such errors.
    """

    def __init__(self, config: ConceptConfig) -> None:
        self.config = config
        self._detector: ConceptDetector[Any] = build_concept(config)
        self._season = None if config.season is None else Season(config.season, 1)
        self._periods = _periods_of(self._detector)
        self._dependence = None if isinstance(self._detector, ErrorBlocks) else Dependence()

    def observe(self, errors: Sequence[float], rows: Sequence[Row], times: Sequence[float]) -> list[Signal]:
        """Take a span of errors, with the features of their events and the times (seconds since the epoch) of these.

        Returns what `ConceptDetector.observe` does, and raises what it raises. Errors from which a season is learnt are
        shown to no detector.
        """
        season, first = self._season, 0
        if season is not None:
            first = season.learns(times)
            for error, time in zip(errors[:first], times[:first], strict=True):
                season.learn(0, error, time)
            times = times[first:]
            errors = [season.adjusted_error(*of) for of in zip(errors[first:], times, strict=True)]
        return _moved(self._observe(errors, times), first)

    def _observe(self, errors: Sequence[float], times: Sequence[float]) -> list[Signal]:
        detector = self._detector
        if self._periods is None or not isinstance(detector, ErrorBlocks):
            signals, dependence = detector.observe(errors), self._dependence
            if dependence is None:
                return signals
            return _with_doubts(signals, errors, dependence.observe, lambda _: dependence.factor, _ERRORS)
        signals = []
        done = 0
        for begin in self._periods.begins(times):
            signals += _moved(detector.observe(errors[done:begin]), done)
            reading = detector.end_block()
            if reading is not None:
                signals.append(Signal(begin, reading))
            done = begin
        return signals + _moved(detector.observe(errors[done:]), done)

    def readings(self) -> dict[str, Reading]:
        """The newest reading; the name in front of it is empty."""
        factor = None if self._dependence is None else self._dependence.factor
        return {"": self._detector.reading._replace(dependence=factor)}

    def reset(self) -> None:
        """Forget the errors seen."""
        self._detector.reset()
        for part in (self._season, self._periods, self._dependence):
            if part is not None:
                part.reset()


class FeatureWatch:
    """A data detector on the features of events.

    How far numbers depend on those before them is measured and told of as with errors, by feature.
    """

    def __init__(self, config: DataConfig, detector: DataDetector[Any]) -> None:
        self.config = config
        self._detector = detector
        measured = config.seasonal == "levels" and not isinstance(detector, FeatureBlocks)
        self._dependence = FeatureDependence(detector.features) if measured else None
        self._season: RowSeason | None = None
        if config.season is not None and config.seasonal is not None:
            self._season = ROW_SEASONS[config.seasonal](config.season, detector.features)
        self._periods = _periods_of(detector)

    def observe(self, rows: Sequence[Row], times: Sequence[float]) -> list[Signal]:
        """Take a span of rows, with their times (seconds since the epoch). Returns what `DataDetector.observe` does.

        Rows from which a season is learnt are shown to no detector.
        """
        season, first = self._season, 0
        if season is not None:
            first = season.learns(times)
            for row, time in zip(rows[:first], times[:first], strict=True):
                season.learn_row(row, time)
            times = times[first:]
            rows = [season.adjusted_row(*of) for of in zip(rows[first:], times, strict=True)]
        return _moved(self._observe(rows, times), first)

    def _observe(self, rows: Sequence[Row], times: Sequence[float]) -> list[Signal]:
        detector = self._detector
        if self._periods is None or not isinstance(detector, FeatureBlocks):
            signals, dependence = detector.observe(rows), self._dependence
            if dependence is None:
                return signals
            return _with_doubts(signals, rows, dependence.observe, partial(_factor_of, dependence), _VALUES)
        signals = []
        done = 0
        for begin in self._periods.begins(times):
            signals += _moved(detector.observe(rows[done:begin]), done)
            signals += detector.end_block(begin)
            done = begin
        return signals + _moved(detector.observe(rows[done:]), done)

    def preset(self, rows: Sequence[Row], times: Sequence[float]) -> dict[str, int]:
        """Start anew with references out of rows from outside, with their times. Returns what `DataDetector.preset`
        does. With a season, of which a sample of rows says too little, everything is learnt from the stream.
        """
        if self._season is not None:
            self.reset()
            return {}
        return self._detector.preset(rows)

    def readings(self) -> dict[str, Reading]:
        """The newest reading by feature; one of all features together does not tell how far they depend."""
        readings = self._detector.readings()
        factors = {} if self._dependence is None else self._dependence.factors()
        known = [name for name in factors if name in readings]
        return readings | {name: readings[name]._replace(dependence=factors[name]) for name in known}

    def reset(self) -> None:
        """Forget everything seen."""
        self._detector.reset()
        for part in (self._season, self._periods, self._dependence):
            if part is not None:
                part.reset()


def watch_errors(config: ConceptConfig) -> ErrorWatch | SegmentedErrors:
    """What watches errors as configured."""
    watch = ErrorWatch(config)
    return watch if config.segments is None else SegmentedErrors(config, watch)


def watch_features(
    config: DataConfig, numeric: Sequence[str], categorical: Sequence[str]
) -> FeatureWatch | SegmentedFeatures | None:
    """What watches features as configured; None if there is none of the type it is for. Raises as `build_data` does."""
    detector = build_data(config, numeric, categorical)
    if detector is None:
        return None
    watch = FeatureWatch(config, detector)
    return watch if config.segments is None else SegmentedFeatures(config, watch)


def _with_doubts(
    signals: list[Signal],
    values: Sequence[T],
    observe: Callable[[Sequence[T]], None],
    factor_of: Callable[[str | None], float | None],
    doubt: str,
) -> list[Signal]:
    """Signals on these values, with what is to be said of how much values depend on each other, which `observe`
    measures on the way and `factor_of` tells of a feature.
    """
    if not signals:  # as nearly always
        observe(values)
        return signals
    told, done = list[Signal](), 0
    for signal in signals:
        observe(values[done : signal.index + 1])
        done = signal.index + 1
        told.append(_doubted(signal, factor_of(signal.feature), doubt))
    observe(values[done:])
    return told


def _factor_of(dependence: FeatureDependence, feature: str | None) -> float | None:
    """That of a feature; of all together, the largest."""
    return dependence.largest if feature is None else dependence.factors().get(feature)


def _doubted(signal: Signal, factor: float | None, doubt: str) -> Signal:
    """A signal that says so if so many values say only as much as one."""
    if factor is None or factor < _DEPENDENT:
        return signal
    reading = signal.reading
    said = doubt.format(factor)
    return signal._replace(
        reading=reading._replace(detail=said if reading.detail is None else f"{reading.detail}; {said}")
    )


def _periods_of(detector: ConceptDetector[Any] | DataDetector[Any]) -> Periods | None:
    """What says when a block of a detector ends, if blocks are of time."""
    if isinstance(detector, ErrorBlocks | FeatureBlocks) and isinstance(detector.config.block, str):
        return Periods(detector.config.block, detector.config.timezone)
    return None


def _moved(signals: list[Signal], by: int) -> list[Signal]:
    """Signals at positions that are so much further in the span."""
    return [signal._replace(index=by + signal.index) for signal in signals] if by else signals
