"""Stories of champion and challenger, told in many runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from duelling.laws import SEED, Law, Pairs, bet, known
from duelling.rules import LOOK

_PART = 1_000
"""Labels that are drawn at once."""


class Run(ABC):
    """One run of a case. It begins with the first label on which both are compared."""

    @abstractmethod
    def looks(self) -> Iterator[Pairs]:
        """The losses of champion and challenger on the labels that have come, look by look."""

    @abstractmethod
    def gap(self) -> float:
        """By how much the champion's expected loss is the larger, on an event that comes now, after the last look."""


@dataclass(frozen=True)
class Case(ABC):
    """A story: its name, and the labels after which it ends.

    Labels come `delay` labels late: those that come now are of events that many back.
    """

    name: str
    labels: int
    delay: int

    @property
    @abstractmethod
    def bound(self) -> float | None:
        """The largest loss there can be."""

    @property
    @abstractmethod
    def reach(self) -> float:
        """The largest loss that the oracle reckons with."""

    @abstractmethod
    def bets(self) -> list[float]:
        """The oracle's best bet by look, as a share of its wealth per reach; 0 while the challenger is no better."""

    @abstractmethod
    def run(self, number: int) -> Run:
        """One run, always the same for the same number."""


@dataclass(frozen=True)
class Change:
    """How one law, or concept, follows the other: at once, little by little, or by turns. It takes `labels`."""

    kind: str = "none"
    labels: int = 1

    def share(self, label: int) -> float:
        """The share of the second one at a label, counted from 0."""
        match self.kind:
            case "abrupt":
                return float(label >= self.labels)
            case "gradual":
                return min(1.0, label / self.labels)
            case "recurring":
                return float(label // self.labels % 2)
        return 0.0


@dataclass(frozen=True)
class Drawn(Case):
    """Losses of a law, or of one after another."""

    before: Law
    then: Law
    change: Change

    @property
    def bound(self) -> float | None:
        return self.before.bound

    @property
    def reach(self) -> float:
        return known(self.before).reach

    def bets(self) -> list[float]:
        middles = range(LOOK // 2, self.labels, LOOK)
        return [bet(self.before, self.then, round(self.change.share(label), 2)) for label in middles]

    def run(self, number: int) -> Run:
        return _DrawnRun(self, number)


class _DrawnRun(Run):
    def __init__(self, case: Drawn, number: int) -> None:
        self._case = case
        self._rng = np.random.default_rng((SEED, number))
        self._labels = 0

    def looks(self) -> Iterator[Pairs]:
        case, rng = self._case, self._rng
        for part in range(0, case.labels, _PART):
            shares = [case.change.share(label) for label in range(part, part + _PART)]
            later = rng.random(_PART) < shares
            before, then = case.before.draw(rng, _PART), case.then.draw(rng, _PART)
            champion, challenger = (np.where(later, b, a) for a, b in zip(before, then, strict=True))
            for start in range(0, _PART, LOOK):
                self._labels += LOOK
                yield champion[start : start + LOOK], challenger[start : start + LOOK]

    def gap(self) -> float:
        case = self._case
        share = case.change.share(self._labels + case.delay)
        return (1.0 - share) * known(case.before).gap + share * known(case.then).gap
