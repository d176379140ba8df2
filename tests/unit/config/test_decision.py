"""Decisions in a configuration: what goes together, and what is refused with its place and cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.config.load import load
from stream.errors import ConfigError
from tests.unit.config.shop import SHOP

MODEL = "model: {name: m, problem: binary, learner: {kind: logistic}}"


def problem(folder: Path, model: str) -> str:
    path = folder / "service.yaml"
    assert MODEL in SHOP
    path.write_text(SHOP.replace(MODEL, f"model: {{name: m, {model}}}"))
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return str(caught.value).replace(f"{folder}/", "").partition(": ")[2]


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        ("{}", "model.decision: expected costs, tune or both; without either, remove the section."),
        (
            "{costs: {fraud: {good: 4}}}",
            (
                "model.decision.costs: got 'fraud'; the classes of a binary problem are true and false (in quotes), "
                "whatever the texts of its labels."
            ),
        ),
        ("{costs: {true: {good: 4}}}", "the key true is not text: put it in quotes."),
        (
            '{costs: {"true": {"true": 4}}}',
            (
                "model.decision.costs: where true is right, saying false costs 1 and saying true 4; expected the "
                "mistake to cost more."
            ),
        ),
        (
            '{costs: {"true": {"false": -1}}}',
            "model.decision.costs.true.false: got -1; expected a number of at least 0.",
        ),
    ],
)
def test_decisions_that_make_no_sense_are_refused(tmp_path: Path, decision: str, told: str) -> None:
    assert problem(tmp_path, f"problem: binary, learner: {{kind: logistic}}, decision: {decision}") == told


def test_a_threshold_beside_costs_is_refused(tmp_path: Path) -> None:
    told = problem(
        tmp_path,
        'problem: binary, learner: {kind: logistic}, threshold: 0.2, decision: {costs: {"true": {"false": 4}}}',
    )

    assert told == "model: `threshold` and `decision.costs` both say when a prediction is true; remove one."


def test_decisions_are_refused_where_there_are_no_classes(tmp_path: Path) -> None:
    told = problem(tmp_path, "problem: regression, learner: {kind: linear_regression}, decision: {tune: f_beta}")

    assert told == "model: `decision` is for classes; this problem is regression: remove it."


def test_several_classes_have_no_threshold_to_tune(tmp_path: Path) -> None:
    told = problem(tmp_path, "problem: multiclass, learner: {kind: logistic}, decision: {tune: f_beta}")

    assert told == "model.decision.tune: only binary problems have a threshold; remove it, or give costs."


def test_balancing_numbers_is_refused(tmp_path: Path) -> None:
    learner = "{kind: linear_regression, imbalance: {under_sample: 0.1}}"
    told = problem(tmp_path, f"problem: regression, learner: {learner}")

    assert told == "model.learner.imbalance: numbers have no classes to balance; remove it."


def test_weights_of_a_binary_problem_go_by_true_and_false(tmp_path: Path) -> None:
    learner = "{kind: logistic, imbalance: {class_weights: {fraud: 10}}}"
    told = problem(tmp_path, f"problem: binary, learner: {learner}")

    assert told == (
        "model.learner.imbalance.class_weights: got 'fraud'; the classes of a binary problem are true and false, "
        "whatever the texts of its labels."
    )
