"""What any model must beat: the share of each class or the mean so far, and the last label seen.

They ignore features and cost next to nothing, so they always run beside the model. All rows of a span share one output.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Sequence
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field

from learners.base import Learner, LearnerConfig, Output, Problem, Row, Schema, Target
from learners.moments import LIMIT
from learners.recipe import untrained


class MajorityConfig(LearnerConfig):
    """The share of each class among all labels so far."""

    kind: Literal["majority"] = "majority"
    max_classes: int = Field(100, ge=2, description="classes counted; labels beyond are left out")


class MeanConfig(LearnerConfig):
    """The mean of all labels so far."""

    kind: Literal["mean"] = "mean"


class LastValueConfig(LearnerConfig):
    """The last label."""

    kind: Literal["last_value"] = "last_value"


C = TypeVar("C", bound=LearnerConfig)


class Baseline(Learner[C]):
    """Has one output at a time, whatever the row."""

    @abstractmethod
    def _output(self) -> Output:
        """The output now."""

    def predict(self, rows: Sequence[Row]) -> list[Output]:
        """The same output for every row. Changes nothing."""
        return [self._output()] * len(rows)

    def prequential(self, rows: Sequence[Row], labels: Sequence[Target]) -> Generator[Output, None, None]:
        """As the base class says."""
        now, learn = self._output, self.learn
        for row, label in zip(rows, labels, strict=True):
            output = now()
            learn((row,), (label,))
            yield output


class Majority(Baseline[MajorityConfig]):
    """P(class) whatever the row: the score of a model that has learned only how common each class is."""

    problems: ClassVar[frozenset[Problem]] = frozenset({Problem.BINARY, Problem.MULTICLASS})

    def __init__(self, config: MajorityConfig, problem: Problem, schema: Schema, seed: int = 0) -> None:
        super().__init__(config, problem, schema, seed)
        self._counts: dict[Any, int] = {True: 0, False: 0} if problem is Problem.BINARY else {}
        self._total = 0

    @property
    def learned(self) -> bool:
        """Whether it has learned anything."""
        return self._total > 0

    def _output(self) -> Output:
        if not self._total:
            return untrained(self.problem)
        if self.problem is Problem.BINARY:
            return self._counts[True] / self._total
        return {text: count / self._total for text, count in self._counts.items()}

    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        """Count the labels."""
        counts, binary = self._counts, self.problem is Problem.BINARY
        for label in labels:
            key = bool(label) if binary else str(label)
            if key in counts:
                counts[key] += 1
            elif len(counts) < self.config.max_classes:
                counts[key] = 1
            else:
                continue
            self._total += 1


class Mean(Baseline[MeanConfig]):
    """The mean so far, whatever the row."""

    problems: ClassVar[frozenset[Problem]] = frozenset({Problem.REGRESSION})

    def __init__(self, config: MeanConfig, problem: Problem, schema: Schema, seed: int = 0) -> None:
        super().__init__(config, problem, schema, seed)
        self._n = 0
        self._mean = 0.0

    @property
    def learned(self) -> bool:
        """Whether it has learned anything."""
        return self._n > 0

    def _output(self) -> Output:
        return self._mean

    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        """Take the labels into the mean; any that isn't a usable number is left out."""
        n, mean = self._n, self._mean
        for label in labels:
            if label.__class__ is not str and -LIMIT <= label <= LIMIT:  # type: ignore[operator]
                n += 1
                mean += (label - mean) / n  # type: ignore[operator]
        self._n, self._mean = n, mean


class LastValue(Baseline[LastValueConfig]):
    """The last label again: hard to beat where labels come in runs."""

    def __init__(self, config: LastValueConfig, problem: Problem, schema: Schema, seed: int = 0) -> None:
        super().__init__(config, problem, schema, seed)
        self._last: Output | None = None

    @property
    def learned(self) -> bool:
        """Whether it has learned anything."""
        return self._last is not None

    def _output(self) -> Output:
        return untrained(self.problem) if self._last is None else self._last

    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        """Keep the last usable label."""
        for label in reversed(labels):
            if self.problem is Problem.BINARY:
                self._last = float(bool(label))
            elif self.problem is Problem.MULTICLASS:
                self._last = {str(label): 1.0}
            elif isinstance(label, str) or not -LIMIT <= label <= LIMIT:
                continue
            else:
                self._last = float(label)
            return


BASELINES: dict[str, tuple[type[Learner[Any]], LearnerConfig]] = {
    "majority": (Majority, MajorityConfig()),
    "mean": (Mean, MeanConfig()),
    "last_value": (LastValue, LastValueConfig()),
}


def baselines_for(problem: Problem) -> list[tuple[str, Learner[Any]]]:
    """The baselines of a problem, each with its name."""
    made = [(name, kind, config) for name, (kind, config) in BASELINES.items() if problem in kind.problems]
    return [(name, kind(config, problem, Schema())) for name, kind, config in made]
