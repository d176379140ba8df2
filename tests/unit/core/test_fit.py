"""A model that learns by heart, and one no better than a baseline, are told once; one that generalises is not."""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from learners.base import Learner, LearnerConfig, Output, Problem, Row, Schema, Target
from stream.core.curve import MOST, Curve, Point
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.core.fit import BLOCKS, SAMPLE
from stream.core.scores import BLOCK
from stream.records import Alert, Effect, Span, Swap
from stream.testing import event, small_config
from tests.unit.core.streams import alerts

NOW = 1e9


class Parrot(Learner[LearnerConfig]):
    """Says of a row that it has learned its label, of another what it is told to."""

    def __init__(self, otherwise: float) -> None:
        super().__init__(LearnerConfig(kind="parrot"), Problem.BINARY, Schema(("x",)))
        self.otherwise = otherwise
        self.forgets = False
        self.asked = 0
        self._known: dict[Any, float] = {}

    @property
    def learned(self) -> bool:
        return True

    def predict(self, rows: Sequence[Row]) -> list[Output]:
        self.asked += len(rows)
        return [self._known.get(row["x"], self.otherwise) for row in rows]

    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        if not self.forgets:
            self._known |= {row["x"]: float(label) for row, label in zip(rows, labels, strict=True)}


def engine(learner: Learner[Any] | None = None, **overrides: Any) -> Engine:
    made = Engine(small_config({"adaptation": {"policy": "keep_learning"}, **overrides}), 0)
    if learner is not None:
        made.state.champion = learner
    return made


def learned(engine: Engine, n: int, *, start: int = 0, share: float = 0.5, size: int = 100) -> list[Alert]:
    """What is told of fit while so many events come, whose labels have nothing to do with them."""
    rng = random.Random(start)
    effects: list[Effect] = []
    for first in range(start, start + n, size):
        some = [event(i, {"x": float(i)}, inline=rng.random() < share) for i in range(first, first + size)]
        effects += engine.process(Span(some, [], [], NOW), NOW)
    return alerts(effects, "performance")


def named(told: list[Alert], detector: str) -> list[Alert]:
    return [alert for alert in told if alert.detector == detector]


ENOUGH = BLOCK * BLOCKS


def test_a_model_that_learns_by_heart_is_told_once_with_the_loss_before_and_after() -> None:
    under_test = engine(Parrot(0.5))

    (alert,) = named(learned(under_test, 2 * ENOUGH), "overfit")

    assert (alert.state, alert.severity, alert.direction, alert.offset) == ("open", "warning", "worse", ENOUGH - 1)
    assert (alert.before, alert.after, alert.effect) == (0.25, 0.0, 1.0)
    assert (alert.statistic, alert.threshold) == (1.0, 0.5)


def test_a_model_that_no_longer_learns_by_heart_is_told_of() -> None:
    parrot = Parrot(0.5)
    under_test = engine(parrot)
    (begun,) = named(learned(under_test, ENOUGH), "overfit")
    parrot.forgets = True

    (over,) = named(learned(under_test, 2 * ENOUGH, start=ENOUGH), "overfit")

    assert (over.state, over.severity, over.incident) == ("recovered", "info", begun.id)


def test_what_keeps_the_model_from_learning_by_heart_is_named() -> None:
    under_test = engine()
    assert under_test.state.fit.report(under_test.state.models)["champion"].regularization == {
        "l2": 1e-4,
        "learning_rate": 0.01,
    }


def test_a_model_that_is_worse_than_a_baseline_is_told_once() -> None:
    (alert,) = named(learned(engine(Parrot(0.9), fit={"gap": 1.0}), 2 * ENOUGH), "underfit")

    assert (alert.state, alert.direction, alert.offset) == ("open", "worse", ENOUGH - 1)
    assert alert.detail == "no better than majority, which knows no features"
    assert alert.before == pytest.approx(0.25, abs=0.01)
    assert alert.after == pytest.approx(0.41, abs=0.02)


def test_that_a_model_beats_the_baselines_again_is_told() -> None:
    parrot = Parrot(0.9)
    under_test = engine(parrot, fit={"gap": 1.0})
    (begun,) = named(learned(under_test, ENOUGH, share=0.5), "underfit")
    parrot.otherwise = 0.1

    (over,) = named(learned(under_test, 3 * ENOUGH, start=ENOUGH, share=0.1), "underfit")

    assert (over.state, over.incident) == ("recovered", begun.id)


