"""What is to be told of a task about once a second, and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple

from detectors.base import Reading
from stream.core.fit import Health
from stream.core.state import TaskState
from stream.records import Alert
from stream.telemetry import Topic

INTERVAL: Final = 1.0
"""Seconds between two reports of a task."""
SHARE: Final = 0.05
"""Of a worker's time, what its reports may take: with many partitions and features each is reported more seldom."""
BURST: Final = 0.05
"""Seconds that reports may take at once, when there were few before."""


class Report(NamedTuple):
    """How a task does, as far as it takes some reckoning. Scores are by source and metric, `classes` by class and
    metric, readings by detector and feature, `drifts` those told and not over by kind, `fit` by source, usual
    `delays` of labels by quantile, in seconds, `lags` in records. `latencies` of predictions, in seconds, and `alerts`
    are the newest ones since the report before.
    """

    scores: Mapping[str, Mapping[str, float]]
    classes: Mapping[str, Mapping[str, float]]
    readings: Mapping[tuple[str, str], Reading]
    drifts: Mapping[str, int]
    fit: Mapping[str, Health]
    delays: Mapping[str, float] = {}
    lags: Mapping[Topic, int] = {}
    latencies: Sequence[float] = ()
    alerts: Sequence[Alert] = ()


def report_of(state: TaskState) -> Report:
    """What a task's state tells of it."""
    return Report(
        state.scores.report(state.judge),
        state.scores.by_class(state.judge),
        state.monitors.readings() | state.rejections.readings(),
        state.incidents.count() + state.rejections.count(),
        state.fit.report(state.models),
        state.starvation.delays(),
    )


class Rota:
    """Whose turn it is to be reported: each partition's once per interval, and those that waited longest first, as far
    as all of them together keep to their share of the time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: dict[int, float] = {}
        self._left = BURST  # seconds that reports may take
        self._at = clock()

    def next(self, partitions: Collection[int]) -> int | None:
        """The one of these that is due; None if none is, or they must rest."""
        now = self._clock()
        self._left = min(BURST, self._left + SHARE * (now - self._at))
        self._at = now
        if self._left <= 0.0:
            return None
        self._due = {partition: self._due.get(partition, now) for partition in partitions}
        first = min(self._due, key=self._due.__getitem__, default=None)
        return first if first is not None and self._due[first] <= now else None

    def done(self, partition: int, started: float) -> None:
        """A report was made, which began at `started`, by the clock."""
        now = self._clock()
        self._left -= now - started
        due = self._due.get(partition, started) + INTERVAL
        self._due[partition] = due if due > now else started + INTERVAL
