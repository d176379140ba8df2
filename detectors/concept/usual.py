"""What errors usually are: their mean, how far they scatter about it, and to which side."""

from __future__ import annotations

from typing import NamedTuple


class Usual(NamedTuple):
    """Of so many errors, about their mean: the mean square and the mean cube."""

    n: int
    variance: float
    third: float


class Moments:
    """Learns it, in O(1) memory. Kept as means of powers, which stay in the range of a float however many there are.

    Distances are taken from the first error, so that they keep their precision on a large offset.
    """

    __slots__ = ("_cube", "_mean", "_n", "_origin", "_square")

    def __init__(self) -> None:
        self._n = 0
        self._origin = self._mean = self._square = self._cube = 0.0

    def add(self, error: float) -> None:
        """Take one error."""
        n = self._n = self._n + 1
        if n == 1:
            self._origin = error
        distance = error - self._origin
        square = distance * distance
        self._mean += (distance - self._mean) / n
        self._square += (square - self._square) / n
        self._cube += (square * distance - self._cube) / n

    def usual(self) -> Usual | None:
        """What was learnt; None as long as no two errors differ."""
        mean, square = self._mean, self._square
        variance = square - mean * mean
        if variance <= 1e-12 * square:
            return None
        return Usual(self._n, variance, self._cube - 3.0 * mean * variance - mean * mean * mean)
