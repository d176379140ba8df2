"""What the stock recipes share: an encoder for rows, a coder for labels, and a River estimator between them.

The estimator is called directly, not through a River pipeline, and a row is learned and transformed in one pass: that
pays for the guards against missing, wild and wrong values.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from pydantic import Field
from river import compose

from learners.base import Explanation, Learner, LearnerConfig, Output, Problem, Row, Schema, Target
from learners.contributions import explanation
from learners.prepare import Encoded, Encoder
from learners.target import Coder


class RecipeConfig(LearnerConfig):
    """Bounds every recipe has."""

    max_categories: int = Field(200, ge=1, description="values of a categorical feature told apart; the rest are one")
    max_classes: int = Field(100, ge=2, description="multiclass only: classes learned; labels beyond are left out")


C = TypeVar("C", bound=RecipeConfig)


class Recipe(Learner[C]):
    """A River estimator with its row encoder and label coder."""

    def __init__(self, config: C, problem: Problem, schema: Schema, seed: int = 0) -> None:
        super().__init__(config, problem, schema, seed)
        self._encoder = self._make_encoder()
        self._coder = self._make_coder()
        self._estimator = self._make_estimator()
        self._learned = False

    @property
    def learned(self) -> bool:
        """Whether it has learned anything."""
        return self._learned

    @property
    def bare(self) -> Any:
        """River's pipeline of the encoder and the estimator."""
        return compose.Pipeline(self._encoder, self._estimator)

    @abstractmethod
    def _make_encoder(self) -> Encoder:
        """The encoder of rows."""

    @abstractmethod
    def _make_coder(self) -> Coder:
        """The coder of labels."""

    @abstractmethod
    def _make_estimator(self) -> Any:
        """The untrained River estimator, a classifier or a regressor by `self.problem`."""

    def predict(self, rows: Sequence[Row]) -> list[Output]:
        """One output per row, in order. Changes nothing."""
        if not self._learned:
            return [untrained(self.problem)] * len(rows)
        transform, say, decode = self._encoder.transform_one, self._say(), self._coder.decode
        return [decode(say(transform(row))) for row in rows]

    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        """Learn from rows and their labels, in order."""
        take, encode, learn_one = self._encoder.take, self._coder.encode, self._estimator.learn_one
        for row, label in zip(rows, labels, strict=True):
            x, y = take(row), encode(label)
            if y is not None:
                learn_one(x, y)
                self._learned = True

    def prequential(self, rows: Sequence[Row], labels: Sequence[Target]) -> Generator[Output, None, None]:
        """As the base class says."""
        transform, say, decode = self._encoder.transform_one, self._say(), self._coder.decode
        take, encode, learn_one = self._encoder.take, self._coder.encode, self._estimator.learn_one
        for row, label in zip(rows, labels, strict=True):
            output = decode(say(transform(row))) if self._learned else untrained(self.problem)
            x, y = take(row), encode(label)
            if y is not None:
                learn_one(x, y)
                self._learned = True
            yield output

    def _say(self) -> Callable[[Encoded], Any]:
        """The estimator's method that gives outputs."""
        regression = self.problem is Problem.REGRESSION
        say: Callable[[Encoded], Any] = self._estimator.predict_one if regression else self._estimator.predict_proba_one
        return say

    def explain(self, row: Row, label: Target | None = None) -> Explanation | None:
        """What each feature contributes to a row's score. Changes nothing."""
        if not self._learned:
            return None
        x = self._encoder.transform_one(row)
        return explanation(self._estimator, self._coder, self.problem, self.schema, row, x, label)


def untrained(problem: Problem) -> Output:
    """The output of a learner that has learned nothing."""
    return {Problem.BINARY: 0.5, Problem.MULTICLASS: {}, Problem.REGRESSION: 0.0}[problem]
