"""Linear models: logistic regression for classes, linear regression for numbers, both by stochastic gradient descent.

Numbers are standardised by running moments, categories get a weight each. The learning rate stays constant, so that the
model keeps following a world that changes (Bottou, "Stochastic gradient learning in neural networks", 1991). Linear
in the number of features, in time and memory.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field
from river import linear_model, multiclass, optim

from learners.base import Problem
from learners.prepare import ScaleAndFlag
from learners.recipe import Recipe, RecipeConfig
from learners.steady import SteadyLinearRegression
from learners.target import Coder, coder_for


class LinearConfig(RecipeConfig):
    """What linear models share."""

    learning_rate: float = Field(0.01, gt=0, le=1, description="step of each label; larger follows change faster")
    l2: float = Field(1e-4, ge=0, le=1, description="pull of the weights towards 0 at each step")
    missing_indicator: bool = Field(True, description="learn a weight for a feature being missing")


class LogisticConfig(LinearConfig):
    """Logistic regression: fast, good after a few thousand labels; sees no interplay of features.

    With more than two classes, each is told apart from all others.
    """

    kind: Literal["logistic"] = "logistic"


class LinearRegressionConfig(LinearConfig):
    """Linear regression on a standardised target: fast and steady; sees no interplay of features."""

    kind: Literal["linear_regression"] = "linear_regression"


C = TypeVar("C", bound=LinearConfig)


class _Linear(Recipe[C]):
    """Rows as linear models take them."""

    regularizers: ClassVar[tuple[str, ...]] = ("l2", "learning_rate")

    def _make_encoder(self) -> ScaleAndFlag:
        config = self.config
        return ScaleAndFlag(
            self.schema.numeric, self.schema.categorical, config.max_categories, config.missing_indicator
        )

    def _make_coder(self) -> Coder:
        return coder_for(self.problem, max_classes=self.config.max_classes, standardise=True)


class Logistic(_Linear[LogisticConfig]):
    """P(class), calibrated by the log loss it minimises. The gradient of a row is bounded by its scaled values."""

    problems: ClassVar[frozenset[Problem]] = frozenset({Problem.BINARY, Problem.MULTICLASS})

    def _make_estimator(self) -> Any:
        rate = self.config.learning_rate
        logistic = linear_model.LogisticRegression(optim.SGD(rate), l2=self.config.l2, intercept_lr=rate)
        return logistic if self.problem is Problem.BINARY else multiclass.OneVsRestClassifier(logistic)


class LinearRegression(_Linear[LinearRegressionConfig]):
    """The expected value of the target, within the range the labels have shown."""

    problems: ClassVar[frozenset[Problem]] = frozenset({Problem.REGRESSION})

    def _make_estimator(self) -> Any:
        return SteadyLinearRegression(self.config.learning_rate, self.config.l2)
