"""Which classes labels are of, and which of them has not been seen for longer than chance explains.

The gap of a class is how many labels have come since its last one. With a share of p, each label independent of those
before, a gap reaches n with the probability (1-p)^n, and on average ((1-p)^-n - 1)/p labels pass before one does
(Feller, "An Introduction to Probability Theory and Its Applications", vol. 1, XIII.7): solved for n that is how long a
gap may be. Labels of a class that come in spells make long gaps without a cause: so a gap must also be twice as long as
the longest that was usual.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from stream.records import Target

LEAST: Final = 20
"""Labels of a class, among at least `AMONG` labels, from which on its share is known."""

AMONG: Final = 1000

MOST: Final = 100
"""Classes watched; those that come later are not."""

_WINDOW: Final = 50
_LONG: Final = 10_000
_LONGER: Final = 2


class Class:
    """What is known of one class: how often its labels come, and the last of them. What is usual is that of the last
    10,000 to 20,000 labels or, of a class so rare that it has fewer than 50 in these, of its last 50 to 100.
    """

    def __init__(self, position: int) -> None:
        self.position = position  # of its last label, among all labels
        self.offset = 0
        self.time = 0.0
        self._young = _Gaps()
        self._old = _Gaps()

    @property
    def seen(self) -> int:
        """Gaps that what is known of it was learned from."""
        return self._young.n + self._old.n

    @property
    def among(self) -> int:
        """Labels in these gaps."""
        return self._young.labels + self._old.labels

    @property
    def share(self) -> float:
        """Its usual share among labels; 0 before it has come again."""
        return self.seen / self.among if self.among else 0.0

    def again(self, positions: Iterable[int]) -> None:
        """It was seen again, at these positions among all labels."""
        young, last = self._young, self.position
        for position in positions:
            gap, last = position - last, position
            young.n += 1
            young.labels += gap
            if gap > young.longest:
                young.longest = gap
            if young.labels >= _LONG and young.n >= _WINDOW:
                self._old, young = young, _Gaps()
        self._young = young
        self.position = last

    def longest(self, run_length: float) -> float:
        """The gap, in labels, that chance explains; infinite while its share is not known."""
        if self.seen < LEAST or self.among < AMONG:
            return math.inf
        # As far below what was seen as that may be by chance: two standard deviations of a count.
        least = self.share * (1.0 - 2.0 / math.sqrt(self.seen))
        gap = math.log1p(least * run_length) / -math.log1p(-least)
        return max(gap, _LONGER * max(self._young.longest, self._old.longest))


class _Gaps:
    """Gaps between labels of a class: how many, the labels they hold, the longest."""

    def __init__(self) -> None:
        self.n = 0
        self.labels = 0
        self.longest = 0


class Classes:
    """The classes of a task's labels, at most `MOST`. O(1) time for each label."""

    def __init__(self) -> None:
        self.labels = 0
        self.known: dict[Target, Class] = {}

    def add(self, labels: Sequence[Target], offsets: Sequence[int], times: Sequence[float]) -> None:
        """Labels have come, from these offsets and at these times."""
        before = self.labels
        positions: defaultdict[Target, list[int]] = defaultdict(list)
        for position, label in enumerate(labels, before + 1):
            positions[label].append(position)
        self.labels += len(labels)
        for label, found in positions.items():
            one = self.known.get(label)
            if one is not None:
                one.again(found)
            elif len(self.known) < MOST:
                one = self.known[label] = Class(found[0])
                one.again(found[1:])
            else:
                continue
            newest = found[-1] - before - 1
            one.offset, one.time = offsets[newest], times[newest]

    def gap(self, label: Target) -> int:
        """Labels that have come since the last one of this class."""
        return self.labels - self.known[label].position
