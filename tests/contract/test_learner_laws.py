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
from pathlib import Path
from typing import Any

import pytest

from learners.artifacts import KeyRing, SigningKey, open_sealed, seal
from learners.base import Learner, Output, Problem, Row
from learners.baselines import BASELINES
from learners.registry import LEARNERS
from tests.contract.learner_cases import CASES, CLASSES, FOREIGN, SETTINGS, WILD, Case, law, law_of_models, rows_of, run

KEY = SigningKey("laws", b"a secret that only tests know")
ROOT = Path(__file__).parents[2]


def sound(output: Output, problem: Problem) -> bool:
    """Whether an output is finite and in range."""
    if problem is Problem.BINARY:
        return isinstance(output, float) and 0.0 <= output <= 1.0
    if problem is Problem.REGRESSION:
        return isinstance(output, float) and math.isfinite(output)
    shares = output.values()
    return set(output) <= set(CLASSES) and all(0.0 <= p <= 1.0 for p in shares) and math.isclose(math.fsum(shares), 1.0)


def sealed(learner: Learner[Any]) -> bytes:
    """All of a learner, but for idle random states."""
    return seal(learner, key=KEY, metadata={})


def test_every_registered_learner_is_under_the_laws() -> None:
    covered = {case.kind for case in CASES}
    assert covered == {*LEARNERS, *BASELINES, FOREIGN}
    assert set(SETTINGS) | {"river"} == set(LEARNERS)


@law
def test_outputs_before_anything_is_learned_say_so(case: Case) -> None:
    expected: Output = {Problem.BINARY: 0.5, Problem.MULTICLASS: {}, Problem.REGRESSION: 0.0}[case.problem]
    assert case.make().predict([*rows_of(3), *WILD]) == [expected] * (3 + len(WILD))


@law
def test_it_knows_whether_it_has_learned_anything(case: Case) -> None:
    learner, rows = case.make(), rows_of(40)

    before = learner.learned
    run(learner, case, rows)

    assert (before, learner.learned, learner.fresh(1).learned) == (False, True, False)


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
    assert learner.faults == 0


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
    foreign = case == Case(FOREIGN, Problem.MULTICLASS)
    spans, size = 40, 25 if slow or foreign or case == Case("river", Problem.MULTICLASS) else 500
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


@law
def test_settings_that_decide_how_closely_it_fits_are_numbers_and_those_of_the_configuration(case: Case) -> None:
    learner = case.make()
    settings = learner.regularization()

    assert bool(settings) == (case.kind not in BASELINES)
    assert all(math.isfinite(value) for value in settings.values())
    assert case.kind in ("river", FOREIGN) or settings == {name: getattr(learner.config, name) for name in settings}


@law
def test_fresh_is_untrained_and_of_the_same_recipe(case: Case) -> None:
    rows = rows_of(120)
    used = case.make(seed=1)
    run(used, case, rows)
    fresh = used.fresh(seed=9)
    assert fresh.predict(rows[:2]) == case.make().predict(rows[:2])
    assert run(fresh, case, rows) == run(case.make(seed=9), case, rows)
    assert fresh.seed == 9


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
