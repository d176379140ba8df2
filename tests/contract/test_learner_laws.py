"""The laws of learners: what every registered one promises, whatever it is made of."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import TypeAdapter, ValidationError

from learners.artifacts import KeyRing, SigningKey, open_sealed, seal
from learners.base import Learner, LearnerConfig, Output, Problem, Row, Schema, Target, Unit
from learners.baselines import BASELINES
from learners.forest import AdaptiveRandomForestConfig
from learners.linear import LinearRegressionConfig, LogisticConfig
from learners.registry import LEARNERS, AnyLearnerConfig, build
from learners.river_pipeline import RiverConfig
from learners.trees import HoeffdingAdaptiveTreeConfig, HoeffdingTreeConfig

SCHEMA = Schema(numeric=("a", "b"), categorical=("c",))
CLASSES = ("low", "middle", "high")
KEY = SigningKey("laws", b"a secret that only tests know")
ROOT = Path(__file__).parents[2]

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
}


class Case(NamedTuple):
    """A learner and a problem it can do."""

    kind: str
    problem: Problem

    def make(self, seed: int = 1, **more: Any) -> Learner[Any]:
        if self.kind in BASELINES:
            made, baseline = BASELINES[self.kind]
            return made(baseline, self.problem, SCHEMA, seed)
        steps = [{"use": "learners.ScaleAndFlag", "with": {}}, LAST_STEP[self.problem]]
        settings = {"pipeline": steps} if self.kind == "river" else {**SETTINGS[self.kind], **more}
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
law = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.problem.value}")
law_of_models = pytest.mark.parametrize(
    "case", [c for c in CASES if c.kind in LEARNERS], ids=lambda case: f"{case.kind}-{case.problem.value}"
)
law_of_configs = pytest.mark.parametrize(
    "config",
    [
        AdaptiveRandomForestConfig,
        HoeffdingAdaptiveTreeConfig,
        HoeffdingTreeConfig,
        LinearRegressionConfig,
        LogisticConfig,
        RiverConfig,
    ],
)


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


def sound(output: Output, problem: Problem) -> bool:
    """Whether an output is finite and in range."""
    if problem is Problem.BINARY:
        return isinstance(output, float) and 0.0 <= output <= 1.0
    if problem is Problem.REGRESSION:
        return isinstance(output, float) and math.isfinite(output)
    shares = output.values()
    return set(output) <= set(CLASSES) and all(0.0 <= p <= 1.0 for p in shares) and math.isclose(math.fsum(shares), 1.0)


def run(learner: Learner[Any], case: Case, rows: Sequence[Row], span: int = 25) -> list[Output]:
    """Predict, then learn, span by span."""
    outputs: list[Output] = []
    for start in range(0, len(rows), span):
        part = rows[start : start + span]
        outputs += learner.predict(part)
        learner.learn(part, case.labels(part))
    return outputs


def sealed(learner: Learner[Any]) -> bytes:
    """All of a learner, but for idle random states."""
    return seal(learner, key=KEY, metadata={})


def test_every_registered_learner_is_under_the_laws() -> None:
    covered = {case.kind for case in CASES}
    assert covered == set(LEARNERS) | set(BASELINES)
    assert set(SETTINGS) | {"river"} == set(LEARNERS)


@law
def test_outputs_before_anything_is_learned_say_so(case: Case) -> None:
    expected: Output = {Problem.BINARY: 0.5, Problem.MULTICLASS: {}, Problem.REGRESSION: 0.0}[case.problem]
    assert case.make().predict([*rows_of(3), *WILD]) == [expected] * (3 + len(WILD))


@law
def test_outputs_are_finite_and_in_range_whatever_the_rows_hold(case: Case) -> None:
    learner, rows = case.make(), rows_of(160)
    labels = case.labels(rows)
    for index, row in enumerate(rows):
        wild = WILD[index % len(WILD)]
        learner.learn([row, wild], [labels[index], labels[-1 - index]])
        for output in learner.predict([row, wild]):
            assert sound(output, case.problem), (wild, output)


@law
def test_learning_from_wild_rows_does_not_stop_it_from_learning_ordinary_ones(case: Case) -> None:
    learner, rows = case.make(), rows_of(400)
    run(learner, case, rows[:100])
    learner.learn(WILD, case.labels(rows[: len(WILD)]))
    run(learner, case, rows[100:300])
    for output in learner.predict(rows[300:]):
        assert sound(output, case.problem)
    assert getattr(learner, "faults", 0) == 0


@pytest.mark.parametrize("case", [c for c in CASES if c.problem is Problem.REGRESSION], ids=lambda case: case.kind)
def test_wild_targets_leave_outputs_finite(case: Case) -> None:
    learner, rows = case.make(), rows_of(120)
    targets = case.labels(rows)
    for place, wild in enumerate([1e308, math.nan, -1e308, math.inf, -math.inf, 1e200, 0.0]):
        targets[10 + 15 * place] = wild
    for row, target in zip(rows, targets, strict=True):
        learner.learn([row], [target])
        assert sound(learner.predict([row])[0], case.problem), target


@law
def test_predict_changes_nothing(case: Case) -> None:
    rows = rows_of(240)
    asked, left_alone = case.make(), case.make()
    for start in range(0, 200, 20):
        part = rows[start : start + 20]
        asked.predict([*rows_of(10, seed=start), *WILD])
        asked.learn(part, case.labels(part))
        left_alone.learn(part, case.labels(part))
    assert asked.predict(rows[200:]) == left_alone.predict(rows[200:])


@law
def test_spans_equal_one_by_one(case: Case) -> None:
    rows = [*rows_of(150), *[{**row, "a": 0.5} for row in WILD], *rows_of(60, seed=8)]
    in_spans, one_by_one = case.make(), case.make()
    run(in_spans, case, rows, span=64)
    run(one_by_one, case, rows, span=1)
    assert in_spans.predict(rows) == one_by_one.predict(rows)


@law
def test_prequential_gives_and_learns_what_single_rows_do(case: Case) -> None:
    rows = [*rows_of(150), *[{**row, "a": 0.5} for row in WILD], *rows_of(60, seed=8)]
    in_runs, one_by_one = case.make(), case.make()
    outputs: list[Output] = []
    for start in range(0, len(rows), 64):
        part = rows[start : start + 64]
        outputs += in_runs.prequential(part, case.labels(part))
    assert outputs == run(one_by_one, case, rows, span=1)
    assert sealed(in_runs) == sealed(one_by_one)


@law
def test_prequential_closed_early_has_learned_just_what_it_told(case: Case) -> None:
    rows = rows_of(120)
    stopped, one_by_one = case.make(), case.make()
    for learner in (stopped, one_by_one):
        learner.learn(rows[:40], case.labels(rows[:40]))
    predicted = stopped.prequential(rows[40:], case.labels(rows[40:]))
    outputs = list(itertools.islice(predicted, 30))
    predicted.close()
    assert outputs == run(one_by_one, case, rows[40:70], span=1)
    assert sealed(stopped) == sealed(one_by_one)


@law
def test_the_same_seed_and_input_give_the_same_outputs(case: Case) -> None:
    rows = rows_of(200)
    assert run(case.make(seed=5), case, rows) == run(case.make(seed=5), case, rows)


@law
def test_a_pickled_copy_continues_exactly_as_the_original(case: Case) -> None:
    rows = rows_of(320)
    original = case.make()
    run(original, case, rows[:160])
    copy = pickle.loads(pickle.dumps(original))
    _, opened = open_sealed(seal(original, key=KEY, metadata={}), keys=KeyRing([KEY]))
    expected = run(original, case, rows[160:])
    assert run(copy, case, rows[160:]) == expected
    assert run(opened, case, rows[160:]) == expected


@law
def test_memory_is_bounded_however_many_categories_there_are(case: Case) -> None:
    slow = "tree" in case.kind or "forest" in case.kind
    learner = case.make(**({"max_depth": 1, "max_categories": 10} if slow else {}))
    spans, size = 40, 25 if slow or case == ("river", Problem.MULTICLASS) else 500
    chance, sizes = random.Random(1), []
    for span in range(spans):
        rows: list[Row] = [{"a": chance.gauss(0, 1), "b": 1.0, "c": f"category {span} {i}"} for i in range(size)]
        learner.learn(rows, case.labels(rows))
        sizes.append(len(pickle.dumps(learner)))
    assert sizes[-1] < 1.3 * sizes[spans // 2]


@law_of_models
def test_it_learns_what_the_baselines_cannot(case: Case) -> None:
    assert gain(case.make(), case) > 0.3


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.kind in BASELINES], ids=lambda case: f"{case.kind}-{case.problem}"
)
def test_the_law_of_learning_fails_for_those_who_ignore_the_features(case: Case) -> None:
    assert gain(case.make(), case) <= 0.0


def gain(learner: Learner[Any], case: Case) -> float:
    """The share of the best baseline's error that a learner removes on the last quarter of an easy stream."""
    rows = rows_of(1200 if case.kind != "adaptive_random_forest" else 600)
    last = len(rows) // 4
    truth = case.labels(rows)[-last:]

    def error(one: Learner[Any]) -> float:
        return case.loss(run(one, case, rows, span=1)[-last:], truth)

    baselines = [Case(kind, case.problem) for kind, (made, _) in BASELINES.items() if case.problem in made.problems]
    return 1.0 - error(learner) / min(error(baseline.make()) for baseline in baselines)


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


