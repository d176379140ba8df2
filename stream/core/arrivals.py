"""How many events had come by any time in the past, in little memory: exact for the newest, coarser further back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

_FINE: Final = 64
"""What is known of a time is exact to within one in so many of the events that have come since."""


class Arrivals:
    """Counts events by the time at which they came. O(1) time for each on average; memory grows with the logarithm of
    their number: some 2,000 marks for a thousand million.
    """

    def __init__(self) -> None:
        self.n = 0
        self._times: list[float] = []
        self._counts: list[int] = []  # events up to and with the one of that time
        self._bound = 4 * _FINE

    def add(self, times: Iterable[float]) -> None:
        """More events have come, at these times, which never go back."""
        n, marks, counts, bound = self.n, self._times, self._counts, self._bound
        last = marks[-1] if marks else None
        for time in times:
            n += 1
            if time == last:
                counts[-1] = n
                continue
            last = time
            marks.append(time)
            counts.append(n)
            if len(marks) > bound:
                self.n = n
                self._thin()
                marks, counts, bound = self._times, self._counts, self._bound
        self.n = n

    def by(self, time: float) -> int:
        """Events that had come by then; further back, up to one in `_FINE` of those since too few."""
        at = bisect_right(self._times, time)
        return self._counts[at - 1] if at else 0

    def _thin(self) -> None:
        """Keep the oldest and the newest mark, and between them no more than are needed."""
        n, previous = self.n, self._counts[-1]
        times, counts = [self._times[-1]], [previous]
        further_back = [*self._counts[-3::-1], -n * _FINE]
        for time, count, following in zip(self._times[-2::-1], self._counts[-2::-1], further_back, strict=True):
            # The next one further back would lie too far from the one that was kept last.
            if previous - following > (n - following) / _FINE:
                times.append(time)
                counts.append(count)
                previous = count
        self._times, self._counts = times[::-1], counts[::-1]
        self._bound = 2 * len(self._times) + 4 * _FINE
