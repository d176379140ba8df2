"""How much values depend on those before them, from a stream and in bounded memory.

Sources: batch means, Conway, "Some tactical problems in digital simulation", Management Science 10 (1963); the mean
square successive difference, von Neumann, "Distribution of the ratio of the mean square successive difference to the
variance", Annals of Mathematical Statistics 12 (1941).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

_BLOCK = 512
"""Values in a block: dependence over longer than that is not seen."""

_FEWEST, _MOST = 16, 64
"""Blocks from which something is said, and those that are remembered."""


class Dependence:
    """Memory for 64 blocks, and the values of one that is not complete.

    `factor` is how many of the values say as much of their mean as one independent value would: how many times larger
    the variance of the means of 512 values is than it would be if values were independent. It goes by the differences
    of neighbouring blocks, which a change of level now and then does not enlarge, so that it is rather too small.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything seen."""
        self._waiting: list[float] = []
        self._blocks: list[tuple[float, float]] = []  # means of values and of their squares

    def observe(self, values: Sequence[float]) -> None:
        """Take finite values."""
        waiting = self._waiting
        waiting.extend(values)
        while len(waiting) >= _BLOCK:
            block = waiting[:_BLOCK]
            del waiting[:_BLOCK]
            self._blocks = [*self._blocks, (fmean(block), fmean([value * value for value in block]))][-_MOST:]

    @property
    def factor(self) -> float | None:
        """At least 1; None before there are 16 blocks, and for values that are all the same."""
        if len(self._blocks) < _FEWEST:
            return None
        means = [mean for mean, _ in self._blocks]
        variance = fmean([square for _, square in self._blocks]) - fmean(means) ** 2
        if variance <= 0.0:
            return None
        between = fmean([(later - earlier) ** 2 for earlier, later in pairwise(means)]) / 2.0
        return max(1.0, _BLOCK * between / variance)
