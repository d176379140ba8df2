"""The label join: predictions wait for their labels, labels that come first wait for their events, both for a time
and a count.

Every label ends in exactly one of joined, duplicate and expired; one still held is counted by `held`. All is exact to
the record: what waits past its time or beyond the bound is given up at the record that makes it so, wherever spans are
cut.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any, NamedTuple

import msgspec

from stream.records import Features, Label, Target


class Waiting(msgspec.Struct, gc=False):
    """A prediction that waits for its label: what was seen and when it was taken, and what each model made of it.

    `outputs` are those of the champion and of the baselines, in the order of the scores' sources, `rivals` those of
    contestants by their numbers. They are filled in when the events that came with this one are predicted, all at once;
    the `error` of the serving champion when the label has come, if the detectors are shown it.
    """

    features: Features
    version: int
    timestamp: float
    offset: int
    outputs: tuple[Any, ...] = ()
    rivals: dict[int, Any] | None = None
    error: float | None = None


class Joined(NamedTuple):
    """Labels that found their predictions, as columns: with the time at which each was taken, and its own offset."""

    waiting: list[Waiting]
    labels: list[Target]
    times: list[float]
    offsets: list[int]

    @classmethod
    def none(cls) -> Joined:
        """No labels, to which some may be appended."""
        return cls([], [], [], [])

    def part(self, start: int, stop: int) -> Joined:
        """Those from `start` up to `stop`."""
        waiting, labels, times, offsets = self
        return Joined(waiting[start:stop], labels[start:stop], times[start:stop], offsets[start:stop])

    def with_more(self, more: Joined) -> Joined:
        """These and more."""
        waiting, labels, times, offsets = self
        return Joined(waiting + more.waiting, labels + more.labels, times + more.times, offsets + more.offsets)

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

    Times given to it must never go back: what waits is kept in the order in which it came. The owner calls `expire`
    when the time has passed `expires_at`, before anything else.
    """

    def __init__(self, ttl: float, bound: int) -> None:
        self.expires_at = -math.inf
        """Up to this time nothing that waits is past its TTL."""
        self._ttl = ttl
        self._bound = bound
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()
        self._early: OrderedDict[str, Label] = OrderedDict()
        self._done = Remembered(bound)
        self._given_up = [0, 0]

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
        """Let a prediction wait for its label; the one that has waited longest gives way beyond the bound."""
        self._waiting[id_] = waiting
        if len(self._waiting) > self._bound:
            self._waiting.popitem(last=False)
            self._given_up[0] += 1

    def has_label_for(self, id_: str) -> bool:
        """Whether the label of an event yet to be predicted is here already."""
        return id_ in self._early

    def take_early(self, id_: str) -> Label:
        """Give up the label held for an event. Raises KeyError when there is none."""
        return self._early.pop(id_)

    def settle(self, id_: str) -> None:
        """An event was joined without waiting."""
        self._done.add(id_)

    def join(self, id_: str) -> Waiting | None:
        """The prediction that waits for this label, taken out; None when there is none."""
        waiting = self._waiting.pop(id_, None)
        if waiting is not None:
            self._done.add(id_)
        return waiting

    def hold(self, label: Label, now: float) -> bool:
        """Keep a label that came before its event; the oldest one gives way beyond the bound. False for a duplicate."""
        if label.id in self._early or label.id in self._done:
            return False
        self._early[label.id] = Label(label.id, label.label, now, label.offset)
        if len(self._early) > self._bound:
            self._early.popitem(last=False)
            self._given_up[1] += 1
        return True

    def expire(self, now: float) -> None:
        """Give up what has waited for more than the TTL."""
        expires_at = now + self._ttl
        queues: tuple[OrderedDict[str, Any], ...] = (self._waiting, self._early)
        for index, entries in enumerate(queues):
            while entries:
                last: float = next(iter(entries.values())).timestamp + self._ttl
                if last >= now:
                    expires_at = min(expires_at, last)
                    break
                entries.popitem(last=False)
                self._given_up[index] += 1
        self.expires_at = expires_at

    def given_up(self) -> tuple[int, int]:
        """How many predictions and how many labels were given up since this was last asked."""
        predictions, labels = self._given_up
        self._given_up = [0, 0]
        return predictions, labels
