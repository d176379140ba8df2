"""Rules by which a challenger may be promoted: ours, what is often done instead, and one that knows the truth."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats

from stream.core.duel import Duel

Floats: TypeAlias = npt.NDArray[np.float64]

ALPHA = 0.01
LOOK = 50
"""Labels between two looks."""
WINDOW, MARGIN = 500, 0.02


class Rule(ABC):
    """Says, after each look's labels, whether it would promote now."""

    @abstractmethod
    def promotes(self, champion: Floats, challenger: Floats) -> bool:
        """Take the losses of one more look."""


class ByDuel(Rule):
    """Ours: proven better, whenever one looks."""

    def __init__(self, bound: float | None) -> None:
        self._duel = Duel(bound)

    def promotes(self, champion: Floats, challenger: Floats) -> bool:
        self._duel.record(champion.tolist(), challenger.tolist())
        return self._duel.better(ALPHA)


class BySmallerMean(Rule):
    """A mean over the last 500 labels that is smaller by 2%."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, float]] = deque(maxlen=WINDOW // LOOK)

    def promotes(self, champion: Floats, challenger: Floats) -> bool:
        self._looks.append((float(champion.sum()), float(challenger.sum())))
        ours, theirs = (math.fsum(sums) for sums in zip(*self._looks, strict=True))
        return len(self._looks) == self._looks.maxlen and theirs < ours * (1.0 - MARGIN)


class ByTTest(Rule):
    """A paired one-sided t-test at the same level, of all labels so far, again at each look."""

    def __init__(self) -> None:
        self._n = 0
        self._sum = self._squares = 0.0

    def promotes(self, champion: Floats, challenger: Floats) -> bool:
        gaps = champion - challenger
        self._n += len(gaps)
        self._sum += float(gaps.sum())
        self._squares += float(gaps @ gaps)
        variance = (self._squares - self._sum**2 / self._n) / (self._n - 1)
        return self._sum > math.sqrt(max(0.0, variance) * self._n) * _quantile(self._n)


def _quantile(n: int) -> float:
    """What t exceeds with a probability of ALPHA; beyond 500 labels that of the normal distribution, 0.3% less."""
    if n > WINDOW:
        return _FAR
    return _NEAR[n // LOOK]


_FAR = float(stats.norm.isf(ALPHA))
_NEAR = [math.inf, *(float(stats.t.isf(ALPHA, n - 1)) for n in range(LOOK, WINDOW + 1, LOOK))]


class Oracle:
    """The least labels that a proof takes: Wald's test of the true law of gaps against the nearest one without a gap.

    Of all laws on [-bound, bound] whose mean is not positive, the nearest to P (by the Kullback-Leibler divergence) is
    P(x) / (1 + b x), b being the bet under which wealth grows fastest. So the likelihood ratio is the wealth of the one
    who knows b at each label, and knows when to begin. It looks after every label.
    """

    def __init__(self, bets: Sequence[float], bound: float) -> None:
        """`bets` by look; 0 while the challenger is not better."""
        self._bets, self._bound = bets, bound
        self._wealth = 0.0
        self._look = self._n = 0
        self.crossed: int | None = None
        """The label at which it was sure."""

    def record(self, champion: Floats, challenger: Floats) -> None:
        """Take the losses of one more look."""
        bet = self._bets[min(self._look, len(self._bets) - 1)]
        gaps = np.minimum(champion, self._bound) - np.minimum(challenger, self._bound)
        wealth = self._wealth + np.cumsum(np.log1p(bet / self._bound * gaps))
        sure = wealth >= -math.log(ALPHA)
        if self.crossed is None and sure.any():
            self.crossed = self._n + int(sure.argmax()) + 1
        self._wealth = float(wealth[-1])
        self._n += len(gaps)
        self._look += 1


def best_bet(gaps: Floats) -> float:
    """The share of wealth to bet on gaps (in bounds) of a law so that it grows fastest; 0 where their mean is not
    positive.
    """
    if gaps.mean() <= 0.0:
        return 0.0
    low, high = 0.0, 0.99
    while high - low > 1e-3:
        middle = (low + high) / 2.0
        if float((gaps / (1.0 + middle * gaps)).mean()) > 0.0:
            low = middle
        else:
            high = middle
    return low
