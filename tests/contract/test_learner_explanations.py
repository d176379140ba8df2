"""The laws of explanations: what a learner says that each feature contributed."""

from __future__ import annotations

import math

import pytest

from learners.base import Problem, Unit
from learners.baselines import BASELINES
from tests.contract.learner_cases import WILD, Case, law, law_of_models, rows_of, run


@law_of_models
def test_contributions_add_up_to_the_score_that_is_behind_the_output(case: Case) -> None:
    learner, rows = case.make(), rows_of(900 if case.kind != "adaptive_random_forest" else 400)
    run(learner, case, rows[:-25])
    for row, output in zip(rows[-25:], learner.predict(rows[-25:]), strict=True):
        labels = list(output) if case.problem is Problem.MULTICLASS else [None]
        explained = [learner.explain(row, label) for label in labels]
        scores = [told.score for told in explained if told is not None]
        assert len(scores) == len(labels)
        if explained[0] is not None and explained[0].unit is Unit.LOG_ODDS:
            scores = [1.0 / (1.0 + math.exp(-score)) for score in scores]
            if case.problem is Problem.MULTICLASS:
                scores = [score / math.fsum(scores) for score in scores]
        assert scores == pytest.approx(list(output.values()) if case.problem is Problem.MULTICLASS else [output])


@law_of_models
def test_contributions_are_those_of_declared_features_with_the_rows_values_largest_first(case: Case) -> None:
    learner, rows = case.make(), rows_of(600 if case.kind != "adaptive_random_forest" else 300)
    run(learner, case, rows)
    for row in rows[-25:]:
        explained = learner.explain(row)
        assert explained is not None
        sizes = [abs(one.contribution) for one in explained.contributions]
        assert sizes == sorted(sizes, reverse=True)
        assert len({one.feature for one in explained.contributions}) == len(sizes)
        assert all(row.get(one.feature) == one.value for one in explained.contributions)
        assert {one.feature for one in explained.contributions} <= {"a", "b", "c"}
        assert (explained.label is None) == (case.problem is Problem.REGRESSION)


@law_of_models
def test_the_feature_that_the_labels_follow_contributes_most(case: Case) -> None:
    learner, rows = case.make(), rows_of(900 if case.kind != "adaptive_random_forest" else 400)
    run(learner, case, rows)
    sums = dict.fromkeys("abc", 0.0)
    for row in rows[-100:]:
        explained = learner.explain(row)
        for one in explained.contributions if explained is not None else ():
            sums[one.feature] += abs(one.contribution)
    assert sums["a"] > 2 * max(sums["b"], sums["c"])


@law
def test_explaining_whatever_row_changes_nothing(case: Case) -> None:
    rows = rows_of(200)
    asked, left_alone = case.make(), case.make()
    for start in range(0, 160, 20):
        for row in [*rows[start : start + 3], *WILD]:
            explained = asked.explain(row)
            assert explained is None or math.isfinite(explained.score)
        for learner in (asked, left_alone):
            learner.learn(rows[start : start + 20], case.labels(rows[start : start + 20]))
    assert asked.predict(rows[160:]) == left_alone.predict(rows[160:])


@law
def test_what_knows_nothing_of_features_or_has_learned_nothing_explains_nothing(case: Case) -> None:
    learner, rows = case.make(), rows_of(60)
    assert learner.explain(rows[0]) is None
    learner.learn(rows, case.labels(rows))
    assert (learner.explain(rows[0]) is None) == (case.kind in BASELINES)
