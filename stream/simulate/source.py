"""What every simulator is: a deterministic source of events with their labels, given out in time order.

A source only says which event happens when, and when (if ever) its label becomes known. Merging labels between the
events that follow, and cutting a stretch out of the whole, is done here once for all sources.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from stream.errors import ConfigError

Topic: TypeAlias = Literal["events", "labels"]
DAY = 86400.0


class Out(NamedTuple):
    """One record to be produced. `timestamp` is simulated time, in seconds since the epoch."""

    topic: Topic
    timestamp: float
    key: bytes
    value: dict[str, Any]


class Pair(NamedTuple):
    """An event and its label; None for an event whose truth never becomes known."""

    event: Out
    label: Out | None


class Change(NamedTuple):
    """A point at which the simulated world truly changed, for tests and benchmarks to hold alarms against."""

    at: float
    kind: Literal["concept", "data"]
    detail: str
    feature: str | None = None


class SourceError(ConfigError):
    """A source cannot be made or played as asked."""


class Source(ABC):
    """Events with their labels. Iterating twice gives the same records; so does a second source made alike.

    `changes` lists the true change points in time order; it is empty for recorded data, where nobody knows them.
    """

    changes: tuple[Change, ...] = ()

    @abstractmethod
    def pairs(self) -> Iterator[Pair]:
        """Yield events in time order, each with its label. A label is never earlier than its event."""

    def records(self, start: float | None = None, end: float | None = None, events: int | None = None) -> Iterator[Out]:
        """Yield events and labels in time order; of two at the same instant, the event first.

        Only the first `events` events in [start, end) and the labels of just these are given out, the last labels
        after the last event. What an event says does not depend on where the stretch begins.
        """
        late: list[tuple[float, int, Out]] = []
        for number, (event, label) in enumerate(self._stretch(start, end, events)):
            while late and late[0][0] < event.timestamp:
                yield heapq.heappop(late)[2]
            yield event
            if label is not None:
                heapq.heappush(late, (label.timestamp, number, label))
        while late:
            yield heapq.heappop(late)[2]

    def _stretch(self, start: float | None, end: float | None, events: int | None) -> Iterator[Pair]:
        if events is not None and events <= 0:
            return
        taken = 0
        for pair in self.pairs():
            if start is not None and pair.event.timestamp < start:
                continue
            if end is not None and pair.event.timestamp >= end:
                return
            yield pair
            taken += 1
            if taken == events:
                return

    def __iter__(self) -> Iterator[Out]:
        return self.records()
