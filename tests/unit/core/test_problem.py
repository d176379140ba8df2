"""Judging outputs: decisions, losses, errors and scores, held against scikit-style definitions computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream.core.costs import CostMatrix
from stream.core.outcomes import Sample
from stream.core.problem import SCALE_LABELS, BinaryJudge, MulticlassJudge, RegressionJudge


def test_binary_scores_are_those_of_the_textbook() -> None:
    judge = BinaryJudge(threshold=0.5, absolute=False)
    outputs, labels = [0.9, 0.8, 0.4, 0.3, 0.2], [True, False, True, False, False]

    scores = judge.scores(outputs, labels)

    assert scores["accuracy"] == pytest.approx(3 / 5)
    assert scores["f1"] == pytest.approx(2 * 1 / (2 + 2))
    assert scores["roc_auc"] == pytest.approx(5 / 6)  # of six pairs one is in the wrong order
    assert scores["brier"] == pytest.approx((0.01 + 0.64 + 0.36 + 0.09 + 0.04) / 5)
    expected = -(math.log(0.9) + math.log(0.2) + math.log(0.4) + math.log(0.7) + math.log(0.8)) / 5
    assert scores["log_loss"] == pytest.approx(expected)


def test_ties_count_half_in_roc_auc() -> None:
    scores = BinaryJudge(0.5, absolute=False).scores([0.5, 0.5], [True, False])

    assert scores["roc_auc"] == pytest.approx(0.5)


def test_a_run_of_ties_counts_half_for_each_pair_in_roc_auc() -> None:
    outputs, labels = [0.9, 0.4, 0.4, 0.4, 0.1], [True, True, False, False, True]

    scores = BinaryJudge(0.5, absolute=False).scores(outputs, labels)

    assert scores["roc_auc"] == pytest.approx((2 + 2 * 0.5) / 6)  # of six pairs two are in order, two are ties


def test_a_score_that_the_window_cannot_give_is_left_out() -> None:
    scores = BinaryJudge(0.5, absolute=False).scores([0.1, 0.2], [False, False])

    assert "roc_auc" not in scores
    assert "f1" not in scores


def test_a_certain_and_wrong_prediction_has_a_finite_log_loss() -> None:
    assert math.isfinite(BinaryJudge(0.5, absolute=False).scores([0.0, 1.0], [True, False])["log_loss"])


def test_the_threshold_decides() -> None:
    judge = BinaryJudge(threshold=0.2, absolute=False)

    assert judge.answers([0.2, 0.0]) == [(True, {"true": 0.2, "false": 0.8}), (False, {"true": 0.0, "false": 1.0})]
    assert judge.errors([0.25, 0.25], [True, False]) == [0.0, 1.0]


def test_absolute_errors_tell_how_far_from_the_truth() -> None:
    assert BinaryJudge(0.5, absolute=True).errors([0.75, 0.75], [True, False]) == [0.25, 0.75]
    assert MulticlassJudge(absolute=True).errors([{"a": 0.75, "b": 0.25}], ["b"]) == [0.75]


def test_a_class_never_seen_is_an_error_not_a_crash() -> None:
    judge = MulticlassJudge(absolute=False)

    assert judge.answers([{}]) == [(None, {})]
    assert judge.errors([{}], ["a"]) == [1.0]
    assert judge.losses([{}], ["a"]) == [1.0]
    assert judge.scores([{}, {"a": 1.0}], ["a", "a"])["accuracy"] == 0.5


def test_multiclass_loss_is_the_brier_score() -> None:
    loss = MulticlassJudge(absolute=False).losses([{"a": 0.5, "b": 0.3, "c": 0.2}], ["a"])[0]

    assert loss == pytest.approx(0.25 + 0.09 + 0.04)


def test_regression_errors_wait_until_their_scale_is_known() -> None:
    judge = RegressionJudge(scale=None)

    early = judge.errors([1.0] * SCALE_LABELS, [0.0] * SCALE_LABELS)
    late = judge.errors([2.0, 100.0], [0.0, 0.0])

    assert early == []
    assert late == [0.5, 1.0]  # four times the usual error of 1 counts as 1, and so does anything beyond


def test_a_regression_without_error_at_first_still_gets_a_scale() -> None:
    judge = RegressionJudge(scale=None)
    judge.errors([0.0] * SCALE_LABELS, [0.0] * SCALE_LABELS)

    assert judge.errors([0.5], [0.0]) == [0.5]


def test_regression_scores() -> None:
    scores = RegressionJudge(None).scores([1.0, 3.0], [0.0, 0.0])

    assert scores == {"mae": 2.0, "rmse": pytest.approx(math.sqrt(5.0))}


def test_recall_and_precision_of_both_classes_are_those_of_the_stream_not_of_what_was_kept() -> None:
    sample = Sample([True, True, False, False], [0.9, 0.2, 0.8, 0.1], np.array([0.01, 0.01, 0.49, 0.49]))

    scores = BinaryJudge(0.5, absolute=False).scores_by_class(sample)

    assert scores["true"] == {"recall": 0.5, "precision": pytest.approx(0.01 / 0.5), "support": 2.0}
    assert scores["false"] == {"recall": 0.5, "precision": pytest.approx(0.49 / 0.5), "support": 2.0}


def test_a_class_that_was_never_said_has_a_recall_and_no_precision() -> None:
    sample = Sample(["a", "b"], [{"a": 1.0}, {}], np.array([1.0, 1.0]))

    scores = MulticlassJudge(absolute=False).scores_by_class(sample)

    assert scores == {
        "a": {"recall": 1.0, "precision": 1.0, "support": 1.0},
        "b": {"recall": 0.0, "support": 1.0},
    }


def test_the_area_under_the_precision_recall_curve_counts_labels_by_their_weight() -> None:
    sample = Sample([True, False, True], [0.9, 0.8, 0.7], np.array([1.0, 3.0, 1.0]))

    scores = BinaryJudge(0.5, absolute=False).scores_of_rare(sample)

    assert scores == {"pr_auc": pytest.approx((1 / 1 + 2 / 5) / 2)}


def test_the_expected_cost_is_that_of_a_decision() -> None:
    costs = CostMatrix({"true": {"false": 10}})
    binary = Sample([True, False, False], [0.4, 0.9, 0.1], np.array([1.0, 1.0, 2.0]))
    several = Sample(["true", "other"], [{"other": 1.0}, {"other": 1.0}], np.array([1.0, 1.0]))

    assert BinaryJudge(0.5, False, costs).scores_of_rare(binary)["expected_cost"] == pytest.approx(
        (10 * 0 + 10 + 1) / 4
    )
    assert MulticlassJudge(False, costs).scores_of_rare(several) == {"expected_cost": pytest.approx((1 + 0) / 2)}


def test_regression_has_no_classes_to_score() -> None:
    sample = Sample([1.0], [1.0], np.array([1.0]))

    assert RegressionJudge(None).scores_of_rare(sample) == {}
    assert RegressionJudge(None).scores_by_class(sample) == {}
