"""Streams that stay as they are, streams that change, and what mathematics says of how soon that can be seen.

A law makes the values of events, features by columns. Of a change, `moved` says for each event how much of it has come
about, from 0 to 1; only the first feature changes (the first two, where it is between them).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import signal

Floats: TypeAlias = npt.NDArray[np.float64]
Values: TypeAlias = npt.NDArray[Any]

RATE = 0.2
MISSING = 0.1
SHARES = np.array((0.2, 0.3, 0.25, 0.15, 0.1))
"""Of five categories, the first of which changes its share."""


class Law(ABC):
    """Makes the values of one stream, block after block. `size` is that of the change, in the unit of the law."""

    watched: ClassVar[str]
    """What its values are: errors, absolute errors, numbers or categories."""

    def __init__(self, rng: np.random.Generator, features: int, size: float) -> None:
        self.rng, self.features, self.size = rng, features, size

    @abstractmethod
    def take(self, moved: Floats) -> Values:
        """As many events as there are numbers in `moved`."""

    @staticmethod
    @abstractmethod
    def information(size: float) -> float:
        """The Kullback-Leibler divergence of changed from usual values, for one event of a change of this size."""


class Bernoulli(Law):
    """Errors of a classifier that is wrong one time in five."""

    watched = "errors"

    def take(self, moved: Floats) -> Values:
        return (self.rng.random(len(moved)) < RATE + self.size * moved).astype(np.int64)[:, np.newaxis]

    @staticmethod
    def information(size: float) -> float:
        return _bernoulli(RATE + size, RATE)


class Wandering(Bernoulli):
    """Errors whose rate goes up and down around one in five, in swings of about a thousand events."""

    def __init__(self, rng: np.random.Generator, features: int, size: float) -> None:
        super().__init__(rng, features, size)
        self._swings = _Autoregression(rng, 1, 0.999)

    def take(self, moved: Floats) -> Values:
        swings = self._swings.take(len(moved))[:, 0]
        usual = 1.0 / (1.0 + (1.0 / RATE - 1.0) * np.exp(-0.5 * swings))
        return (self.rng.random(len(moved)) < usual).astype(np.int64)[:, np.newaxis]


class Absolute(Law):
    """Absolute errors of a regression: sizes of normal values, which become larger."""

    watched = "absolute errors"

    def take(self, moved: Floats) -> Values:
        return np.abs(self.rng.normal(size=len(moved)) * (1.0 + self.size * moved))[:, np.newaxis]

    @staticmethod
    def information(size: float) -> float:
        return _scale(1.0 + size)


class AbsoluteHeavy(Absolute):
    """Absolute errors, some of them very large: sizes of Student's t with 3 degrees of freedom, of deviation 1."""

    def take(self, moved: Floats) -> Values:
        return np.abs(_student(self.rng, (len(moved), 1)))


class Gaussian(Law):
    """Normal values that move by some standard deviations."""

    watched = "numbers"

    def take(self, moved: Floats) -> Values:
        values = self.rng.normal(size=(len(moved), self.features))
        values[:, 0] += self.size * moved
        return values

    @staticmethod
    def information(size: float) -> float:
        return size**2 / 2.0


class Heavy(Gaussian):
    """Student's t with 3 degrees of freedom, of deviation 1."""

    def take(self, moved: Floats) -> Values:
        return _student(self.rng, (len(moved), self.features))


class Discrete(Gaussian):
    """Normal values rounded to whole deviations: seven values, and ties everywhere."""

    def take(self, moved: Floats) -> Values:
        return np.round(super().take(moved))


class Autocorrelated(Gaussian):
    """An autoregression: nine tenths of each value are the one before."""

    def __init__(self, rng: np.random.Generator, features: int, size: float) -> None:
        super().__init__(rng, features, size)
        self._steps = _Autoregression(rng, features, 0.9)

    def take(self, moved: Floats) -> Values:
        return self._steps.take(len(moved))


class Widening(Gaussian):
    """Normal values that spread."""

    def take(self, moved: Floats) -> Values:
        values = self.rng.normal(size=(len(moved), self.features))
        values[:, 0] *= 1.0 + self.size * moved
        return values

    @staticmethod
    def information(size: float) -> float:
        return _scale(1.0 + size)


class Together(Gaussian):
    """Normal values, two features of which begin to go together; each for itself stays as it is."""

    def take(self, moved: Floats) -> Values:
        values = self.rng.normal(size=(len(moved), self.features))
        shared = self.size * moved
        values[:, 0] = shared * values[:, 1] + np.sqrt(1.0 - shared**2) * values[:, 0]
        return values

    @staticmethod
    def information(size: float) -> float:
        return -0.5 * math.log(1.0 - size**2)


class Gaps(Gaussian):
    """Normal values of which one in ten is missing, and then more."""

    def take(self, moved: Floats) -> Values:
        values = self.rng.normal(size=(len(moved), self.features))
        rates = np.full(values.shape, MISSING)
        rates[:, 0] += self.size * moved
        values[self.rng.random(values.shape) < rates] = math.nan
        return values

    @staticmethod
    def information(size: float) -> float:
        return _bernoulli(MISSING + size, MISSING)


