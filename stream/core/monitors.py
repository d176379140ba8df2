"""The detectors of a task, and the alerts that their signals become."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from detectors.base import Reading, Signal
from detectors.watch import ErrorWatch, FeatureWatch, watch_errors, watch_features
from stream.config.model import Config
from stream.core.pending import Waiting
from stream.core.problem import Judge
from stream.core.scores import Track
from stream.records import Features, Window


class Monitors:
    """Concept detectors on the champion's errors and data detectors on the features of one task."""

    def __init__(self, config: Config) -> None:
        self._concept: dict[str, ErrorWatch] = {c.called: watch_errors(c) for c in config.detectors.concept}
        self._data: dict[str, FeatureWatch] = {}
        for c in config.detectors.data:
            watch = watch_features(c, config.events.numeric, config.events.categorical)
            if watch is not None:
                self._data[c.called] = watch

    def observe_rows(self, rows: Sequence[Features], times: Sequence[float]) -> list[tuple[str, Signal]]:
        """Show the features of a span, and its times, to the data detectors; signals with the detector's name, in order
        of the rows.
        """
        return _in_order(
            [(name, signal) for name, watch in self._data.items() for signal in watch.observe(rows, times)]
        )

    def observe_outputs(
        self, judge: Judge, outputs: Sequence[Any], waiting: Sequence[Waiting], labels: Sequence[Any]
    ) -> list[tuple[str, Signal]]:
        """Show the champion's errors, on events that waited, to the concept detectors; signals with the detector's
        name, in order of the outputs and at positions among them.
        """
        errors = judge.errors(outputs, labels)
        skipped = len(outputs) - len(errors)
        rows = [one.features for one in waiting[skipped:]]
        times = [one.timestamp for one in waiting[skipped:]]
        return _in_order(
            [
                (name, signal._replace(index=skipped + signal.index))
                for name, watch in self._concept.items()
                for signal in watch.observe(errors, rows, times)
            ]
        )

    def reset_concept(self) -> None:
        """Forget the errors seen: another champion makes others."""
        for watch in self._concept.values():
            watch.reset()

    def readings(self) -> dict[tuple[str, str], Reading]:
        """The newest reading by (detector, feature); the feature of a concept detector is empty."""
        watches: dict[str, ErrorWatch | FeatureWatch] = {**self._concept, **self._data}
        return {(name, what): reading for name, watch in watches.items() for what, reading in watch.readings().items()}


class Cooldown:
    """Holds back what was said a short while ago. Bounded by the number of detectors and features."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: dict[tuple[str, ...], float] = {}

    def allows(self, key: tuple[str, ...], now: float) -> bool:
        """Whether `key` may be said at `now`; if so, it counts as said."""
        last = self._last.get(key)
        if last is not None and now - last < self._seconds:
            return False
        self._last[key] = now
        return True


def evidence(detector: str, signal: Signal, track: Track, last: tuple[int, float]) -> dict[str, Any]:
    """The fields of an alert that a signal gives, with where in the task's stream its windows lie.

    The current window ends with the newest value of the stream, which has offset and time `last`; the reference comes
    before it.
    """
    reading = signal.reading
    current_first = max(1, track.count - reading.current_n + 1)
    reference_first = max(1, current_first - reading.reference_n)
    return {
        "detector": detector,
        "feature": signal.feature,
        "direction": reading.direction,
        "before": reading.before,
        "after": reading.after,
        "statistic": reading.statistic,
        "threshold": reading.threshold,
        "p_value": reading.p_value,
        "detail": reading.detail,
        "reference": Window(reading.reference_n, *_bounds(track.at(reference_first), track.at(current_first - 1))),
        "current": Window(reading.current_n, *_bounds(track.at(current_first), last)),
    }


def alert_id(*parts: object) -> str:
    """The same id whenever the same thing is said again."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]


def severity(kind: str) -> str:
    """How much it matters: people are woken for a model that became worse, told of the rest."""
    return {"concept_drift": "critical", "data_drift": "warning"}.get(kind, "info")


def _bounds(first: tuple[Any, Any], last: tuple[Any, Any]) -> tuple[Any, Any, Any, Any]:
    return first[0], last[0], first[1], last[1]


def _in_order(signals: list[tuple[str, Signal]]) -> list[tuple[str, Signal]]:
    return sorted(signals, key=lambda named: named[1].index) if len(signals) > 1 else signals
