"""Prototypes: how much a row looks like one of the newest examples of a rare class, and how unlike the common one.

With one positive in thousands, and labels that come weeks late, a model that moves its weights a little with each
label has little to move by. This one keeps the last positive rows themselves and compares: one example of a new kind
is enough to find the next of its kind, and an old kind that comes back is known. A kernel classifier (Specht,
"Probabilistic neural networks", 1990) whose kernel lets each feature agree with an example's or be like anybody's
(after Aitchison and Aitken, "Multivariate binary discrimination by the kernel method", 1976):

    odds(x) = prior odds * sum_i w_i prod_f [(1 - a_f) + a_f * 1(x_f as in example i) / share_f(x_f)] / sum_i w_i

`share_f` is how common the value is among rows of the common class, numbers being told apart by quantiles of those
rows, finest in the tails: units and heavy tails make no difference. `w_i` halves with every `half_life` newer examples,
down to a floor. The agreement `a_f` of each feature is learned from every new example, by a step of online expectation
maximisation (Cappe and Moulines, 2009); that of a feature that says nothing goes to nought. The prior is that of the
labels, so the probabilities need no correction.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field

from learners.base import Contribution, Explanation, Learner, LearnerConfig, Output, Problem, Row, Schema, Target, Unit
from learners.contributions import largest_first, logistic
from learners.moments import finite
from learners.prepare import LONGEST_CATEGORY, category
from learners.recipe import untrained

FLOOR = 0.02
"""Weight of the oldest examples, the newest having 1: what comes back is not new."""
FORGET = 0.02
"""Step by which the agreements follow a new example."""
PATIENCE = 4.0
"""Examples that the agreements at the start, `START`, are worth."""
START, LEAST, MOST = 0.4, 0.02, 0.95
FEWEST = 50
"""Common rows from which shares are reckoned; they are reckoned anew whenever their number has doubled, and later
whenever a quarter of them is new.
"""
_TAIL = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03)
QUANTILES = (*_TAIL, *(n / 20 for n in range(1, 20)), *(1.0 - q for q in reversed(_TAIL)))
_UNKNOWN = -1
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(128)

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Clean: TypeAlias = tuple[float | str | None, ...]
"""The features of a row: finite numbers, texts of bounded length, or None."""


class PrototypesConfig(LearnerConfig):
    """Likeness to recent examples of a rare class: for fraud and faults, one label in hundreds or thousands.

    The cost of a prediction grows with `examples`, the memory with both bounds.
    """

    kind: Literal["prototypes"] = "prototypes"
    examples: int = Field(200, ge=10, le=5000, description="newest rows labelled true that are kept")
    background: int = Field(10_000, ge=200, le=200_000, description="rows labelled false that are kept to compare with")
    refresh: float = Field(0.1, gt=0, le=1, description="share of the rows labelled false that replace older ones")
    half_life: float = Field(10.0, ge=1, le=10_000, description="newer examples after which one counts half")


class _Tables(NamedTuple):
    """How common values are among the background: by feature, quantiles (numbers only), codes and logs of shares."""

    edges: list[list[float]]
    codes: list[dict[Any, int]]
    logs: list[dict[int, float]]
    rarest: list[float]

    def add(self, coded: Sequence[int]) -> None:
        """Add the shares of the codes of one more feature, half a row being added to each."""
        counts = Counter(coded)
        total = math.log(len(coded) + 0.5 * (len(counts) + 1))
        self.logs.append({code: math.log(count + 0.5) - total for code, count in counts.items()})
        self.rarest.append(math.log(0.5) - total)


class Prototypes(Learner[PrototypesConfig]):
    """P(true), from the newest examples of true and a sample of false. Tells two classes apart, true the rarer one."""

    problems: ClassVar[frozenset[Problem]] = frozenset({Problem.BINARY})
    regularizers: ClassVar[tuple[str, ...]] = ("examples", "half_life")

    def __init__(self, config: PrototypesConfig, problem: Problem, schema: Schema, seed: int = 0) -> None:
        super().__init__(config, problem, schema, seed)
        self._names = (*schema.numeric, *schema.categorical)
        self._random = Random(seed)
        self._examples: deque[Clean] = deque(maxlen=config.examples)
        self._background: deque[Clean] = deque(maxlen=config.background)
        self._true = self._false = 0.0  # labels, older ones fading with each new example
        self._fresh = self._newer = 0  # common rows, and examples, since `_tables` was reckoned
        self._tables: _Tables | None = None
        self._coded: Ints = np.empty((0, len(self._names)), dtype=np.int64)
        self._weights: Floats = np.empty(0)
        self._agree: Floats = np.full(len(self._names), START)
        self._agreed: Floats = self._agree * PATIENCE
        self._looked: Floats = np.full(len(self._names), PATIENCE)

    @property
    def learned(self) -> bool:
        """Whether it has learned anything."""
        return bool(self._true or self._false)

    def predict(self, rows: Sequence[Row]) -> list[Output]:
        """One output per row, in order. Changes nothing."""
        if not self.learned:
            return [untrained(self.problem)] * len(rows)
        prior = self._log_prior()
        return [logistic(prior + self._evidence(row)) for row in rows]

    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        """Keep rows labelled true; of those labelled false count all and keep some."""
        for row, label in zip(rows, labels, strict=True):
            if label:
                self._keep(self._clean(row))
                continue
            self._false += 1.0
            if len(self._background) < self.config.background or self._random.random() < self.config.refresh:
                self._background.append(self._clean(row))
                self._fresh += 1
                known = 0 if self._tables is None else len(self._background) - self._fresh
                if self._fresh >= max(FEWEST, min(known, self.config.background // 4)):
                    self._reckon()

    def explain(self, row: Row, label: Target | None = None) -> Explanation | None:
        """What each feature adds to the log-odds: the integral of its gradient while the evidence grows from none to
        all of it (Aumann and Shapley, "Values of Non-Atomic Games", 1974). Changes nothing.
        """
        if not self.learned:
            return None
        compared = self._compared(self._clean(row))
        if compared is None:
            return Explanation(Unit.LOG_ODDS, self._log_prior(), (), True)
        parts, _ = compared
        sums = parts.sum(axis=1)
        shares = np.zeros(len(self._names))
        for node, weight in zip((_NODES + 1.0) / 2.0, _WEIGHTS / 2.0, strict=True):
            say = self._weights * np.exp(node * sums - (node * sums).max())
            shares += weight * (say[:, np.newaxis] * parts).sum(axis=0) / say.sum()
        given = zip(self._names, shares.tolist(), strict=True)
        contributions = largest_first(Contribution(name, row.get(name), share) for name, share in given)
        return Explanation(Unit.LOG_ODDS, self._log_prior(), contributions, True)

    # the model

    def _log_prior(self) -> float:
        """Log-odds of true among the labels since the examples came (Krichevsky and Trofimov's estimate)."""
        return math.log((self._true + 0.5) / (self._false + 0.5))

    def _evidence(self, row: Row) -> float:
        """Log of how much likelier the row is among the examples than among the common rows."""
        compared = self._compared(self._clean(row))
        if compared is None:
            return 0.0
        sums = compared[0].sum(axis=1)
        most = float(sums.max())
        return most + math.log(float((self._weights * np.exp(sums - most)).sum()))

    def _compared(self, row: Clean) -> tuple[Floats, npt.NDArray[np.bool_]] | None:
        """Logs of the factors by which each example (rows), for each feature (columns), speaks for a row being true,
        and where the two have the same value.
        """
        if self._tables is None or not self._examples:
            return None
        codes = self._code(row, self._tables)
        apart = np.log1p(-self._agree)
        alike = np.logaddexp(apart, np.log(self._agree) - self._log_shares(codes, self._tables))
        same = self._coded == codes
        return np.where(same, alike, apart), same

    def _keep(self, row: Clean) -> None:
        """Take a new example: learn which features agree with one of the earlier ones, then add it to them."""
        compared = self._compared(row)
        if compared is not None:
            parts, same = compared
            sums = parts.sum(axis=1)
            say = self._weights * np.exp(sums - sums.max())
            say /= say.sum()
            meant = np.where(same, 1.0 - np.exp(np.log1p(-self._agree) - parts), 0.0)
            self._agreed = (1.0 - FORGET) * self._agreed + (say[:, np.newaxis] * meant).sum(axis=0)
            self._looked = (1.0 - FORGET) * self._looked + 1.0
            self._agree = np.clip(self._agreed / self._looked, LEAST, MOST)
        fade = 1.0 - 1.0 / self.config.examples
        self._true, self._false = self._true * fade + 1.0, self._false * fade
        self._examples.append(row)
        if self._tables is not None:
            for codes, value in zip(self._tables.codes, row[len(self.schema.numeric) :], strict=True):
                codes.setdefault(value, len(codes))
            coded = np.array([self._code(row, self._tables)])
            self._coded = np.concatenate((self._coded, coded))[-len(self._examples) :]
            self._newer += 1
            if self._newer == self._examples.maxlen:  # the texts of examples that are gone go too
                self._reckon()
        self._weigh()

    def _weigh(self) -> None:
        ages = np.arange(len(self._examples))[::-1]
        weights = 0.5 ** (ages / self.config.half_life) + FLOOR
        self._weights = weights / weights.sum()

    def _reckon(self) -> None:
        """Reckon shares of the background anew, and code the examples by them."""
        self._fresh = self._newer = 0
        columns = list(zip(*self._background, strict=True))
        numbers = len(self.schema.numeric)
        tables = _Tables([], [], [], [])
        for column in columns[:numbers]:
            values = np.array([value for value in column if value is not None], dtype=float)
            edges = np.unique(np.quantile(values, QUANTILES, method="lower")).tolist() if len(values) else []
            tables.edges.append(edges)
            tables.add([_quantile(edges, value) for value in column])
        for index, column in enumerate(columns[numbers:]):
            codes: dict[Any, int] = {}
            for value in (*column, *(row[numbers + index] for row in self._examples)):
                codes.setdefault(value, len(codes))
            tables.codes.append(codes)
            tables.add([codes[value] for value in column])
        self._tables = tables
        coded = [self._code(row, tables) for row in self._examples]
        self._coded = np.array(coded, dtype=np.int64).reshape(-1, len(self._names))

    # rows

    def _clean(self, row: Row) -> Clean:
        get = row.get
        numbers = [finite(get(name)) for name in self.schema.numeric]
        texts = [category(get(name)) for name in self.schema.categorical]
        return (*numbers, *(text if text is None or len(text) <= LONGEST_CATEGORY else "*" for text in texts))

    def _code(self, row: Clean, tables: _Tables) -> Ints:
        """Quantile of each number, and number of each text; `_UNKNOWN` is like no other."""
        numbers = len(self.schema.numeric)
        codes = [_quantile(edges, value) for edges, value in zip(tables.edges, row[:numbers], strict=True)]
        codes += [known.get(value, _UNKNOWN) for known, value in zip(tables.codes, row[numbers:], strict=True)]
        return np.array(codes, dtype=np.int64)

    def _log_shares(self, codes: Ints, tables: _Tables) -> Floats:
        shares = zip(tables.logs, codes.tolist(), tables.rarest, strict=True)
        return np.array([logs.get(code, rarest) for logs, code, rarest in shares])


def _quantile(edges: list[float], value: Any) -> int:
    """Which quantile a number lies in; 0 where it is missing."""
    return 0 if value is None else 1 + bisect_right(edges, value)