@law
def test_fresh_is_untrained_and_of_the_same_recipe(case: Case) -> None:
    rows = rows_of(120)
    used = case.make(seed=1)
    run(used, case, rows)
    fresh = used.fresh(seed=9)
    assert fresh.predict(rows[:2]) == case.make().predict(rows[:2])
    assert run(fresh, case, rows) == run(case.make(seed=9), case, rows)
    assert fresh.seed == 9


@law_of_configs
def test_every_number_out_of_range_is_refused_by_name(config: type[LearnerConfig]) -> None:
    for name, field in config.model_fields.items():
        if field.annotation not in (int, float):
            continue
        outside = [bad for bound in field.metadata for bad in just_outside(bound)]
        assert outside, f"{config.__name__}.{name} has no bounds"
        for bad in outside:
            with pytest.raises(ValidationError) as refused:
                config.model_validate({name: bad})
            complaint = [error for error in refused.value.errors() if error["loc"] == (name,)]
            assert complaint, (name, bad)
            assert "should be" in complaint[0]["msg"]


@law_of_configs
def test_an_unknown_parameter_is_refused_by_name(config: type[LearnerConfig]) -> None:
    with pytest.raises(ValidationError, match="grace_perriod"):
        config.model_validate({"grace_perriod": 5})


def just_outside(bound: Any) -> list[float]:
    """Values that break a bound."""
    if isinstance(bound, Ge | Le):
        return [bound.ge - 1] if isinstance(bound, Ge) else [bound.le + 1]  # type: ignore[operator]
    if isinstance(bound, Gt | Lt):
        return [bound.gt if isinstance(bound, Gt) else bound.lt]  # type: ignore[list-item]
    return []


def fingerprint() -> str:
    """What all cases together say on one stream."""
    said = hashlib.sha256()
    for case in CASES:
        said.update(repr(run(case.make(), case, rows_of(120))).encode())
    return said.hexdigest()


def test_outputs_are_the_same_in_every_process() -> None:
    """Text hashes differ from process to process; no output may depend on them."""
    code = "from tests.contract.test_learner_laws import fingerprint; print(fingerprint())"
    ours = os.environ.get("PYTHONHASHSEED")
    environment = {**os.environ, "PYTHONHASHSEED": "1" if ours != "1" else "2", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as other:
        here = fingerprint()
        there, _ = other.communicate(timeout=100)
    assert other.returncode == 0
    assert there.strip() == here
