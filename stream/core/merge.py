"""Merging a task's two topics on record time, so that a backlog is worked off as it would have been live.

A record is taken when the other topic is known to have reached its time: it has a later record in hand. While the
other topic has nothing in hand, a record waits for it: `wait` seconds from its own arrival if the other topic is at
its end on the broker, `PATIENCE` seconds if there is more to come from it, and not at all when the record's time is
within `wait` of the clock: then the stream is live, and the order of arrival is the order of life.

So the order in which a backlog is taken is decided by the records' times alone, however they arrive and wherever spans
are cut, as long as neither topic is silent for longer than it is waited for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from stream.records import Event, Label, Rejected, Span

Record: TypeAlias = Event | Label | Rejected

PATIENCE = 30.0
"""Longest time, in seconds, for which a topic that has more to give but does not give it holds up the other."""


class _Side:
    """Records of one topic, in order of their offsets, with the time at which each batch came."""

    def __init__(self) -> None:
        self.at_end = False
        self.records: deque[Record] = deque()
        self.batches: deque[list[float]] = deque()  # [arrival, records left]

    def add(self, records: Sequence[Record], now: float) -> None:
        if records:
            self.records.extend(records)
            self.batches.append([now, len(records)])

    def take(self) -> tuple[Record, float]:
        record = self.records.popleft()
        arrived = self.batches[0][0]
        self.batches[0][1] -= 1
        if not self.batches[0][1]:
            self.batches.popleft()
        return record, arrived


class Merger:
    """Buffers the records of one partition of both topics and cuts spans from them. Time is an argument.

    With `slack` 0 the order of records by time is kept exactly (an event before a label of the same time). With more,
    time is cut into steps of `slack` seconds, and within a step events go first: the same records always give the
    same spans.
    """

    def __init__(self, slack: float, wait: float, *, two_topics: bool, max_span: int = 1000) -> None:
        self._slack = slack
        self._wait = wait
        self._two_topics = two_topics
        self._max_span = max_span
        self._events = _Side()
        self._labels = _Side()

    @property
    def buffered(self) -> tuple[int, int]:
        """Events and labels in hand."""
        return len(self._events.records), len(self._labels.records)

    def add_events(self, records: Sequence[Record], now: float) -> None:
        """Events have arrived, in order of offset."""
        self._events.add(records, now)

    def add_labels(self, records: Sequence[Record], now: float) -> None:
        """Labels have arrived, in order of offset."""
        self._labels.add(records, now)

    def ended(self, *, events: bool, labels: bool) -> None:
        """Whether each topic is at its end on the broker: all there is has been added."""
        self._events.at_end, self._labels.at_end = events, labels

    def next_span(self, now: float) -> Span | None:
        """The next span that may be taken at `now`; None when there is nothing, or the other topic is waited for.

        It holds what comes from the events topic, then what comes from the labels topic, rejected records included.
        """
        span = Span([], [], [])
        received = 0.0
        previous = self._events
        for _ in range(self._max_span):
            side = self._next_side(now)
            if side is None or (side is self._events and previous is self._labels):
                break
            previous = side
            record, received = side.take()
            if isinstance(record, Event):
                span.events.append(record)
            elif isinstance(record, Label):
                span.labels.append(record)
            else:
                span.rejected.append(record)
        if not (span.events or span.labels or span.rejected):
            return None
        return Span(span.events, span.labels, span.rejected, received)

    def wake_at(self) -> float | None:
        """The time at which the record that waits longest may be taken at the latest; None when none waits."""
        ends = []
        for side, other in ((self._events, self._labels), (self._labels, self._events)):
            if side.batches:
                ends.append(side.batches[0][0] + self._wait_for(other))
        return min(ends, default=None)

    def _next_side(self, now: float) -> _Side | None:
        events, labels = self._events, self._labels
        if events.records and labels.records:
            event_step = self._step(events.records[0].timestamp)
            return events if event_step <= self._step(labels.records[0].timestamp) else labels
        side, other = (events, labels) if events.records else (labels, events)
        if not side.records:
            return None
        if not self._two_topics:
            return side
        waited = now - side.batches[0][0] >= self._wait_for(other)
        live = abs(now - side.records[0].timestamp) < self._wait
        return side if waited or live else None

    def _wait_for(self, other: _Side) -> float:
        return self._wait if other.at_end else max(self._wait, PATIENCE)

    def _step(self, timestamp: float) -> float:
        return timestamp // self._slack if self._slack else timestamp
