"""Learning from some classes oftener than from others: how often, and that probabilities still mean what they say."""

from __future__ import annotations

import pickle
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from learners.base import (
    Contribution,
    Explanation,
    ImbalanceConfig,
    Learner,
    Output,
    Problem,
    Row,
    Schema,
    Target,
    Unit,
)
from learners.imbalance import MOST_CLASSES, Rebalanced
from learners.linear import LogisticConfig
from learners.registry import build
from learners.river_pipeline import RiverConfig, Step
from learners.trees import HoeffdingTreeConfig

SCHEMA = Schema(("x",), ("c",))


class Notebook(Learner[LogisticConfig]):
    """Writes down what it is taught, and always says the same."""

    def __init__(self, problem: Problem, output: Output) -> None:
        super().__init__(LogisticConfig(), problem, SCHEMA, 1)
        self.taught: list[tuple[Any, Target]] = []
        self._output = output

    @property
    def learned(self) -> bool:
        return bool(self.taught)

    def predict(self, rows: Sequence[Row]) -> list[Output]:
        return [self._output] * len(rows)

    def learn(self, rows: Sequence[Row], labels: Sequence[Target]) -> None:
        self.taught += zip((row["x"] for row in rows), labels, strict=True)


def taught(labels: Sequence[Target], problem: Problem = Problem.BINARY, **settings: Any) -> list[tuple[Any, Target]]:
    """What labels with their numbers as feature make a learner be taught."""
    notebook = Notebook(problem, 0.5)
    learner = Rebalanced(notebook, ImbalanceConfig(**settings))
    learner.learn([{"x": float(number)} for number in range(len(labels))], labels)
    return notebook.taught


def rare(n: int, one_in: int) -> tuple[list[Row], list[Target]]:
    """Rows of which one in so many is true; of those with x above 1, half are."""
    chance = random.Random(3)
    labels: list[Target] = [chance.random() < 1 / one_in for _ in range(n)]
    return [{"x": chance.gauss(2.0 if label else -0.5, 1.0), "c": "a"} for label in labels], labels


def test_a_class_is_learned_from_as_often_as_it_weighs() -> None:
    counts = Counter(label for _, label in taught([False, True] * 2000, class_weights={"true": 2.25, "false": 0.5}))

    assert counts[True] == pytest.approx(2.25 * 2000, rel=0.02)
    assert counts[False] == pytest.approx(0.5 * 2000, rel=0.06)


def test_only_the_commonest_class_is_under_sampled() -> None:
    labels = [False] * 100 + [True, False, False, False] * 1000
    counts = Counter(label for _, label in taught(labels, under_sample=0.1))

    assert counts[True] == 1000
    assert counts[False] == pytest.approx(310, rel=0.15)


def test_the_commonest_class_is_the_one_that_is_so_by_now() -> None:
    counts = Counter(label for _, label in taught([True] * 10 + [False] * 1000, under_sample=0.1))

    assert counts[False] == pytest.approx(100, rel=0.3)


def test_over_sampling_repeats_recent_labels_of_the_rare_class_up_to_its_share() -> None:
    labels = [False] * 1000 + ([True] * 5 + [False] * 995) * 10

    told = taught(labels, over_sample=0.25, recent=4)

    late = told[-1000:]
    assert sum(bool(label) for _, label in late) / len(late) == pytest.approx(0.25, abs=0.04)
    assert {x for x, label in late if label} == {10_001.0, 10_002.0, 10_003.0, 10_004.0}


def test_over_sampling_gives_every_rarer_class_the_same() -> None:
    labels = (["usual"] * 95 + ["seldom"] * 4 + ["never"]) * 50
    counts = Counter(label for _, label in taught(labels, Problem.MULTICLASS, over_sample=0.5))

    repeats = {name: counts[name] - labels.count(name) for name in ("seldom", "never")}
    assert repeats["seldom"] == pytest.approx(repeats["never"], rel=0.1)


