"""Scores taken apart, held against what can be worked out by hand."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from river import compose, forest, linear_model, multiclass, naive_bayes, preprocessing, tree

from learners.base import Contribution, Problem, Row, Schema, Unit
from learners.contributions import take_apart
from learners.linear import LogisticConfig
from learners.registry import build
from learners.river_pipeline import RiverConfig

Pairs = list[tuple[dict[str, float], Any]]


def stream(n: int, seed: int = 1, turned: bool = False) -> Pairs:
    """Two numbers, and whether the first is over a half (turned: under it), one in twenty being wrong."""
    chance = random.Random(seed)
    pairs: Pairs = []
    for _ in range(n):
        x = {"a": chance.random(), "b": chance.random()}
        pairs.append((x, ((x["a"] > 0.5) != turned) != (chance.random() < 0.05)))
    return pairs


def learned(estimator: Any, pairs: Pairs) -> Any:
    for x, y in pairs:
        estimator.learn_one(x, y)
    return estimator


def test_a_linear_score_is_weights_times_values_beside_the_intercept() -> None:
    model = learned(linear_model.LogisticRegression(), stream(300))
    weights = model.weights

    parts = take_apart(model, {"a": 2.0, "b": -1.0, "never seen": 9.0}, True)

    assert parts == (Unit.LOG_ODDS, model.intercept, {"a": 2.0 * weights["a"], "b": -weights["b"]})


def test_a_split_gets_the_change_from_the_share_before_it_to_the_share_after() -> None:
    model = learned(tree.HoeffdingTreeClassifier(grace_period=100, leaf_prediction="mc"), stream(1500))
    root = model._root
    before = root.stats[True] / sum(root.stats.values())

    parts = take_apart(model, {"a": 0.9, "b": 0.5}, True)

    assert parts is not None
    assert root.feature == "a"
    assert parts.base == pytest.approx(before)
    assert set(parts.shares) == {"a"}
    assert parts.score == model.predict_proba_one({"a": 0.9, "b": 0.5})[True]


def test_the_mean_along_the_path_of_a_regression_tree_belongs_to_its_splits() -> None:
    model: Any = tree.HoeffdingTreeRegressor(grace_period=100, leaf_prediction="mean")
    learned(model, [(x, 10.0 * (x["a"] > 0.5) + 3.0 * (x["b"] > 0.5)) for x, _ in stream(3000)])

    parts = take_apart(model, {"a": 0.9, "b": 0.9}, None)

    assert parts is not None
    assert parts.base == pytest.approx(6.5, abs=0.5)
    assert parts.shares["a"] == pytest.approx(5.0, abs=1.0)
    assert parts.shares["b"] == pytest.approx(1.5, abs=1.0)
    assert parts.score == pytest.approx(model.predict_one({"a": 0.9, "b": 0.9}))


def test_of_two_classes_naive_bayes_is_shared_in_proportion_to_the_log_odds_each_feature_adds() -> None:
    model = learned(tree.HoeffdingTreeClassifier(grace_period=10_000, leaf_prediction="nb"), stream(400))
    leaf, x = model._root, {"a": 0.4, "b": 0.1}
    odds = {f: leaf.splitters[f].cond_log_proba(x[f], True) - leaf.splitters[f].cond_log_proba(x[f], False) for f in x}
    share = leaf.stats[True] / sum(leaf.stats.values())
    step = model.predict_proba_one(x)[True] - share

    parts = take_apart(model, x, True)

    assert parts is not None
    assert parts.base == pytest.approx(share, abs=1e-4)
    for name, added in odds.items():
        assert parts.shares[name] == pytest.approx(step * added / sum(odds.values()), abs=1e-4)


def test_of_several_classes_what_speaks_for_one_speaks_against_the_others() -> None:
    model = tree.HoeffdingTreeClassifier(grace_period=10_000, leaf_prediction="nb")
    learned(model, [(x, math.floor(3 * x["a"])) for x, _ in stream(600)])
    x = {"a": 0.9, "b": 0.5}

    parts = [take_apart(model, x, label) for label in (0, 1, 2)]

    shares = [part.shares["a"] for part in parts if part is not None]
    assert shares[2] > 0.5
    assert max(shares[:2]) < 0
    assert sum(shares) == pytest.approx(0.0, abs=1e-9)


def test_a_forest_is_the_mean_of_its_trees_by_the_weights_of_their_votes() -> None:
    model = learned(forest.ARFClassifier(n_models=3, leaf_prediction="mc", seed=1), stream(600))
    x = {"a": 0.9, "b": 0.2}
    votes = [metric.get() for metric in model._metrics]
    trees = [take_apart(one, x, True) for one in model]

    parts = take_apart(model, x, True)

    assert parts is not None
    assert parts.base == pytest.approx(
        sum(vote * one.base for vote, one in zip(votes, trees, strict=True) if one) / sum(votes)
    )
    assert parts.score == pytest.approx(model.predict_proba_one(x)[True])


def test_an_adaptive_tree_with_an_alternate_branch_is_taken_apart_with_it() -> None:
    model = learned(tree.HoeffdingAdaptiveTreeClassifier(grace_period=100, seed=1), stream(2000))
    turned = iter(stream(300, seed=2, turned=True))
    while model._root._alternate_tree is None:
        model.learn_one(*next(turned))
    x = {"a": 0.9, "b": 0.2}

    parts = take_apart(model, x, True)

    assert parts is not None
    assert parts.score == pytest.approx(model.predict_proba_one(x)[True])


@pytest.mark.parametrize(
    "model",
    [
        naive_bayes.GaussianNB(),  # type: ignore[no-untyped-call]
        forest.ARFRegressor(n_models=3, aggregation_method="median", seed=1),
        forest.ARFRegressor(n_models=3, disable_weighted_vote=False, seed=1),
        tree.HoeffdingTreeRegressor(
            leaf_prediction="model",
            leaf_model=linear_model.PARegressor(),  # type: ignore[no-untyped-call]
        ),
    ],
    ids=["of no known kind", "a median", "weighted by errors", "with leaves of no known kind"],
)
def test_what_the_parts_would_not_add_up_to_is_not_taken_apart(model: Any) -> None:
    is_classifier = hasattr(model, "predict_proba_one")
    learned(model, [(x, y if is_classifier else 5.0 + x["a"] + y) for x, y in stream(400)])

    assert take_apart(model, {"a": 0.9, "b": 0.2}, True if is_classifier else None) is None


def test_a_pipeline_within_each_class_of_several_is_taken_apart() -> None:
    inner: Any = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    model = compose.Pipeline(multiclass.OneVsRestClassifier(inner))
    learned(model, [(x, math.floor(3 * x["a"])) for x, _ in stream(300)])
    x = {"a": 0.9, "b": 0.2}

    parts = take_apart(model, x, 2)

    assert parts is not None
    assert parts.unit is Unit.LOG_ODDS
    assert parts.shares["a"] > 0.5


def test_flags_of_categories_and_of_missing_values_count_for_their_features() -> None:
    learner = build(LogisticConfig(max_categories=1), Problem.BINARY, Schema(("a",), ("c", "c=x")))
    rows: list[Row] = [
        {"a": None, "c": "x=y", "c=x": None},
        {"a": 1.0, "c": "one too many", "c=x": "z"},
        {"a": 2.0, "c": None, "c=x": "z"},
    ]
    learner.learn(rows * 50, [True, False, True] * 50)

    told = [learner.explain(row) for row in rows]

    for explained, row in zip(told, rows, strict=True):
        assert explained is not None
        assert {one.feature: one.value for one in explained.contributions} == row


def test_what_a_pipeline_made_of_features_stands_under_its_own_name() -> None:
    steps = [
        {"use": "river.feature_extraction.PolynomialExtender", "with": {"degree": 2}},
        {"use": "river.linear_model.LogisticRegression"},
    ]
    learner = build(RiverConfig.model_validate({"pipeline": steps}), Problem.BINARY, Schema(("a", "b")))
    pairs = stream(50)
    learner.learn([x for x, _ in pairs], [y for _, y in pairs])

    explained = learner.explain({"a": 0.5, "b": 3.0})

    assert explained is not None
    found = {one.feature: one for one in explained.contributions}
    assert isinstance(found["a*b"], Contribution)
    assert found["a*b"].value == 1.5
    assert found["a"].value == 0.5


def test_a_class_that_was_never_seen_is_not_explained() -> None:
    learner = build(LogisticConfig(), Problem.MULTICLASS, Schema(("a", "b")))
    pairs = stream(50)
    learner.learn([x for x, _ in pairs], [str(y) for _, y in pairs])

    assert learner.explain({"a": 1.0}, "True") is not None
    assert learner.explain({"a": 1.0}, "unheard of") is None
