"""Hoeffding trees: decision trees that split a leaf once enough labels have shown which split is best.

Sources: Domingos and Hulten, "Mining high-speed data streams", KDD (2000); the adaptive variant, which grows an
alternate subtree where its errors rise: Bifet and Gavalda, "Adaptive learning from evolving data streams", IDA (2009).

All splits are binary and the depth is limited, which bounds the memory. River's own limit (`max_size`) is not used: it
goes by `sys.getsizeof`, which differs between a model and its restored copy.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeVar

from pydantic import Field
from river import drift, tree

from learners.base import Problem
from learners.prepare import ClipAndCode
from learners.recipe import Recipe, RecipeConfig
from learners.steady import LeafRegression
from learners.target import Coder, coder_for

NEVER = 10**15
"""Labels between River's own checks of a tree's memory: none."""


class TreeConfig(RecipeConfig):
    """What trees share. Memory is at most 2^max_depth leaves, each with a summary of every feature per class."""

    grace_period: int = Field(200, ge=10, description="labels a leaf takes between attempts to split it")
    delta: float = Field(1e-7, gt=0, lt=1, description="probability of picking the wrong split; smaller splits later")
    tau: float = Field(0.05, ge=0, lt=1, description="difference between two splits below which the tie is broken")
    max_depth: int = Field(10, ge=1, le=20, description="deepest leaf")
    max_categories: int = Field(
        64, ge=1, le=1000, description="values of a categorical feature told apart; the rest are one"
    )


class HoeffdingTreeConfig(TreeConfig):
    """A single tree that never unlearns a split. For a world that stays as it is."""

    kind: Literal["hoeffding_tree"] = "hoeffding_tree"


class HoeffdingAdaptiveTreeConfig(TreeConfig):
    """A single tree that replaces branches whose errors rise. Sees the interplay of features and follows change."""

    kind: Literal["hoeffding_adaptive_tree"] = "hoeffding_adaptive_tree"
    drift_delta: float = Field(0.002, gt=0, lt=1, description="confidence of the detector (ADWIN) in each branch")


C = TypeVar("C", bound=TreeConfig)


class TreeRecipe(Recipe[C]):
    """Rows and labels as trees take them, and the parameters all of River's trees share."""

    regularizers: ClassVar[tuple[str, ...]] = ("max_depth", "grace_period", "delta", "tau")

    def _make_encoder(self) -> ClipAndCode:
        schema = self.schema
        standardise = self.problem is Problem.REGRESSION  # the leaves of regression trees hold linear models
        return ClipAndCode(schema.numeric, schema.categorical, self.config.max_categories, standardise)

    def _make_coder(self) -> Coder:
        return coder_for(self.problem, max_classes=self.config.max_classes)

    def _parameters(self) -> dict[str, Any]:
        config = self.config
        parameters: dict[str, Any] = {
            "grace_period": config.grace_period,
            "delta": config.delta,
            "tau": config.tau,
            "max_depth": config.max_depth,
            "binary_split": True,
            "nominal_attributes": list(self.schema.categorical),
            "memory_estimate_period": NEVER,
        }
        if self.problem is Problem.REGRESSION:
            parameters["leaf_model"] = LeafRegression()
            parameters["splitter"] = tree.splitter.QOSplitter(radius=0.25)
        return parameters


class HoeffdingTree(TreeRecipe[HoeffdingTreeConfig]):
    """A Hoeffding tree with naive Bayes (classes) or linear models (numbers) in leaves where these do better."""

    def _make_estimator(self) -> Any:
        if self.problem is Problem.REGRESSION:
            return tree.HoeffdingTreeRegressor(**self._parameters())
        return tree.HoeffdingTreeClassifier(**self._parameters())


class HoeffdingAdaptiveTree(TreeRecipe[HoeffdingAdaptiveTreeConfig]):
    """A Hoeffding tree that watches the errors of each branch."""

    def _make_estimator(self) -> Any:
        adwin = drift.ADWIN(self.config.drift_delta)  # type: ignore[no-untyped-call]
        parameters = {**self._parameters(), "drift_detector": adwin, "seed": self.seed}
        if self.problem is Problem.REGRESSION:
            return tree.HoeffdingAdaptiveTreeRegressor(**parameters)
        return tree.HoeffdingAdaptiveTreeClassifier(**parameters)
