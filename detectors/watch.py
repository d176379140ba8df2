"""A detector as a task uses it: on the errors of a model, or on rows of features, with the time of each.

Detectors themselves see values alone. What needs to know more of a value than the value stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detectors.base import ConceptDetector, DataDetector, Reading, Row, Signal
from detectors.registry import ConceptConfig, DataConfig, build_concept, build_data
from detectors.segments import SegmentedErrors, SegmentedFeatures


class ErrorWatch:
    """A concept detector on the errors of a model."""

    def __init__(self, config: ConceptConfig) -> None:
        self.config = config
        self._detector: ConceptDetector[Any] = build_concept(config)

    def observe(self, errors: Sequence[float], rows: Sequence[Row], times: Sequence[float]) -> list[Signal]:
        """Take a span of errors, with the features of their events and the times (seconds since the epoch) of these.

        Returns what `ConceptDetector.observe` does, and raises what it raises.
        """
        return self._detector.observe(errors)

    def readings(self) -> dict[str, Reading]:
        """The newest reading; the name in front of it is empty."""
        return {"": self._detector.reading}

    def reset(self) -> None:
        """Forget the errors seen."""
        self._detector.reset()


class FeatureWatch:
    """A data detector on the features of events."""

    def __init__(self, config: DataConfig, detector: DataDetector[Any]) -> None:
        self.config = config
        self._detector = detector

    def observe(self, rows: Sequence[Row], times: Sequence[float]) -> list[Signal]:
        """Take a span of rows, with their times (seconds since the epoch). Returns what `DataDetector.observe` does."""
        return self._detector.observe(rows)

    def preset(self, rows: Sequence[Row], times: Sequence[float]) -> dict[str, int]:
        """Start anew with references out of rows from outside, with their times. Returns what `DataDetector.preset`
        does.
        """
        return self._detector.preset(rows)

    def readings(self) -> dict[str, Reading]:
        """The newest reading by feature."""
        return self._detector.readings()

    def reset(self) -> None:
        """Forget everything seen."""
        self._detector.reset()


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
