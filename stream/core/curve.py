"""A learning curve: how a model's loss goes down with the labels it has learned from, in a bounded number of points."""

from __future__ import annotations

from typing import Final, NamedTuple

MOST: Final = 32
"""Points of a curve. When there would be more, each two neighbours become one."""


class Point(NamedTuple):
    """The mean prequential loss over a stretch that ends when the model has learned from so many labels."""

    labels: int
    loss: float


class Curve:
    """Mean losses of blocks of labels, in at most `MOST` equal stretches, the newest of which may be shorter."""

    def __init__(self) -> None:
        self._labels = 0
        self._stretch = 1  # blocks
        self._sums: list[tuple[int, int, float]] = []  # labels up to its end, its blocks, sum of their losses

    def add(self, labels: int, loss: float) -> None:
        """A block of labels was learned, with this mean loss before."""
        self._labels += labels
        if self._sums and self._sums[-1][1] < self._stretch:
            _, blocks, total = self._sums.pop()
            self._sums.append((self._labels, blocks + 1, total + loss))
            return
        if len(self._sums) == MOST:
            self._stretch *= 2
            pairs = zip(self._sums[::2], self._sums[1::2], strict=True)
            self._sums = [(b[0], a[1] + b[1], a[2] + b[2]) for a, b in pairs]
        self._sums.append((self._labels, 1, loss))

    def points(self) -> list[Point]:
        """From the first labels on."""
        return [Point(labels, total / blocks) for labels, blocks, total in self._sums]
