"""Every registered learner with every problem it can do, and rows that are ordinary and wild, for the laws."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pytest
from pydantic import TypeAdapter
from river import compose, linear_model, tree

from learners.base import Learner, LearnerConfig, Output, Problem, Row, Schema, Target
from learners.baselines import BASELINES
from learners.foreign import adopt
from learners.prepare import ScaleAndFlag
from learners.registry import LEARNERS, AnyLearnerConfig, build

SCHEMA = Schema(numeric=("a", "b"), categorical=("c",))
CLASSES = ("low", "middle", "high")

LAST_STEP: dict[Problem, dict[str, Any]] = {
    Problem.BINARY: {"use": "river.linear_model.LogisticRegression"},
    Problem.MULTICLASS: {"use": "river.tree.HoeffdingTreeClassifier", "with": {"grace_period": 50}},
    Problem.REGRESSION: {"use": "river.linear_model.LinearRegression", "with": {"intercept_lr": 0.1}},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "adaptive_random_forest": {"n_models": 2, "resampling": 2},
    "hoeffding_adaptive_tree": {"grace_period": 50},
    "hoeffding_tree": {"grace_period": 50},
    "linear_regression": {},
    "logistic": {},
    "prototypes": {"background": 1000, "half_life": 200},
}
IMBALANCE: dict[str, Any] = {"under_sample": 0.8, "over_sample": 0.3, "recent": 20}
"""Put on one recipe of each unit of scores: log-odds, and shares in the leaves of a tree."""


FOREIGN = "foreign"
"""A River pipeline that was made elsewhere, but with an encoder of ours, which takes any row; still untrained."""


def foreign(problem: Problem) -> Any:
    """What a notebook would make for a problem."""
    last: dict[Problem, Any] = {
        Problem.BINARY: linear_model.LogisticRegression(),
        Problem.MULTICLASS: tree.HoeffdingTreeClassifier(grace_period=50),
        Problem.REGRESSION: linear_model.LinearRegression(intercept_lr=0.1),
    }
    return compose.Pipeline(ScaleAndFlag(SCHEMA.numeric, SCHEMA.categorical), last[problem])


class Case(NamedTuple):
    """A learner and a problem it can do."""

    kind: str
    problem: Problem
    imbalance: bool = False

    def make(self, seed: int = 1, **more: Any) -> Learner[Any]:
        if self.kind == FOREIGN:
            return adopt(foreign(self.problem), self.problem, SCHEMA, seed=seed).fresh(seed)
        if self.kind in BASELINES:
            made, baseline = BASELINES[self.kind]
            return made(baseline, self.problem, SCHEMA, seed)
        steps = [{"use": "learners.ScaleAndFlag", "with": {}}, LAST_STEP[self.problem]]
        settings: dict[str, Any] = {"pipeline": steps} if self.kind == "river" else {**SETTINGS[self.kind], **more}
        if self.imbalance:
            weights = {"true": 2.5} if self.problem is Problem.BINARY else {"low": 1.5}
            settings["imbalance"] = IMBALANCE | {"class_weights": weights}
        config: LearnerConfig = TypeAdapter(AnyLearnerConfig).validate_python({"kind": self.kind, **settings})
        return build(config, self.problem, SCHEMA, seed)

    def labels(self, rows: Iterable[Row]) -> list[Target]:
        """Labels that follow feature `a` of the rows."""
        values: list[Any] = [row["a"] for row in rows]
        if self.problem is Problem.BINARY:
            return [a > 0.3 for a in values]
        if self.problem is Problem.MULTICLASS:
            return [CLASSES[(a > -0.4) + (a > 0.6)] for a in values]
        return [100.0 * a + 7.0 for a in values]

    def loss(self, outputs: Sequence[Output], labels: Sequence[Any]) -> float:
        """Mean error: share of wrong classes, or absolute error."""
        errors: list[Any]
        if self.problem is Problem.BINARY:
            errors = [(output >= 0.5) != label for output, label in zip(outputs, labels, strict=True)]
        elif self.problem is Problem.MULTICLASS:
            errors = [max(o, key=o.get, default=None) != label for o, label in zip(outputs, labels, strict=True)]
        else:
            errors = [abs(output - label) for output, label in zip(outputs, labels, strict=True)]
        return float(sum(errors) / len(errors))


CASES = [
    Case(kind, problem)
    for kind, made in {**LEARNERS, **{kind: made for kind, (made, _) in BASELINES.items()}}.items()
    for problem in Problem
    if problem in made.problems
]
CASES += [
    Case(kind, problem, imbalance=True)
    for kind in ("hoeffding_tree", "logistic")
    for problem in (Problem.BINARY, Problem.MULTICLASS)
]
CASES += [Case(FOREIGN, problem) for problem in Problem]


def name_of(case: Case) -> str:
    return f"{case.kind}-{case.problem.value}{'-rebalanced' if case.imbalance else ''}"


law = pytest.mark.parametrize("case", CASES, ids=name_of)
law_of_models = pytest.mark.parametrize("case", [c for c in CASES if c.kind in LEARNERS], ids=name_of)


def rows_of(n: int, seed: int = 7) -> list[Row]:
    """Ordinary rows; every tenth or so lacks a feature."""
    chance = random.Random(seed)
    rows: list[Row] = []
    for _ in range(n):
        row: dict[str, Any] = {"a": chance.gauss(0, 1), "b": chance.gauss(50, 20), "c": chance.choice("xyz")}
        if chance.random() < 0.1:
            row[chance.choice("bc")] = None
        rows.append(row)
    return rows


WILD: list[Any] = [
    {},
    {"a": None, "b": None, "c": None},
    {"a": math.nan, "b": math.inf, "c": math.nan},
    {"a": -math.inf, "b": math.nan, "c": 3.5},
    {"a": 1e308, "b": -1e308, "c": "never seen"},
    {"a": 10**400, "b": -(10**400), "c": 10**9},
    {"a": "text", "b": "7", "c": True},
    {"a": [1], "b": {"x": 1}, "c": ["x"]},
    {"a": True, "b": 5e-324, "c": ""},
    {"a": 1.0, "b": 2.0, "c": "x" * 100_000, "more": "ignored", "still more": math.nan},
]


def run(learner: Learner[Any], case: Case, rows: Sequence[Row], span: int = 25) -> list[Output]:
    """Predict, then learn, span by span."""
    outputs: list[Output] = []
    for start in range(0, len(rows), span):
        part = rows[start : start + span]
        outputs += learner.predict(part)
        learner.learn(part, case.labels(part))
    return outputs
