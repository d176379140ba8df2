"""Labels in, outputs out: one small class per problem between a learner's words and River's.

Each `encode` turns a label into what the estimator learns, or None for one it must not learn; each `decode` turns what
the estimator says into an output that is finite and in range, whatever it said.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

from learners.base import Output, Problem, Target
from learners.moments import LIMIT, SPREAD, UNSEEN, finite, pulled_in, update


class Coder(ABC):
    """Translates labels and predictions for one problem."""

    @abstractmethod
    def encode(self, label: Target) -> Any:
        """What the estimator learns from, or None to leave the label out. May learn the label's scale or class."""

    @abstractmethod
    def decode(self, said: Any) -> Output:
        """An output from what the estimator said: class probabilities, or a number. Changes nothing."""

    @property
    def unit(self) -> tuple[float, float]:
        """What a number of the estimator's is multiplied by, and what is added, to be in the label's unit."""
        return 1.0, 0.0


class BinaryCoder(Coder):
    """Labels are bools; the output is the probability of true, 0.5 where the estimator has no opinion."""

    def encode(self, label: Target) -> bool:
        return bool(label)

    def decode(self, said: dict[bool, float]) -> float:
        true, false = said.get(True, 0.0), said.get(False, 0.0)
        total = true + false
        share = true / total if total > 0.0 else 0.5
        return share if 0.0 <= share <= 1.0 else 0.5


class ClassCoder(Coder):
    """Labels are texts, numbered in order of first appearance; those of classes beyond `max_classes` are left out.

    The output gives every class met so far its probability; equal ones where the estimator has no opinion.
    """

    def __init__(self, max_classes: int) -> None:
        self._max_classes = max_classes
        self._numbers: dict[str, int] = {}

    def encode(self, label: Target) -> int | None:
        text = str(label)
        number = self._numbers.get(text)
        if number is None and len(self._numbers) < self._max_classes:
            number = self._numbers[text] = len(self._numbers)
        return number

    def decode(self, said: dict[int, float]) -> dict[str, float]:
        shares = {text: said.get(number, 0.0) for text, number in self._numbers.items()}
        total = sum(shares.values())
        if 0.0 < total < math.inf:
            return {text: share / total for text, share in shares.items()}
        return {text: 1.0 / len(shares) for text in shares}


class NumberCoder(Coder):
    """Labels are numbers; one far outside those seen so far is pulled in, one that isn't finite is left out.

    With `standardise` the estimator sees deviations from the running mean, so that the size of the target's unit does
    not matter. Outputs are kept within `SPREAD` deviations of the mean label.
    """

    def __init__(self, standardise: bool) -> None:
        self._standardise = standardise
        self._moments = UNSEEN

    def encode(self, label: Target) -> float | None:
        number = finite(label)
        if number is None:
            return None
        self._moments = update(self._moments, number)
        _, mean, _, inverse = self._moments
        number = pulled_in(self._moments, number)
        return (number - mean) * inverse if self._standardise else number

    @property
    def unit(self) -> tuple[float, float]:
        _, mean, _, inverse = self._moments
        return (1.0 / inverse if inverse else 0.0, mean) if self._standardise else (1.0, 0.0)

    def decode(self, said: float) -> float:
        _, mean, _, inverse = self._moments
        if said != said or not inverse:
            return mean
        if self._standardise:
            return mean + max(-SPREAD, min(SPREAD, said)) / inverse
        return pulled_in(self._moments, said)


class RawNumberCoder(Coder):
    """Labels and predictions as they are, but finite."""

    def encode(self, label: Target) -> float | None:
        return finite(label)

    def decode(self, said: float) -> float:
        return float(max(-LIMIT, min(LIMIT, said))) if said == said else 0.0


def coder_for(problem: Problem, *, max_classes: int, standardise: bool = False) -> Coder:
    """The coder of a problem."""
    if problem is Problem.BINARY:
        return BinaryCoder()
    return ClassCoder(max_classes) if problem is Problem.MULTICLASS else NumberCoder(standardise)
