"""Drifts as detectors would tell of them, and incidents with what a task tells them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detectors.base import Behind, Reading, State
from stream.core.incidents import Incidents, Place
from stream.core.pending import Waiting
from stream.records import Alert, Change, Window

WINDOW = 300
"""Values in the window of a detector, and events between two looks at what has drifted."""

FAR = 5000
"""Events after which nothing that was found before them is under way."""


def drift(
    n: int,
    feature: str | None = "temp",
    *,
    detector: str = "ks",
    segment: str | None = None,
    levels: tuple[float, float] = (10.0, 20.0),
    direction: str = "up",
    over: float = 1.5,
    window: int = WINDOW,
    began: int | None = None,
    profiles: tuple[dict[str, float], dict[str, float]] | tuple[None, None] = (None, None),
) -> Alert:
    """What a detector would say after n values of a change that began so many values ago."""
    return Alert(
        id=f"{detector}-{feature}-{n}",
        ts=float(n),
        kind="concept_drift" if feature is None else "data_drift",
        severity="critical" if feature is None else "warning",
        model="small",
        model_version=1,
        partition=0,
        offset=n,
        detector=detector,
        feature=feature,
        segment=segment,
        direction="worse" if feature is None else direction,
        before=levels[0],
        after=levels[1],
        statistic=over,
        threshold=1.0,
        change=None if began is None else Change(began),
        reference=Window(1000, profile=profiles[0]),
        current=Window(window, profile=profiles[1]),
    )


def place(n: int) -> Place:
    """After n values, one a second."""
    return Place(n, n, float(n))


def rows_of(alert: Alert) -> Behind:
    """Where the windows of an alert lie if every row has a value."""
    assert alert.current is not None
    return Behind(None if alert.change is None else alert.change.n, alert.current.n, None)


class Task:
    """Incidents with what a task tells them."""

    def __init__(self, cooldown: float = 0.0) -> None:
        self.incidents = Incidents(cooldown)
        self.readings: dict[tuple[str, str], Reading] = {}
        self.labels = 0

    def found(self, n: int, *drifts: Alert) -> list[Alert]:
        """The block that ends after n events, with these drifts in it."""
        for one in drifts:
            self.incidents.found(one, n, rows_of(one))
        return self.incidents.block_ended(place(n), lambda: self.readings)

    def erring(self, errors: Iterable[float], **features: str) -> list[Alert]:
        """Labels that tell of these errors, on events with these features."""
        told = []
        for error in errors:
            self.labels += 1
            waiting = Waiting(dict(features), 1, float(self.labels), self.labels, error=error)
            told += self.incidents.erred([waiting], lambda _: (self.labels, float(self.labels)))
        return told

    def misled(self, **known: Any) -> list[Alert]:
        """A concept detector alarms at the newest label."""
        alert = drift(self.labels, None, **known)
        return self.incidents.misled(alert, place(self.labels), rows_of(alert), lambda: self.readings)


def errors(rate: float, n: int) -> list[float]:
    """n errors of 0 and 1 of which this share, spread evenly, are 1."""
    return [float(int((i + 1) * rate) - int(i * rate)) for i in range(n)]


def task_in_a_drift(before: float = 0.2, after: float = 0.5, took: int = 320) -> Task:
    """A task in a concept drift that was found so many labels after it began, and told."""
    task = Task()
    task.erring(errors(before, 960))
    task.erring(errors(after, took))
    (told,) = task.misled(began=took, window=took)
    assert (told.state, told.incident, told.since) == ("open", told.id, None)
    return task


def stable(level: float) -> Reading:
    return Reading(State.STABLE, statistic=0.1, threshold=1.0, before=level, after=level)