def test_what_is_kept_of_a_row_to_be_repeated_is_bounded() -> None:
    learner = Rebalanced(Notebook(Problem.BINARY, 0.5), ImbalanceConfig(over_sample=0.5, recent=5))
    rows: list[Row] = [{"x": 1.0, "c": letter * 10_000, "more": letter * 10_000} for letter in "abcdefghij"]
    learner.learn(rows * 2, [False] * 10 + [True] * 10)

    assert len(pickle.dumps(learner)) < 10_000


def test_labels_of_classes_beyond_the_bound_are_learned_from_once() -> None:
    labels = [f"class {number}" for number in range(2 * MOST_CLASSES)]

    assert len(taught(labels, Problem.MULTICLASS, class_weights={labels[-1]: 9.0})) == len(labels)


@pytest.mark.parametrize(
    "settings",
    [
        {"under_sample": 0.1},
        {"class_weights": {"true": 10.0}},
        {"over_sample": 0.3, "recent": 200},
        {"under_sample": 0.2, "class_weights": {"true": 4.0}},
    ],
    ids=["under", "weights", "over", "both"],
)
@pytest.mark.parametrize("recipe", [LogisticConfig, HoeffdingTreeConfig])
def test_probabilities_add_up_to_the_share_of_the_class(recipe: type[Any], settings: dict[str, Any]) -> None:
    rows, labels = rare(8000, 20)
    learner = build(recipe(imbalance=ImbalanceConfig(**settings)), Problem.BINARY, SCHEMA, 1)
    learner.learn(rows[:6000], labels[:6000])

    said = sum(learner.predict(rows[6000:]))

    assert said == pytest.approx(sum(map(bool, labels[6000:])), rel=0.5)


def test_without_the_correction_they_would_not() -> None:
    rows, labels = rare(8000, 20)
    learner = build(LogisticConfig(imbalance=ImbalanceConfig(under_sample=0.1)), Problem.BINARY, SCHEMA, 1)
    learner.learn(rows[:6000], labels[:6000])
    assert isinstance(learner, Rebalanced)

    assert sum(learner._inner.predict(rows[6000:])) > 3 * sum(map(bool, labels[6000:]))


def test_of_several_classes_each_is_corrected_by_what_was_learned_of_it() -> None:
    notebook = Notebook(Problem.MULTICLASS, {"a": 0.5, "b": 0.3, "c": 0.2})
    learner = Rebalanced(notebook, ImbalanceConfig(class_weights={"a": 2.0, "b": 1.0}))
    learner.learn([{"x": 1.0}] * 1998, ["a", "b"] * 999)

    (output,) = learner.predict([{"x": 1.0}])

    assert output == pytest.approx({"a": 0.25 / 0.75, "b": 0.3 / 0.75, "c": 0.2 / 0.75}, rel=2e-3)


def test_a_score_beyond_all_doubt_is_explained_too() -> None:
    class Sure(Notebook):
        def explain(self, row: Row, label: Target | None = None) -> Explanation:
            return Explanation(Unit.LOG_ODDS, 0.0, (Contribution("x", row["x"], -1000.0),), "a")

    learner = Rebalanced(Sure(Problem.MULTICLASS, {"a": 0.0, "b": 1.0}), ImbalanceConfig())
    learner.learn([{"x": 1.0}] * 2, ["a", "b"])

    explained = learner.explain({"x": 1.0}, "a")

    assert explained is not None
    assert explained.score < -20.0


def test_rows_that_the_classifier_cannot_predict_are_counted_at_once() -> None:
    mean = Step.model_validate(
        {
            "use": "river.feature_extraction.TargetAgg",
            "with": {"by": ["c"], "how": {"use": "river.stats.Mean"}},
        }
    )
    steps = [mean, Step(use="river.linear_model.LogisticRegression")]
    learner = build(RiverConfig(pipeline=steps, imbalance=ImbalanceConfig()), Problem.BINARY, SCHEMA, 1)
    learner.learn([{"x": 1.0, "c": "a"}], [True])

    learner.predict([{"x": 1.0}])

    assert (learner.faults, learner.last_fault) == (1, "KeyError: 'c'")
