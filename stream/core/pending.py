"""The label join: predictions wait for their labels, labels that come first wait for their events, both for a time
and a count.

Every label ends in exactly one of joined, duplicate and expired; one still held is counted by `held`.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from stream.records import Features, Label, Target


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A prediction that waits for its label: what was seen, and what each model made of it.

    `outputs` are those of the champion and of the baselines, in the order of the scores' sources.
    """

    features: Features
    outputs: tuple[Any, ...]
    challenger: Any
    version: int
    timestamp: float
    offset: int


class Joined(NamedTuple):
    """Labels that found their predictions, as columns, with the time at which each was taken."""

    waiting: list[Waiting]
    labels: list[Target]
    times: list[float]

    def part(self, start: int, stop: int) -> Joined:
        """Those from `start` up to `stop`."""
        return Joined(self.waiting[start:stop], self.labels[start:stop], self.times[start:stop])

    def place(self, index: int) -> tuple[int, float]:
        """Offset of the event, and time of the label, of one of them."""
        return self.waiting[index].offset, self.times[index]


class Remembered:
    """The ids of the last joins, so that a repeated event or label is known as such. Holds `bound` to `2 * bound`
    ids.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._young: set[str] = set()
        self._old: set[str] = set()

    def add(self, id_: str) -> None:
        self._young.add(id_)
        if len(self._young) >= self._bound:
            self._old, self._young = self._young, set()

    def __contains__(self, id_: str) -> bool:
        return id_ in self._young or id_ in self._old


class Pending:
    """Predictions and labels that wait for each other. Bounded by `ttl` seconds of record time and by `bound` entries
    each.

    Times given to it must never go back: what waits is kept in the order in which it came.
    """

    def __init__(self, ttl: float, bound: int) -> None:
        self._ttl = ttl
        self._bound = bound
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()
        self._early: OrderedDict[str, Label] = OrderedDict()
        self._done = Remembered(bound)

    @property
    def waiting(self) -> int:
        """Predictions that wait for their label."""
        return len(self._waiting)

    @property
    def held(self) -> int:
        """Labels that wait for their event."""
        return len(self._early)

    def knows(self, id_: str) -> bool:
        """Whether an event of this id was already predicted, as far back as is remembered."""
        return id_ in self._waiting or id_ in self._done

    def add(self, id_: str, waiting: Waiting) -> None:
        """Let a prediction wait for its label."""
        self._waiting[id_] = waiting

    def has_label_for(self, id_: str) -> bool:
        """Whether the label of an event yet to be predicted is here already."""
        return id_ in self._early

    def take_early(self, id_: str) -> Label:
        """Give up the label held for an event. Raises KeyError when there is none."""
        return self._early.pop(id_)

    def join(self, id_: str) -> Waiting | None:
        """The prediction that waits for this label, taken out; None when there is none."""
        waiting = self._waiting.pop(id_, None)
        if waiting is not None:
            self._done.add(id_)
        return waiting

    def hold(self, label: Label, now: float) -> bool:
        """Keep a label that came before its event. False when it is a duplicate."""
        if label.id in self._early or label.id in self._done:
            return False
        self._early[label.id] = structs.replace(label, timestamp=now)
        return True

    def expire(self, now: float) -> tuple[int, int]:
        """Give up what has waited too long or is too much; return how many predictions and how many labels."""
        return self._shrink(self._waiting, now), self._shrink(self._early, now)

    def _shrink(self, entries: OrderedDict[str, Any], now: float) -> int:
        given_up = 0
        horizon = now - self._ttl
        while entries:
            oldest = entries[next(iter(entries))]
            if len(entries) <= self._bound and oldest.timestamp >= horizon:
                break
            entries.popitem(last=False)
            given_up += 1
        return given_up
