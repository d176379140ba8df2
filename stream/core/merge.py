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
from itertools import chain, repeat
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

    def take(self, n: int) -> tuple[list[Record], float]:
        """The next `n` records, at least one, and the time at which the last of them came."""
        popleft = self.records.popleft
        taken = [popleft() for _ in range(n)]
        while True:
            batch = self.batches[0]
            arrived, left = batch
            if left > n:
                batch[1] = left - n
                return taken, arrived
            n -= int(left)
            self.batches.popleft()
            if not n:
                return taken, arrived


class Merger:
    """Buffers the records of one partition of both topics and cuts spans from them. Time is an argument.

    With `slack` 0 the order of records by time is kept exactly (an event before a label of the same time). With more,
    time is cut into steps of `slack` seconds, and within a step events go first: the same records always give the
    same spans. `max_span`, the most records of a span, may be changed at any time: how time is cut changes no order.
    """

    def __init__(self, slack: float, wait: float, *, two_topics: bool, max_span: int = 1000) -> None:
        self._slack = slack
        self._wait = wait
        self._two_topics = two_topics
        self.max_span = max_span
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
        events: list[Event] = []
        labels: list[Label] = []
        rejected: list[Rejected] = []
        room, received = self.max_span, 0.0
        for side, other in ((self._events, self._labels), (self._labels, self._events)):
            n = self._may_go(side, other, now, room)
            if n:
                room -= n
                taken, received = side.take(n)
                for record in taken:
                    if isinstance(record, Event):
                        events.append(record)
                    elif isinstance(record, Label):
                        labels.append(record)
                    else:
                        rejected.append(record)
        return Span(events, labels, rejected, received) if room < self.max_span else None

    def wake_at(self) -> float | None:
        """The time at which the record that waits longest may be taken at the latest; None when none waits."""
        ends = []
        for side, other in ((self._events, self._labels), (self._labels, self._events)):
            if side.batches:
                ends.append(side.batches[0][0] + self._wait_for(other))
        return min(ends, default=None)

    def _may_go(self, side: _Side, other: _Side, now: float, most: int) -> int:
        """How many records, of at most `most`, one topic may give before the other has its turn."""
        n = 0
        if other.records:
            slack, turn, ties = self._slack, self._step(other.records[0].timestamp), side is self._events
            for record in side.records:
                step = record.timestamp // slack if slack else record.timestamp
                if n == most or not (step < turn or (ties and step == turn)):
                    break
                n += 1
            return n
        if not self._two_topics:
            return min(most, len(side.records))
        patience = self._wait_for(other)
        arrivals = chain.from_iterable(repeat(arrived, int(left)) for arrived, left in side.batches)
        for record, arrived in zip(side.records, arrivals, strict=True):
            if n == most or not (now - arrived >= patience or abs(now - record.timestamp) < self._wait):
                break
            n += 1
        return n

    def _wait_for(self, other: _Side) -> float:
        return self._wait if other.at_end else max(self._wait, PATIENCE)

    def _step(self, timestamp: float) -> float:
        return timestamp // self._slack if self._slack else timestamp
