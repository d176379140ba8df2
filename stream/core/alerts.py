"""What an alert says of a drift: the evidence of a signal, and where in the task's stream it lies."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any, Final

from detectors.base import Profile, Reading, Signal
from stream.config.model import Config
from stream.core.scores import Track
from stream.records import Alert, Change, Contributor, Window

_SEVERITIES: Final = {
    "concept_drift": "critical",
    "data_drift": "warning",
    "prediction_drift": "warning",
    "data_quality": "warning",
    "performance": "warning",
    "label_starvation": "warning",
}
"""How much it matters: people are woken for a model that became worse, told of the rest."""

NOTABLE: Final = 2 / 3
"""Statistic over threshold from which a feature that has not alarmed is told of beside one that has."""


def severity_of(kind: str) -> str:
    """How much alerts of a kind matter, while what they tell of lasts."""
    return _SEVERITIES.get(kind, "info")


class Cooldown:
    """Holds back what was said a short while ago. Bounded by the number of features and segments."""

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


class AlertMaker:
    """Makes the alerts of one task."""

    def __init__(self, config: Config, partition: int) -> None:
        self._app = config.app
        self._model = config.model.name
        self._partition = partition

    def make(self, kind: str, version: int, at: tuple[int, float], action: str, **known: Any) -> Alert:
        """An alert at an offset and time."""
        what = (known.get("detector"), known.get("feature"), known.get("segment"), known.get("detail"))
        return Alert(
            id=id_of(self._app, self._partition, kind, at[0], *what),
            ts=at[1],
            kind=kind,
            severity=severity_of(kind),
            model=self._model,
            model_version=version,
            partition=self._partition,
            offset=at[0],
            action=action,
            **known,
        )

    def drift(
        self,
        kind: str,
        detector: str,
        signal: Signal,
        track: Track,
        last: tuple[int, float],
        version: int,
        action: str = "none",
    ) -> Alert:
        """The alert that a DRIFT signal would be, with where in the task's stream its windows and the change lie.

        The current window ends with the newest row of the stream, which has offset and time `last`; `track` has its
        rows.
        """
        reading, behind = signal.reading, signal.behind

        def at(rows: int) -> tuple[Any, Any]:
            return track.at(max(1, track.count - rows + 1))

        first_known, last_known = [(None, None)] * 2 if behind.reference is None else map(at, behind.reference)
        change = None if reading.changed_n is None else Change(reading.changed_n, *at(behind.changed or 1))
        return self.make(
            kind,
            version,
            last,
            action,
            detector=detector,
            feature=signal.feature,
            segment=signal.segment,
            direction=reading.direction,
            before=reading.before,
            after=reading.after,
            effect=reading.effect,
            statistic=reading.statistic,
            threshold=reading.threshold,
            p_value=reading.p_value,
            expected_events_per_false_alarm=signal.run_length,
            detail=reading.detail,
            change=change,
            reference=_window(reading.reference_n, first_known, last_known, reading.known),
            current=_window(reading.current_n, at(behind.current), last, reading.seen),
        )


def contributor(alert: Alert) -> Contributor:
    """What the detector that an alert names adds to the drift. One that alarms below its threshold has no `over`."""
    over = _over(alert.statistic, alert.threshold)
    assert alert.detector is not None
    return Contributor(
        alert.detector,
        alert.feature,
        alert.segment,
        alert.direction,
        over if over is not None and over >= 1.0 else None,
        alert.before,
        alert.after,
        alert.detail,
    )


def notable(readings: Mapping[tuple[str, str], Reading]) -> list[Contributor]:
    """The features, by (detector, feature), whose readings are near an alarm or beyond."""
    found = []
    for (detector, feature), reading in readings.items():
        over = _over(reading.statistic, reading.threshold)
        if feature and over is not None and over >= NOTABLE:
            now = reading.direction, over, reading.before, reading.after, reading.detail
            found.append(Contributor(detector, feature, reading.segment, *now))
    return found


def id_of(*parts: object) -> str:
    """The same id whenever the same thing is said again."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:16]


def _over(statistic: float | None, threshold: float | None) -> float | None:
    if statistic is None or threshold is None or threshold <= 0.0:
        return None
    over = statistic / threshold
    return over if math.isfinite(over) else None


def _window(n: int, first: tuple[Any, Any], last: tuple[Any, Any], profile: Profile | None) -> Window:
    """A window of so many values between two places."""
    return Window(n, first[0], last[0], first[1], last[1], None if profile is None else dict(profile))
