"""One label of a class in hundreds or thousands of another: class weights, under- and over-sampling for any recipe.

All three say how often a label is learned from: less than once on average by leaving labels out, more by repeating it;
over-sampling repeats recent labels of rare classes in between those of the common one. What is left out or repeated is
drawn with the learner's seed.

A model that learns from other shares of the classes than there are gives other probabilities than there are. The
outputs are corrected for it, class by class, by how often its labels were learned from on average (Elkan, "The
foundations of cost-sensitive learning", 2001; Dal Pozzolo et al., "Calibrating probability with undersampling for
unbalanced classification", 2015): probabilities mean what they say.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from learners.base import Explanation, ImbalanceConfig, Learner, LearnerError, Output, Problem, Row, Target, Unit, Value
from learners.contributions import largest_first, logistic
from learners.prepare import LONGEST_CATEGORY, usable

MOST_CLASSES = 100
"""Classes whose labels are told apart. Those of further ones are learned from once each."""
_NEVER = 1e-12


class _Class:
    """A class: how many of its labels came, how often they were learned from, and the newest of them."""

    def __init__(self, recent: int) -> None:
        self.labels = 0
        self.taught = 0
        self.recent: deque[tuple[Row, Target]] = deque(maxlen=recent)

    @property
    def ratio(self) -> float:
        """Labels that came for each that was learned from."""
        return (self.labels + 1) / (self.taught + 1)


class Rebalanced(Learner[Any]):
    """A classifier that learns from labels of some classes oftener than from those of others.

    Memory: the classifier's own, and `recent` rows of each of at most `MOST_CLASSES` classes.
    """

    def __init__(self, learner: Learner[Any], config: ImbalanceConfig) -> None:
        super().__init__(learner.config, learner.problem, learner.schema, learner.seed)
        if self.problem is Problem.REGRESSION:
            raise LearnerError("learner.imbalance: numbers have no classes to balance; remove it")
        unknown = sorted(set(config.class_weights) - {"true", "false"})
        if self.problem is Problem.BINARY and unknown:
            raise LearnerError(
                f"learner.imbalance.class_weights: got {unknown[0]!r}; the classes of a binary problem are true and "
                "false, whatever the texts of its labels"
            )
        self._inner = learner
        self._imbalance = config
        self._random = Random(learner.seed)
        self._classes: dict[str, _Class] = {}
        self._commonest = ""

    @property
    def learned(self) -> bool:
        """Whether the classifier has learned anything: not yet from labels that were passed over."""
        return self._inner.learned

    @property
    def faults(self) -> int:
        """Those of the classifier."""
        return self._inner.faults

    @property
    def last_fault(self) -> str | None:
        """That of the classifier."""
        return self._inner.last_fault

    def predict(self, rows: Sequence[Row]) -> list[Output]:
        """One output per row, in order, corrected for what was learned more or less often. Changes nothing."""
        outputs, ratios = self._inner.predict(rows), self._ratios()
        if not ratios:
            return outputs
        if self.problem is Problem.BINARY:
            odds = _odds(ratios)
            return [_tilted(p, odds) for p in outputs]
        return [_corrected(output, ratios) for output in outputs]

    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        """Learn from each label as often as its class is to be, with recent ones of rarer classes in between."""
        taught: list[tuple[Row, Target]] = []
        for row, label in zip(rows, labels, strict=True):
            self._take(row, label, taught)
        if taught:
            self._inner.learn([row for row, _ in taught], [label for _, label in taught])

    def explain(self, row: Row, label: Target | None = None) -> Explanation | None:
        """The classifier's own explanation on the scale of the corrected output. Changes nothing.

        The log-odds of a binary problem are shifted, which is no feature's doing. Another score is bent: its
        contributions are all scaled by what that makes of their sum.
        """
        ratios = self._ratios()
        if label is None and self.problem is Problem.MULTICLASS and ratios:
            output = self.predict([row])[0]
            label = max(output, key=output.__getitem__, default=None)
        told = self._inner.explain(row, label)
        if told is None or not ratios:
            return told
        if self.problem is Problem.BINARY and told.unit is Unit.LOG_ODDS:
            return told._replace(base=told.base + math.log(_odds(ratios)))
        bend = self._bend(row, told, ratios)
        base, score = bend(told.base), bend(told.score)
        scale = (score - base) / (told.score - told.base) if told.score != told.base else 0.0
        scaled = (one._replace(contribution=one.contribution * scale) for one in told.contributions)
        return told._replace(base=base, contributions=largest_first(scaled))

    def regularization(self) -> dict[str, float]:
        """The classifier's own settings."""
        return self._inner.regularization()

    def fresh(self, seed: int) -> Rebalanced:
        """An untrained learner of the same recipe, balanced alike."""
        return Rebalanced(self._inner.fresh(seed), self._imbalance)

    def _take(self, row: Row, label: Target, taught: list[tuple[Row, Target]]) -> None:
        """Add to what is to be taught what one label makes it."""
        config, name = self._imbalance, _name(label, self.problem)
        known = self._classes.get(name)
        if known is None:
            if len(self._classes) == MOST_CLASSES:
                taught.append((row, label))
                return
            known = self._classes[name] = _Class(config.recent)
        known.labels += 1
        if not self._commonest or known.labels > self._classes[self._commonest].labels:
            self._commonest = name
        common = name == self._commonest
        times = self._drawn(config.class_weights.get(name, 1.0) * (config.under_sample if common else 1.0))
        known.taught += times
        taught += [(row, label)] * times
        if not common:
            known.recent.append((self._kept(row), label))
        elif config.over_sample:
            self._repeat(self._drawn(times * config.over_sample / (1.0 - config.over_sample)), taught)

    def _drawn(self, times: float) -> int:
        """A whole number that is `times` on average."""
        whole = math.floor(times)
        return whole + (self._random.random() < times - whole) if times > whole else whole

    def _repeat(self, times: int, taught: list[tuple[Row, Target]]) -> None:
        """Teach recent labels of rarer classes, each class as often as any other."""
        rarer = [one for name, one in self._classes.items() if one.recent and name != self._commonest]
        if rarer:
            for _ in range(times):
                one = self._random.choice(rarer)
                one.taught += 1
                taught.append(self._random.choice(one.recent))

    def _kept(self, row: Row) -> dict[str, Value]:
        """The row without what no learner looks at, its texts of bounded length."""
        features = usable(row, self.schema.numeric, self.schema.categorical)
        return {name: v[: LONGEST_CATEGORY + 1] if isinstance(v, str) else v for name, v in features.items()}

    def _ratios(self) -> dict[str, float]:
        return {name: one.ratio for name, one in self._classes.items()}

    def _bend(self, row: Row, told: Explanation, ratios: Mapping[str, float]) -> Callable[[float], float]:
        """What the correction makes of a score that has the unit of this explanation."""
        if self.problem is Problem.BINARY:
            odds = _odds(ratios)
            return lambda p: _tilted(p, odds)
        output, own = self._inner.predict([row])[0], str(told.label)
        ratio = ratios.get(own, 1.0)
        if told.unit is Unit.PROBABILITY:
            others = {name: p for name, p in output.items() if name != own}
            rest = sum(p * ratios.get(name, 1.0) for name, p in others.items()) / (sum(others.values()) or 1.0)
            return lambda p: _tilted(p, ratio / (rest or 1.0))
        most = max(ratios.get(name, 1.0) for name in output)

        def scaled(score: float) -> float:
            p = min(1.0 - _NEVER, max(_NEVER, ratio / most * logistic(score)))
            return math.log(p / (1.0 - p))

        return scaled


def _name(label: Target, problem: Problem) -> str:
    if problem is Problem.BINARY:
        return "true" if label else "false"
    return str(label)


def _odds(ratios: Mapping[str, float]) -> float:
    """What the odds of a binary problem are multiplied by."""
    return ratios.get("true", 1.0) / ratios.get("false", 1.0)


def _tilted(p: float, odds: float) -> float:
    """A probability whose odds are multiplied."""
    p = min(1.0, max(0.0, p))
    return p * odds / (p * odds + 1.0 - p)


def _corrected(output: Mapping[str, float], ratios: Mapping[str, float]) -> dict[str, float]:
    """Probabilities of classes, each multiplied by its ratio, made to sum to 1 again."""
    weighted = {name: p * ratios.get(name, 1.0) for name, p in output.items()}
    total = sum(weighted.values())
    return {name: p / total for name, p in weighted.items()}
