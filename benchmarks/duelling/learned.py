"""The same with real learners: a champion that knew the old world, and a challenger that begins in the new one."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from duelling.cases import Case, Change, Run
from duelling.laws import SEED, Pairs, sigmoid
from duelling.rules import LOOK, Floats, best_bet
from learners.base import Learner, Problem, Schema
from learners.linear import LogisticConfig
from learners.registry import build
from stream.core.problem import BinaryJudge

_FEATURES = tuple(f"x{number}" for number in range(5))
_OLD = np.array([2.0, -1.5, 1.0, 0.5, -1.0])
_NEW = np.array([2.0, 1.5, -1.0, 0.5, -1.0])
"""What the log-odds are made of before and after the change: two features turn round."""
_TAUGHT = 5_000
"""Labels that the champion has learned before."""
_CHAMPIONS = 20
"""As many there are; runs take them in turn."""
_PILOTS = 20
"""Runs by which the oracle knows the gaps."""
_OTHERS = 1 << 31
"""The first of their numbers."""
_AROUND, _OFTEN = 2, 2
"""Looks to either side whose gaps it takes together; looks from one expected gap to the next."""
_JUDGED = 500
"""Events over which expected losses are taken."""
_JUDGE = BinaryJudge(threshold=0.5, absolute=False)


@dataclass(frozen=True)
class Learned(Case):
    """Logistic regressions (`learners.linear`) at their defaults, both of which learn on from every label.

    The labels' law follows the change. The challenger knows nothing at first, unless it has a learning rate of its own:
    then it has learned as long as the champion, and runs beside it as one of a pool.
    """

    change: Change
    rate: float | None = None

    @property
    def bound(self) -> float:
        return 1.0

    @property
    def reach(self) -> float:
        return 1.0

    def bets(self) -> list[float]:
        gaps, expected = [], []
        for number in range(_PILOTS):
            run = self.run(_OTHERS + number)
            found = [
                (ours - theirs, run.gap() if look % _OFTEN == 0 else None)
                for look, (ours, theirs) in enumerate(run.looks())
            ]
            gaps.append([gap for gap, _ in found])
            expected.append([mean for _, mean in found if mean is not None])
        by_look, means = np.array(gaps).swapaxes(0, 1), np.array(expected).mean(axis=0)
        around = [by_look[max(0, look - _AROUND) : look + _AROUND + 1].ravel() for look in range(len(by_look))]
        return [best_bet(near) if means[look // _OFTEN] > 0.0 else 0.0 for look, near in enumerate(around)]

    def run(self, number: int) -> Run:
        return _LearnedRun(self, number)


class _LearnedRun(Run):
    def __init__(self, case: Learned, number: int) -> None:
        self._change, self._delay, self._labels = case.change, case.delay, case.labels
        self._rng = np.random.default_rng((SEED, number))
        self._champion = _taught(number % _CHAMPIONS)
        self._challenger = (
            self._champion.fresh(number) if case.rate is None else _taught(number % _CHAMPIONS, case.rate)
        )
        self._events = 0

    def looks(self) -> Iterator[Pairs]:
        waiting: list[tuple[list[dict[str, float]], list[bool], Pairs]] = []
        for look in range((self._labels + self._delay) // LOOK):
            shares = [self._change.share(look * LOOK + label) for label in range(LOOK)]
            rows, labels = _events(self._rng, shares)
            ours, theirs = (
                np.array(_JUDGE.losses(model.predict(rows), labels)) for model in (self._champion, self._challenger)
            )
            self._events += LOOK
            waiting.append((rows, labels, (ours, theirs)))
            if len(waiting) * LOOK > self._delay:
                rows, labels, losses = waiting.pop(0)
                self._champion.learn(rows, labels)
                self._challenger.learn(rows, labels)
                yield losses

    def gap(self) -> float:
        rows, features = _judged()
        share = self._change.share(self._events)
        truth = (1.0 - share) * sigmoid(features @ _OLD) + share * sigmoid(features @ _NEW)
        ours, theirs = (np.array(model.predict(rows)) for model in (self._champion, self._challenger))
        return float(((ours - truth) ** 2 - (theirs - truth) ** 2).mean())


def _taught(number: int, rate: float = 0.01) -> Learner[Any]:
    """A learner of its own, taught in the old world."""
    learner: Learner[Any] = pickle.loads(_pickled(number, rate))
    return learner


@cache
def _pickled(number: int, rate: float) -> bytes:
    learner = build(LogisticConfig(learning_rate=rate), Problem.BINARY, Schema(_FEATURES, ()), seed=number)
    learner.learn(*_events(np.random.default_rng((SEED, _OTHERS, number)), [0.0] * _TAUGHT))
    return pickle.dumps(learner)


@cache
def _judged() -> tuple[list[dict[str, float]], Floats]:
    features = np.random.default_rng((SEED, _OTHERS)).normal(size=(_JUDGED, len(_FEATURES)))
    return _rows(features), features


def _events(rng: np.random.Generator, shares: list[float]) -> tuple[list[dict[str, float]], list[bool]]:
    """Events and labels, which follow the new law with these chances."""
    features = rng.normal(size=(len(shares), len(_FEATURES)))
    new = rng.random(len(shares)) < shares
    chances = np.where(new, sigmoid(features @ _NEW), sigmoid(features @ _OLD))
    return _rows(features), (rng.random(len(shares)) < chances).tolist()


def _rows(features: Floats) -> list[dict[str, float]]:
    return [dict(zip(_FEATURES, values, strict=True)) for values in features.tolist()]
