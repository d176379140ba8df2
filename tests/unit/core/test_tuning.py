"""Decisions by cost, and thresholds that are chosen from recent labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stream.config.decision import DecisionConfig
from stream.core.costs import CostMatrix
from stream.core.engine import Engine
from stream.core.outcomes import Sample
from stream.core.tuning import best_threshold
from stream.records import Prediction, Swap
from stream.testing import drive, event, label, small_config
from tests.unit.core.streams import predictions, stream

# From the likeliest on: true, true, false, true, false, false, false, true.
OUTPUTS = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
LABELS = [True, True, False, True, False, False, False, True]


def threshold(outputs: list[float] = OUTPUTS, labels: list[bool] = LABELS, **decision: Any) -> float:
    config = DecisionConfig(**decision)
    return best_threshold(Sample(labels, outputs, np.ones(len(labels))), config, CostMatrix(config.costs))


def engine_with(decision: dict[str, Any] | None, **model: Any) -> Engine:
    return Engine(small_config({"model": {**model, "decision": decision}}), partition=0)


def test_the_threshold_of_two_costs_is_where_both_choices_cost_the_same() -> None:
    costs = CostMatrix({"true": {"false": 99}, "false": {"true": 1}})

    assert costs.threshold == pytest.approx(0.01)


def test_costs_that_are_not_given_are_one_for_a_mistake_and_none_for_what_is_right() -> None:
    assert CostMatrix({}).threshold == 0.5


def test_what_being_right_costs_counts_too() -> None:
    costs = CostMatrix({"true": {"false": 10, "true": 2}, "false": {"true": 2}})  # a look costs 2, fraud or not

    assert costs.threshold == pytest.approx(2 / 10)


def test_of_several_classes_the_one_that_costs_least_on_average_is_said() -> None:
    costs = CostMatrix({"fire": {"smoke": 5, "none": 100}})

    assert costs.cheapest({"fire": 0.05, "smoke": 0.35, "none": 0.6}) == "smoke"
    assert costs.cheapest({}) is None


def test_a_dear_miss_lowers_the_threshold_and_a_dear_alarm_raises_it() -> None:
    assert threshold(tune="cost", costs={"true": {"false": 10}}) == pytest.approx(0.1)  # all four, at four alarms
    assert threshold(tune="cost", costs={"false": {"true": 10}}) == pytest.approx(0.75)


def test_the_best_f_score_is_found() -> None:
    assert threshold(tune="f_beta") == pytest.approx(0.55)  # three of four, one alarm: 6/8; two without: 4/6


def test_a_precision_is_reached_with_the_most_recall() -> None:
    assert threshold(tune="precision", target=0.75) == pytest.approx(0.55)
    assert threshold(tune="precision", target=0.9) == pytest.approx(0.75)


def test_a_recall_is_reached_with_the_most_precision() -> None:
    assert threshold(tune="recall", target=0.75) == pytest.approx(0.55)
    assert threshold(tune="recall", target=1.0) == pytest.approx(0.1)


def test_a_precision_out_of_reach_gives_the_highest_there_is() -> None:
    assert threshold([0.9, 0.5, 0.4], [False, True, True], tune="precision", target=0.9) == pytest.approx(0.2)


def test_when_nothing_is_worth_an_alarm_the_threshold_is_above_all_outputs() -> None:
    assert threshold([0.6, 0.4], [False, True], tune="cost", costs={"false": {"true": 10}}) == pytest.approx(0.8)


def test_equal_outputs_are_decided_alike() -> None:
    assert threshold([0.5, 0.5, 0.1], [True, False, False], tune="f_beta") == pytest.approx(0.3)


def test_costs_decide_and_the_threshold_is_told_with_each_prediction() -> None:
    engine = engine_with({"costs": {"true": {"false": 9}}})

    _, *told = predictions(drive(engine, stream(200)))

    assert {one.threshold for one in told} == {0.1}
    assert all(one.prediction == (probability(one) >= 0.1) for one in told)
    assert any(0.1 <= probability(one) < 0.5 for one in told)


@pytest.mark.parametrize("inline", [False, True])
def test_nothing_is_said_to_be_true_before_the_model_has_learned_from_a_label(inline: bool) -> None:
    engine = engine_with({"costs": {"true": {"false": 9}}})
    unlabelled = [event(n, {"x": 1.0}) for n in range(5)]
    first = [event(5, {"x": 1.0}, inline=True)] if inline else [event(5, {"x": 1.0}), label(5, True)]

    told = predictions(drive(engine, [*unlabelled, *first, event(6, {"x": 1.0})]))

    assert [(one.prediction, one.threshold) for one in told] == [(False, 1.0)] * 6 + [(True, 0.1)]
    assert probability(told[0]) == 0.5


def test_a_model_that_learned_elsewhere_decides_at_once_and_one_that_did_not_waits() -> None:
    engine, other = (engine_with({"costs": {"true": {"false": 9}}}) for _ in range(2))
    untaught = other.state.champion.fresh(2)
    drive(other, stream(100))
    threshold = []
    for version, learner in enumerate((untaught, other.state.champion, untaught), 1):
        engine.command(Swap(learner, version, "promoted"), 0.0)
        threshold.append(engine.state.judge.threshold)

    assert threshold == [1.0, 0.1, 1.0]


def test_the_usual_threshold_decides_from_the_first_event_on() -> None:
    (told,) = predictions(drive(engine_with(None), [event(0, {"x": 1.0})]))

    assert (told.prediction, told.threshold) == (True, 0.5)


def test_the_threshold_is_chosen_at_the_stated_labels_and_no_earlier_than_positives_are_known() -> None:
    engine = engine_with({"tune": "recall", "target": 0.9, "every": 40, "min_positives": 50})

    told = [one.threshold for one in predictions(drive(engine, stream(400)))]

    changes = [number for number in range(1, 400) if told[number] != told[number - 1]]
    assert changes
    assert all(number % 40 == 0 for number in changes)
    assert set(told[:80]) == {0.5}


def test_a_tuned_recall_is_reached_where_the_usual_threshold_does_not() -> None:
    def missed(decision: dict[str, Any] | None) -> float:
        engine = engine_with(decision, threshold=0.9)
        drive(engine, stream(1500))
        return 1.0 - engine.state.scores.by_class(engine.state.judge)["true"]["recall"]

    assert missed({"tune": "recall", "target": 0.95}) <= 0.06 < 0.2 < missed(None)


def test_multiclass_decisions_go_by_costs_and_have_no_threshold() -> None:
    engine = engine_with({"costs": {"True": {"False": 50}}}, problem="multiclass", learner={"kind": "logistic"})
    events = stream(300)

    told = predictions(drive(engine, [_named(record) for record in events]))

    assert {one.threshold for one in told} == {None}
    likeliest = [one for one in told if one.probabilities and one.prediction == max_of(one.probabilities)]
    assert 0 < len(likeliest) < len(told) - 10


def _named(record: Any) -> Any:
    return type(record)(record.id, str(record.label), record.timestamp, record.offset) if _is_label(record) else record


def _is_label(record: Any) -> bool:
    return not hasattr(record, "features")


def max_of(probabilities: dict[str, float]) -> str:
    return max(probabilities, key=probabilities.__getitem__)


def probability(prediction: Prediction) -> float:
    assert prediction.probabilities is not None
    return prediction.probabilities["true"]