class Texts(Gaussian):
    """Normal values, some of which begin to come as text."""

    def take(self, moved: Floats) -> Values:
        values = self.rng.normal(size=(len(moved), self.features)).astype(object)
        values[self.rng.random(len(moved)) < self.size * moved, 0] = "0.5"
        return values

    @staticmethod
    def information(size: float) -> float:
        return math.inf if size else 0.0


class Categories(Law):
    """Five categories, one of which becomes more frequent."""

    watched = "categories"

    def take(self, moved: Floats) -> Values:
        chance = self.rng.random((len(moved), self.features))
        codes = np.searchsorted(np.cumsum(SHARES)[:-1], chance, side="right")
        grown = self.rng.random(len(moved)) < self.size * moved / (1.0 - SHARES[0])
        codes[grown, 0] = 0
        return np.array(["a", "b", "c", "d", "e"], dtype=object)[codes]

    @staticmethod
    def information(size: float) -> float:
        return _bernoulli(SHARES[0] + size, SHARES[0])  # the others keep their proportions


class Novelty(Categories):
    """Five categories and, after the change, a sixth."""

    def take(self, moved: Floats) -> Values:
        values = Categories(self.rng, self.features, 0.0).take(moved)
        values[self.rng.random(len(moved)) < self.size * moved, 0] = "new"
        return values

    @staticmethod
    def information(size: float) -> float:
        return math.inf if size else 0.0


LAWS: dict[str, type[Law]] = {
    "Bernoulli(0.2)": Bernoulli,
    "wandering rate": Wandering,
    "|normal|": Absolute,
    "|Student t3|": AbsoluteHeavy,
    "normal": Gaussian,
    "Student t3": Heavy,
    "rounded": Discrete,
    "AR(1) 0.9": Autocorrelated,
    "normal, spread": Widening,
    "normal, together": Together,
    "normal, gaps": Gaps,
    "normal, texts": Texts,
    "categories": Categories,
    "categories, new": Novelty,
}


class Change(NamedTuple):
    """A change of so much of a law, all at once or bit by bit over `ramp` events."""

    law: str
    size: float
    ramp: int = 0

    @property
    def name(self) -> str:
        """What the table calls it."""
        words = {
            "Bernoulli(0.2)": f"errors {RATE:g} to {RATE + self.size:g}",
            "|normal|": f"|errors| x {1 + self.size:g}",
            "normal": f"mean +{self.size:g} sd",
            "normal, spread": f"spread x {1 + self.size:g}",
            "normal, together": f"correlation 0 to {self.size:g}",
            "normal, texts": f"{self.size:.0%} become text",
            "normal, gaps": f"missing {MISSING:g} to {MISSING + self.size:g}",
            "categories": f"share {SHARES[0]:g} to {SHARES[0] + self.size:g}",
            "categories, new": f"new category, {self.size:.0%}",
        }[self.law]
        return f"{words} over {self.ramp:,}" if self.ramp else words

    def moved(self, n: int) -> Floats:
        """How much of it has come about after 1, 2, ... n events."""
        if not self.ramp:
            return np.ones(n)
        progress: Floats = np.minimum(1.0, np.arange(1, n + 1) / self.ramp)
        return progress

    def limit(self, run_length: float) -> float:
        """The events after which their information about the change is ln(run_length).

        No detector with this run length can have a smaller mean delay, in the limit of long run lengths, not even one
        that knows both distributions (Lorden, "Procedures for reacting to a change in distribution", Annals of
        Mathematical Statistics 42, 1971).
        """
        needed = math.log(run_length)
        law = LAWS[self.law]
        if not self.ramp:
            return needed / law.information(self.size)
        gained = 0.0
        for event, moved in enumerate(self.moved(self.ramp).tolist(), start=1):
            gained += law.information(self.size * moved)
            if gained >= needed:
                return float(event)
        return self.ramp + (needed - gained) / law.information(self.size)


def blocks(law: str, features: int, events: int, seed: tuple[int, ...], block: int) -> Iterator[Values]:
    """A stream that stays as it is. The same seed gives the same stream to every detector."""
    source = LAWS[law](np.random.default_rng(seed), features, 0.0)
    for start in range(0, events, block):
        yield source.take(np.zeros(min(block, events - start)))


def _bernoulli(after: float, before: float) -> float:
    return after * math.log(after / before) + (1.0 - after) * math.log((1.0 - after) / (1.0 - before))


def _scale(ratio: float) -> float:
    return (ratio**2 - 1.0) / 2.0 - math.log(ratio)


def _student(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    values: Floats = rng.standard_t(3, size=shape) / math.sqrt(3.0)
    return values


class _Autoregression:
    """Normal values, by columns, that carry a share of themselves over to the next; of deviation 1."""

    def __init__(self, rng: np.random.Generator, columns: int, share: float) -> None:
        self._rng, self._share = rng, share
        self._fresh = math.sqrt(1.0 - share**2)
        self._last = rng.normal(size=columns)

    def take(self, n: int) -> Floats:
        """The next `n`."""
        steps = self._fresh * self._rng.normal(size=(n, len(self._last)))
        values, _ = signal.lfilter([1.0], [1.0, -self._share], steps, axis=0, zi=self._share * self._last[np.newaxis])
        found: Floats = np.asarray(values, dtype=np.float64)
        self._last = found[-1]
        return found
