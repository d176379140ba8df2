"""Which learners there are, by the `kind` that names them in a configuration."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Field

from learners.base import Learner, LearnerConfig, LearnerError, Problem, Schema
from learners.forest import AdaptiveRandomForest, AdaptiveRandomForestConfig
from learners.imbalance import Rebalanced
from learners.linear import LinearRegression, LinearRegressionConfig, Logistic, LogisticConfig
from learners.prototypes import Prototypes, PrototypesConfig
from learners.river_pipeline import RiverConfig, RiverPipeline
from learners.trees import HoeffdingAdaptiveTree, HoeffdingAdaptiveTreeConfig, HoeffdingTree, HoeffdingTreeConfig

LEARNERS: dict[str, type[Learner[Any]]] = {
    "adaptive_random_forest": AdaptiveRandomForest,
    "hoeffding_adaptive_tree": HoeffdingAdaptiveTree,
    "hoeffding_tree": HoeffdingTree,
    "linear_regression": LinearRegression,
    "logistic": Logistic,
    "prototypes": Prototypes,
    "river": RiverPipeline,
}

AnyLearnerConfig: TypeAlias = Annotated[
    AdaptiveRandomForestConfig
    | HoeffdingAdaptiveTreeConfig
    | HoeffdingTreeConfig
    | LinearRegressionConfig
    | LogisticConfig
    | PrototypesConfig
    | RiverConfig,
    Field(discriminator="kind"),
]
"""The configuration of any learner; pydantic tells them apart by `kind`."""


def build(config: LearnerConfig, problem: Problem, schema: Schema, seed: int = 0) -> Learner[Any]:
    """An untrained learner, balanced if so configured.

    Raises `LearnerError` when there is no such kind, or it can't do the problem.
    """
    made = LEARNERS.get(config.kind)
    if made is None:
        raise LearnerError(f"learner.kind: got {config.kind!r}; expected one of {', '.join(sorted(LEARNERS))}")
    if problem not in made.problems:
        able = ", ".join(kind for kind, learner in sorted(LEARNERS.items()) if problem in learner.problems)
        raise LearnerError(f"learner.kind: {config.kind} cannot do {problem.value} problems; these can: {able}")
    if not schema.numeric and not schema.categorical:
        raise LearnerError(f"learner: {config.kind} has no features to learn from; declare at least one")
    learner = made(config, problem, schema, seed)
    return learner if config.imbalance is None else Rebalanced(learner, config.imbalance)