def test_a_model_that_generalises_is_not_told_of() -> None:
    rng = random.Random(5)
    under_test = engine()
    effects: list[Effect] = []
    for first in range(0, 2 * ENOUGH, 500):
        xs = [rng.uniform(-1, 1) for _ in range(500)]
        some = [event(first + i, {"x": x}, inline=(x > 0) != (rng.random() < 0.2)) for i, x in enumerate(xs)]
        effects += under_test.process(Span(some, [], [], NOW), NOW)

    assert alerts(effects, "performance") == []


def test_where_a_class_is_too_rare_its_loss_is_no_ground_for_an_alert() -> None:
    rare = learned(engine(Parrot(0.1), fit={"gap": 1.0}), ENOUGH, share=0.01)
    common = learned(engine(Parrot(0.3), fit={"gap": 1.0}), ENOUGH, share=0.05)

    assert (rare, [alert.detector for alert in common]) == ([], ["underfit"])


def test_one_event_in_ten_is_predicted_once_more_and_without_the_section_none() -> None:
    asked = []
    for overrides in ({}, {"fit": None}):
        parrot = Parrot(0.5)
        assert (learned(engine(parrot, **overrides), ENOUGH) == []) == ("fit" in overrides)
        asked.append(parrot.asked)

    assert asked == [ENOUGH + BLOCKS * SAMPLE, ENOUGH]


def test_another_champion_is_judged_by_itself() -> None:
    under_test = engine(Parrot(0.5))
    learned(under_test, ENOUGH - BLOCK)
    under_test.command(Swap(Parrot(0.9), 1, "promoted"), NOW)

    assert learned(under_test, ENOUGH - BLOCK, start=ENOUGH) == []
    assert under_test.state.fit.report(under_test.state.models)["champion"].curve[0].labels == BLOCK


def test_each_model_has_a_gap_and_a_learning_curve() -> None:
    under_test = engine(Parrot(0.5))
    learned(under_test, 3 * BLOCK)

    report = under_test.state.fit.report(under_test.state.models)

    assert list(report) == ["champion", "majority", "last_value"]
    assert report["champion"].gap == 1.0
    assert report["champion"].curve == [Point(BLOCK * n, 0.25) for n in (1, 2, 3)]
    assert report["majority"].gap == pytest.approx(0.0, abs=0.01)


def test_challengers_are_looked_at_beside_the_champion_each_under_a_name_of_its_own() -> None:
    pool = [{"kind": "logistic", "l2": l2} for l2 in (0.0, 0.5)]
    under_test = engine(adaptation={"policy": "replace_when_better", "pool": pool})
    learned(under_test, BLOCK)

    report = under_test.state.fit.report(under_test.state.models)
    assert [(name, report[name].regularization["l2"]) for name in ("pool", "pool 2")] == [
        ("pool", 0.0),
        ("pool 2", 0.5),
    ]
    assert report["pool 2"].curve[0].labels == BLOCK


def test_a_restored_task_looks_at_the_same_labels() -> None:
    config = small_config()
    whole, halved = Engine(config, 0), Engine(config, 0)
    learned(whole, 700)
    learned(halved, 700)
    halved = Engine(config, 0, pickle.loads(pickle.dumps(halved.state)))
    for one in (whole, halved):
        learned(one, 900, start=700)

    assert fingerprint(whole.state.fit) == fingerprint(halved.state.fit)


def test_a_learning_curve_keeps_a_bounded_number_of_points_and_all_labels() -> None:
    curve = Curve()
    for n in range(1000):
        curve.add(500, float(n))

    points = curve.points()
    assert len(points) <= MOST
    assert points[-1].labels == 500_000
    stretches = [second.labels - first.labels for first, second in pairwise(points[:-1])]
    assert len(set(stretches)) == 1
    assert [point.loss for point in points] == sorted(point.loss for point in points)


def test_a_short_learning_curve_has_a_point_for_each_block() -> None:
    curve = Curve()
    for loss in (0.5, 0.3, 0.2):
        curve.add(500, loss)

    assert curve.points() == [Point(500, 0.5), Point(1000, 0.3), Point(1500, 0.2)]
