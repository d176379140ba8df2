"""Points of a stream of errors, by which it can be told where its mean changed without keeping the errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TypeAlias

Point: TypeAlias = tuple[int, float]
"""A point in a stream of errors: how many came up to it, and their sum."""

APART = 8
"""Errors between two of the newest points, where they are kept to tell when a change began."""
ALIKE = 10
"""Of those points, how many are equally far apart. With so many, a change is placed to about a tenth of its age."""


class Points:
    """Of any number of points that are equally far apart, so many that the older ones lie further apart.

    O(log n) memory and amortised O(1) time per point: as long as there are more than `most` at one distance from each
    other, every other one of the oldest is left out.
    """

    __slots__ = ("_levels", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._levels: list[list[Point]] = [[]]  # [level][oldest first]: ends of parts of 2 ** level distances

    def add(self, point: Point) -> None:
        """Take the newest point."""
        level = 0
        self._levels[0].append(point)
        while len(self._levels[level]) > self._most:
            parts = self._levels[level]
            point = parts[1]
            del parts[:2]
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(point)

    def __iter__(self) -> Iterator[Point]:
        """From the oldest to the newest."""
        return chain.from_iterable(reversed(self._levels))


def clearest(points: Iterable[Point], end: Point, *, rise: bool) -> Point | None:
    """That of some points before the end at which the mean most clearly rose, or fell; None if it did at none.

    It splits the errors into two parts with the least squares of distances from the mean of their part.
    """
    n, total = end
    best, found = 0.0, None
    for point in points:
        before_n, after_n = point[0], n - point[0]
        if before_n > 0 and after_n > 0:
            change = (total - point[1]) / after_n - point[1] / before_n
            clear = change * change * before_n * after_n
            if clear > best and (change > 0.0) == rise:
                best, found = clear, point
    return found
