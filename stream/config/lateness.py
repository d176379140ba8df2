"""How late labels come, as samples of events and of labels show it: how long a prediction should wait for its own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

FEWEST: Final = 20
"""Labels of events of the sample without which it shows nothing."""
LEAST: Final = 7 * 86400.0
"""Seconds that a prediction waits at least, however soon labels come: what is late seldom is in no small sample."""
ROOM: Final = 2.0
"""By how much a prediction waits longer than the latest label of the sample: delays of weeks have long tails, and what
is not waited for is never learned.
"""

_DAY = 86400.0
_BEFORE = 0.1  # share of labels before their events from which on a field is not the time at which they were known


class Lateness(NamedTuple):
    """The delays of labels in seconds, in rising order, by a field of theirs or (None) by the times of records.
    `events` is how many could have had a label, `rate` how many come in a second.
    """

    by: str | None
    delays: list[float]
    events: int
    rate: float

    @property
    def unlabelled(self) -> int:
        """Events of the sample that have no label in it."""
        return self.events - len(self.delays)

    @property
    def median(self) -> float:
        """The delay within which half of the labels came."""
        return self.delays[len(self.delays) // 2]

    @property
    def longest(self) -> float:
        """The longest delay."""
        return self.delays[-1]

    @property
    def ttl(self) -> float:
        """How long predictions should wait, in seconds: whole days."""
        return max(LEAST, math.ceil(ROOM * self.longest / _DAY) * _DAY)

    @property
    def waiting(self) -> float:
        """Predictions that wait at the same time, at most, at the rate of the sample."""
        return self.rate * self.ttl


def lateness(
    events: Mapping[str, float], labels: Iterable[tuple[str, float]], by: str | None = None
) -> Lateness | None:
    """How late labels come, from the times of events by id and those of labels with the ids of their events.

    The first label of an event counts. None where too few are of these events, or too many are older than theirs: then
    it is not the time at which they were known.
    """
    first: dict[str, float] = {}
    for id_, time in labels:
        if id_ in events:
            first.setdefault(id_, time)
    delays = sorted(time - events[id_] for id_, time in first.items())
    if len(delays) < FEWEST or delays[int(_BEFORE * len(delays))] < 0.0:
        return None
    passed = max(events.values()) - min(events.values())
    return Lateness(by, [max(0.0, one) for one in delays], len(events), len(events) / passed if passed else 0.0)
