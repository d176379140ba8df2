"""Laws of paired losses: what champion and challenger lose on the same event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np

from duelling.rules import Floats, best_bet

SEED = 1
_SAMPLE = 200_000
"""Draws by which a law is known."""
_GOOD = 0.5
"""How far the better model's log-odds are off."""
_HALF = 0.5**0.5

Pairs: TypeAlias = tuple[Floats, Floats]


@dataclass(frozen=True)
class Law(ABC):
    """Draws pairs of losses.

    `better` is by how much the challenger's losses are smaller, as a share of the champion's, at 0 by no more than
    chance.
    """

    better: float

    @property
    @abstractmethod
    def bound(self) -> float | None:
        """The largest loss there can be."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, n: int) -> Pairs:
        """Losses of champion and challenger on n events."""


class Brier(Law):
    """Forecasts of a true probability whose log-odds are off by normal errors, half of their variance in common."""

    @property
    def bound(self) -> float:
        return 1.0

    def draw(self, rng: np.random.Generator, n: int) -> Pairs:
        worse, good = _forecast(
            rng, n, _spread(self.better if self.better > 0.0 else self.better / (self.better - 1.0))
        )
        return (worse, good) if self.better > 0.0 else (good, worse)


@cache
def _spread(better: float) -> float:
    """How far the log-odds of the worse model are off."""
    low, high = _GOOD, 20.0
    while better > 0.0 and high - low > 1e-3:
        middle = (low + high) / 2.0
        worse, good = (losses.mean() for losses in _forecast(np.random.default_rng(SEED), _SAMPLE, middle))
        low, high = (middle, high) if (worse - good) / worse < better else (low, middle)
    return low


def _forecast(rng: np.random.Generator, n: int, spread: float) -> Pairs:
    """The losses of a model whose log-odds are off so far, and of the good one."""
    odds, common, own, others = rng.normal(size=(4, n))
    truth = rng.random(n) < sigmoid(1.5 * odds)
    worse, good = (
        (sigmoid(1.5 * odds + off * _HALF * (common + alone)) - truth) ** 2
        for off, alone in ((spread, own), (_GOOD, others))
    )
    return worse, good


def sigmoid(odds: Floats) -> Floats:
    """The probabilities that have these log-odds."""
    chances: Floats = 1.0 / (1.0 + np.exp(-odds))
    return chances


class Trap(Law):
    """The challenger is better on all events but one in fifty, on which it is wrong with all certainty."""

    @property
    def bound(self) -> float:
        return 1.0

    def draw(self, rng: np.random.Generator, n: int) -> Pairs:
        champion = rng.choice((0.04, 0.36), n)
        return champion, np.where(rng.random(n) < 0.02, 1.0, champion * (1.0 - self.better))


class Absolute(Law):
    """Absolute errors with heavy tails (Student's t with 3 degrees of freedom), most of each in common."""

    @property
    def bound(self) -> None:
        return None

    def draw(self, rng: np.random.Generator, n: int) -> Pairs:
        noise = rng.standard_t(3, n)
        champion, challenger = (np.abs(noise + rng.normal(0.0, 0.5, n)) for _ in range(2))
        return champion, challenger * (1.0 - self.better)


class FarOff(Absolute):
    """The same, but on one event in a hundred the challenger's error is 50 times as large."""

    def draw(self, rng: np.random.Generator, n: int) -> Pairs:
        champion, challenger = super().draw(rng, n)
        return champion, np.where(rng.random(n) < 0.01, 50.0 * challenger, challenger)


class Known(NamedTuple):
    """What follows from a law.

    `gap` is the champion's minus the challenger's expected loss, `reach` the largest loss that the oracle reckons with,
    and `gaps` is a sample of the gaps, in such reaches.
    """

    gap: float
    reach: float
    gaps: Floats


@cache
def known(law: Law) -> Known:
    """What is known of it: by a large sample, but that equal models are equal."""
    champion, challenger = law.draw(np.random.default_rng(SEED), _SAMPLE)
    reach = law.bound or 8.0 * float(min(champion.mean(), challenger.mean()))
    gaps = np.minimum(champion, reach) - np.minimum(challenger, reach)
    return Known(float((champion - challenger).mean()) if law.better else 0.0, reach, gaps / reach)


@cache
def bet(before: Law, then: Law, share: float) -> float:
    """The best bet where events come from both laws, from the second one with this share; 0 on no gap."""
    first, second = known(before), known(then)
    if (1.0 - share) * first.gap + share * second.gap <= 0.0:
        return 0.0
    cut = round((1.0 - share) * _SAMPLE)
    return best_bet(np.concatenate((first.gaps[:cut], second.gaps[cut:])))
