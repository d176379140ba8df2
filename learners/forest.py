"""Adaptive random forest: trees on resampled labels and random features, each replaced when its errors rise.

Source: Gomes et al., "Adaptive random forests for evolving data stream classification", Machine Learning 106 (2017).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field
from river import drift, forest

from learners.base import Problem
from learners.trees import TreeConfig, TreeRecipe


class AdaptiveRandomForestConfig(TreeConfig):
    """The most accurate recipe and the slowest: cost and memory grow with `n_models`, twofold while trees adapt."""

    kind: Literal["adaptive_random_forest"] = "adaptive_random_forest"
    n_models: int = Field(10, ge=1, le=200, description="trees")
    resampling: int = Field(6, ge=1, le=20, description="times each tree takes a label, on average (Poisson)")
    grace_period: int = Field(50, ge=10, description="labels a leaf takes between attempts to split it")
    delta: float = Field(0.01, gt=0, lt=1, description="probability of picking the wrong split; smaller splits later")
    max_depth: int = Field(8, ge=1, le=20, description="deepest leaf")
    warning_delta: float = Field(0.01, gt=0, lt=1, description="confidence at which a tree starts its successor")
    drift_delta: float = Field(0.001, gt=0, lt=1, description="confidence at which a tree gives way to its successor")


class AdaptiveRandomForest(TreeRecipe[AdaptiveRandomForestConfig]):
    """A forest of Hoeffding trees that vote by their accuracy."""

    regularizers: ClassVar[tuple[str, ...]] = (*TreeRecipe.regularizers, "n_models", "resampling")

    def _make_estimator(self) -> Any:
        config = self.config
        features = len(self.schema.numeric) + len(self.schema.categorical)
        parameters = {
            **self._parameters(),
            "n_models": config.n_models,
            "lambda_value": config.resampling,
            "max_features": max(1, round(math.sqrt(features))),
            "warning_detector": drift.ADWIN(config.warning_delta),  # type: ignore[no-untyped-call]
            "drift_detector": drift.ADWIN(config.drift_delta),  # type: ignore[no-untyped-call]
            "seed": self.seed,
        }
        return (forest.ARFRegressor if self.problem is Problem.REGRESSION else forest.ARFClassifier)(**parameters)
