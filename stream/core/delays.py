"""What is usual of labels: which share of events gets one, and how late.

Delays are counted in cells, four to the doubling. Each count is held against the events that are old enough to have got
a label that late, so that what is still to come does not look as if it never would (as in the life table; Kaplan and
Meier, "Nonparametric estimation from incomplete observations", JASA 53, 1958). Only labels of events since the start of
a window count, which is moved on: what is usual is that of the last 10,000 to 20,000 labels.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from stream.core.arrivals import Arrivals

LEAST: Final = 200
"""Labels from which on something is usual."""

_TIMES: Final = 3
"""Times the delay of nine labels in ten for which labels must have been watched until then."""

_LABELS: Final = 10_000
_FINEST: Final = 0.0625
_PER_DOUBLING: Final = 4
_LAST: Final = 40 * _PER_DOUBLING
_ENDS: Final = [_FINEST * math.exp2(cell / _PER_DOUBLING) for cell in range(_LAST + 1)]
"""The longest delay of each cell; the last one takes longer ones too."""


class Share(NamedTuple):
    """The share of events that get their label at an age of about `age` seconds."""

    age: float
    share: float


class _Window:
    """Labels, by delay, of the events from a time on, before which `before` events had come."""

    def __init__(self, start: float, before: int) -> None:
        self.start = start
        self.before = before
        self.cells: Counter[int] = Counter()
        self.labels = 0


class Delays:
    """Learns how many labels come, and when. Bounded by the number of cells; O(1) time for each label."""

    def __init__(self) -> None:
        self._old: _Window | None = None
        self._young: _Window | None = None

    def restart(self, time: float, arrived: int) -> None:
        """Learn only from events from this time on, before which so many had come."""
        self._old, self._young = None, _Window(time, arrived)

    def add(self, arrived: Iterable[float], came: Iterable[float]) -> None:
        """Labels have come, of events that arrived at those times."""
        young, old = self._young, self._old
        for since, at in zip(arrived, came, strict=True):
            window = old if young is None or since < young.start else young
            if window is None or since < window.start:
                continue
            cell = bisect_left(_ENDS, at - since, hi=_LAST)
            window.cells[cell] = window.cells.get(cell, 0) + 1  # a Counter's own way is slower
            window.labels += 1

    @property
    def labels(self) -> int:
        """Labels that what is usual was learned from."""
        return sum(window.labels for window in (self._old, self._young) if window is not None)

    def move_on(self, late: float, now: float, arrived: int) -> bool:
        """Forget the labels of long ago once there are enough newer ones, of all delays; whether it did. `late` is the
        delay that nine labels in ten do not exceed; so many events have come.
        """
        young = self._young
        if young is None or young.labels < _LABELS or young.start + 2 * _TIMES * late > now:
            return False
        self._old, self._young = young, _Window(now, arrived)
        return True

    def known(self, late: float, now: float) -> bool:
        """Whether labels were watched for long enough to say what is usual, if nine in ten are no later than `late`."""
        first = self._old or self._young
        return first is not None and self.labels >= LEAST and now - first.start >= _TIMES * late

    def shares(self, arrivals: Arrivals, now: float) -> list[Share]:
        """The usual share of events that get their label, by age in rising order. They add up to 1 at most."""
        first = self._old or self._young
        if first is None:
            return []
        cells = sum((window.cells for window in (self._old, self._young) if window is not None), Counter[int]())
        found = []
        for cell in sorted(cells):
            exposed = arrivals.by(now - (_ENDS[cell - 1] if cell else 0.0)) - first.before
            if exposed > 0:
                found.append(Share(_ENDS[cell], cells[cell] / exposed))
        whole = max(1.0, math.fsum(one.share for one in found))
        return [Share(age, share / whole) for age, share in found]


def quantile(shares: list[Share], q: float) -> float | None:
    """The delay that a share `q` of the labels does not exceed, to within a fifth of it; None when there are none."""
    left = q * math.fsum(one.share for one in shares)
    for age, share in shares:
        left -= share
        if left <= 0.0:
            return age
    return shares[-1].age if shares else None
