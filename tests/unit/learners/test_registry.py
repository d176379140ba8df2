"""The registry, the baselines, and what the recipes promise beyond the laws."""

from __future__ import annotations

import random
from typing import Any, get_args

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from learners.base import LearnerConfig, LearnerError, Problem, Schema
from learners.baselines import baselines_for
from learners.linear import LinearRegressionConfig, LogisticConfig
from learners.registry import LEARNERS, AnyLearnerConfig, build

SCHEMA = Schema(("a",), ("c",))


class Holder(BaseModel):
    """A larger configuration with a learner in it."""

    learner: AnyLearnerConfig


def test_every_kind_has_its_configuration_in_the_union() -> None:
    configs = get_args(get_args(AnyLearnerConfig)[0])
    kinds = {get_args(config.model_fields["kind"].annotation)[0] for config in configs}
    assert kinds == set(LEARNERS)


def test_a_learner_is_chosen_by_its_kind_inside_a_larger_configuration() -> None:
    held = Holder.model_validate({"learner": {"kind": "logistic", "learning_rate": 0.1}})
    assert held.learner == LogisticConfig(learning_rate=0.1)


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValidationError, match="logistic"):
        TypeAdapter[Any](AnyLearnerConfig).validate_python({"kind": "magic"})
    with pytest.raises(LearnerError, match="got 'magic'; expected one of adaptive_random_forest, "):
        build(LearnerConfig(kind="magic"), Problem.BINARY, SCHEMA)


def test_a_recipe_that_cannot_do_the_problem_names_those_that_can() -> None:
    with pytest.raises(LearnerError, match=r"linear_regression cannot do binary problems; these can: .*logistic"):
        build(LinearRegressionConfig(), Problem.BINARY, SCHEMA)


def test_a_learner_without_features_is_refused() -> None:
    with pytest.raises(LearnerError, match="declare at least one"):
        build(LogisticConfig(), Problem.BINARY, Schema())


@pytest.mark.parametrize(
    ("problem", "names"),
    [
        (Problem.BINARY, ["majority", "last_value"]),
        (Problem.MULTICLASS, ["majority", "last_value"]),
        (Problem.REGRESSION, ["mean", "last_value"]),
    ],
)
def test_each_problem_has_its_baselines(problem: Problem, names: list[str]) -> None:
    assert [name for name, _ in baselines_for(problem)] == names


def baseline(problem: Problem, name: str) -> Any:
    return dict(baselines_for(problem))[name]


def test_the_majority_baseline_gives_the_share_of_each_class() -> None:
    binary, multiclass = baseline(Problem.BINARY, "majority"), baseline(Problem.MULTICLASS, "majority")
    binary.learn([{}] * 4, [True, False, False, False])
    multiclass.learn([{}] * 4, ["a", "b", "a", "a"])
    assert binary.predict([{}, {}]) == [0.25, 0.25]
    assert multiclass.predict([{}]) == [{"a": 0.75, "b": 0.25}]


def test_the_mean_baseline_leaves_out_what_is_not_a_number() -> None:
    mean = baseline(Problem.REGRESSION, "mean")
    mean.learn([{}] * 4, [1.0, float("nan"), 1e300, 4.0])
    assert mean.predict([{}]) == [2.5]


@pytest.mark.parametrize(
    ("problem", "labels", "output"),
    [
        (Problem.BINARY, [False, True], 1.0),
        (Problem.MULTICLASS, ["a", "b"], {"b": 1.0}),
        (Problem.REGRESSION, [1.0, 7.0, float("nan")], 7.0),
    ],
)
def test_the_last_value_baseline_repeats_the_last_usable_label(
    problem: Problem, labels: list[Any], output: Any
) -> None:
    last = baseline(problem, "last_value")
    last.learn([{}] * len(labels), labels)
    assert last.predict([{}]) == [output]


def test_linear_regression_is_not_thrown_off_by_a_target_of_huge_size_or_a_wild_row() -> None:
    learner = build(LinearRegressionConfig(), Problem.REGRESSION, Schema(("a", "b")))
    chance = random.Random(2)
    for turn in range(3000):
        a = chance.gauss(0, 1)
        learner.learn([{"a": a if turn % 100 != 99 else 1e20, "b": chance.gauss(0, 1)}], [1e12 + 1e9 * a])
    low, high = learner.predict([{"a": -1.0, "b": 0.0}, {"a": 1.0, "b": 0.0}])
    assert high - low > 1e9


def test_logistic_regression_tells_categories_apart() -> None:
    learner = build(LogisticConfig(), Problem.BINARY, Schema((), ("c",)))
    rows = [{"c": "xy"[turn % 2]} for turn in range(600)]
    learner.learn(rows, [row["c"] == "x" for row in rows])
    x, y, unseen = learner.predict([{"c": "x"}, {"c": "y"}, {"c": "new"}])
    assert x > 0.6 > unseen > 0.4 > y
