"""The fingerprint: the same for what goes on in the same way, another one for what does not."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest
from pydantic import TypeAdapter

from detectors.base import ConceptDetector, DataDetector
from detectors.registry import CATEGORICAL, CONCEPT, DATA, NUMERIC, ConceptConfig, DataConfig, build_concept, build_data
from learners.artifacts import KeyRing, SigningKey, open_sealed, seal
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.testing import drive, event, label, small_config
from tests.contract.learner_cases import CASES, Case, rows_of, run

ROWS = rows_of(400)
law = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}-{case.problem.value}")


def copy_of(obj: Any) -> Any:
    return pickle.loads(pickle.dumps(obj))


# learners


@law
def test_a_learner_keeps_its_fingerprint_through_pickle_and_through_an_artifact(case: Case) -> None:
    learner = case.make()
    run(learner, case, ROWS)
    key = SigningKey("k", b"a secret that only tests know")

    _, opened = open_sealed(seal(learner, key=key, metadata={}), keys=KeyRing([key]))

    assert fingerprint(copy_of(learner)) == fingerprint(learner)
    assert fingerprint(opened) == fingerprint(learner)


@law
def test_a_learner_has_the_same_fingerprint_however_its_labels_were_cut(case: Case) -> None:
    whole, cut = case.make(), case.make()
    labels = case.labels(ROWS)

    whole.learn(ROWS, labels)
    for start in range(0, len(ROWS), 7):
        cut.learn(ROWS[start : start + 7], labels[start : start + 7])

    assert fingerprint(cut) == fingerprint(whole)


@law
def test_one_label_more_makes_another_fingerprint(case: Case) -> None:
    learner = case.make()
    labels = case.labels(ROWS)
    learner.learn(ROWS[:-1], labels[:-1])
    before = fingerprint(learner)

    learner.learn(ROWS[-1:], labels[-1:])

    assert fingerprint(learner) != before


# detectors


def concept(kind: str) -> ConceptDetector[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(ConceptConfig)
    return build_concept(adapter.validate_python({"kind": kind}))


def data(kind: str) -> DataDetector[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    sizes: dict[str, Any] = {"reference": 100, "every": 20, "window": 50}
    if kind == "conformal":
        del sizes["window"]
    elif kind == "multivariate":
        sizes["components"] = 8
    elif kind == "feature_blocks":
        sizes = {"block": 20}
    config = adapter.validate_python({"kind": kind, **sizes})
    made = build_data(config, ["a", "b"] if kind in NUMERIC else [], ["c"] if kind in CATEGORICAL else [])
    assert made is not None
    return made


ERRORS = [float(random.Random(4).random() < 0.2) for _ in range(390)] + [0.0, 1.0] * 5


@pytest.mark.parametrize("kind", CONCEPT)
def test_a_concept_detectors_fingerprint_goes_by_what_it_has_seen_alone(kind: str) -> None:
    whole, cut, other = concept(kind), concept(kind), concept(kind)

    whole.observe(ERRORS)
    for error in ERRORS[:200]:
        cut.observe_one(error)
    cut.observe(ERRORS[200:])
    other.observe([*ERRORS, 1.0])

    assert fingerprint(copy_of(whole)) == fingerprint(whole)
    assert fingerprint(cut) == fingerprint(whole)
    assert fingerprint(other) != fingerprint(whole)


@pytest.mark.parametrize("kind", DATA)
def test_a_data_detectors_fingerprint_goes_by_what_it_has_seen_alone(kind: str) -> None:
    whole, cut, other = data(kind), data(kind), data(kind)

    whole.observe(ROWS)
    for start in range(0, len(ROWS), 33):
        cut.observe(ROWS[start : start + 33])
    other.observe([*ROWS, {"a": 0.5, "b": 1.0, "c": "x"}])

    assert fingerprint(copy_of(whole)) == fingerprint(whole)
    assert fingerprint(cut) == fingerprint(whole)
    assert fingerprint(other) != fingerprint(whole)


# whole tasks


def trained() -> Engine:
    config = small_config(
        {"detectors": {"concept": [{"kind": "adwin"}], "data": [{"kind": "ks"}, {"kind": "chi_squared"}]}}
    )
    engine = Engine(config, 0)
    rng = random.Random(2)
    values = [rng.uniform(-1, 1) for _ in range(60)]
    drive(engine, [r for i, x in enumerate(values) for r in (event(i, {"x": x}), label(i - 5, x > 0, time=i + 0.5))])
    return engine


def test_a_task_keeps_its_fingerprint_through_pickle_and_goes_on_alike() -> None:
    engine = trained()
    restored = Engine(engine.config, 0, copy_of(engine.state))
    assert fingerprint(restored.state) == fingerprint(engine.state)

    drive(engine, [event(60, {"x": 0.1}), label(60, True)])
    drive(restored, [event(60, {"x": 0.1}), label(60, True)])

    assert fingerprint(restored.state) == fingerprint(engine.state)


def test_every_part_of_a_task_counts() -> None:
    before = fingerprint(trained().state)

    for name in vars(trained().state):
        changed = trained().state
        setattr(changed, name, "another")
        if name in ("counts", "positions"):
            setattr(changed, name, type(getattr(trained().state, name))({"another": 1}))
        assert fingerprint(changed) != before, name


def test_the_order_in_which_things_were_first_counted_does_not_matter() -> None:
    one, other = trained().state, trained().state
    other.positions = dict(reversed(other.positions.items()))
    other.counts["events", "duplicate"] += 0

    assert fingerprint(other) == fingerprint(one)


# what is told apart


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ("1", 1),
        ("a", b"a"),
        ([1, 2], [2, 1]),
        ([1, 2], (1, 2)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (["ab", "c"], ["a", "bc"]),
        ([[1], 2], [[1, 2]]),
        (random.Random(1), random.Random(2)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, random.Random) else repr(value),
)
def test_values_that_differ_are_told_apart(one: object, other: object) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_sets_have_no_order() -> None:
    assert fingerprint(set("abcdefgh")) == fingerprint(set("hgfedcba"))


def test_two_models_that_draw_from_one_generator_are_told_apart_from_two_that_draw_from_their_own() -> None:
    shared, own = CASES[0].make(), CASES[0].make()
    generator = random.Random(1)
    vars(shared)["drawn"] = [generator, generator]
    vars(own)["drawn"] = [random.Random(1), random.Random(1)]

    assert fingerprint(shared) != fingerprint(own)
    assert fingerprint(copy_of(shared)) == fingerprint(shared)


def test_what_refers_to_itself_has_a_fingerprint() -> None:
    learner, other = CASES[0].make(), CASES[0].make()
    vars(learner)["itself"] = learner
    vars(other)["itself"] = other

    assert fingerprint(learner) == fingerprint(other)
