"""Linear models with their loops written out: whatever River's own objects give and hold, to the last bit."""

from __future__ import annotations

import math
import pickle
import random
from itertools import islice
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from river import compose, linear_model, optim, preprocessing

from learners.artifacts import KeyRing, SigningKey, open_sealed, seal
from learners.base import Output, Problem, Row, Schema
from learners.columns import Values
from learners.river_pipeline import RiverConfig, RiverPipeline
from learners.target import BinaryCoder
from learners.unrolled import WIDEST, Unrolled, is_common_model

NAMES = ("a", "b", "c")
SCALER = {"use": "river.preprocessing.StandardScaler"}
LOGISTIC = "river.linear_model.LogisticRegression"
LINEAR = "river.linear_model.LinearRegression"


class Shape:
    """A pipeline of a scaler, or none, and a linear model with these parameters."""

    def __init__(self, scaled: bool, logistic: bool, rate: float, **parameters: Any) -> None:
        self.scaled = scaled
        self.logistic = logistic
        self.rate = rate
        self.parameters = parameters

    def __repr__(self) -> str:
        return f"Shape({self.scaled}, {self.logistic}, {self.rate}, **{self.parameters})"

    def ours(self, names: tuple[str, ...] = NAMES) -> RiverPipeline:
        sgd = {"use": "river.optim.SGD", "args": [self.rate]}
        model = {"use": LOGISTIC if self.logistic else LINEAR, "with": {"optimizer": sgd, **self.parameters}}
        pipeline = [SCALER, model] if self.scaled else [model]
        problem = Problem.BINARY if self.logistic else Problem.REGRESSION
        return RiverPipeline(
            RiverConfig.model_validate({"kind": "river", "pipeline": pipeline}), problem, Schema(names)
        )

    def rivers(self) -> tuple[Any, Any]:
        kind = linear_model.LogisticRegression if self.logistic else linear_model.LinearRegression
        return preprocessing.StandardScaler(), kind(optim.SGD(self.rate), **self.parameters)

    def labels(self, rows: list[Row], seed: int = 1) -> list[Any]:
        chance = random.Random(seed)
        scores = [float(str(row["a"])) + chance.gauss(0, 1) for row in rows]
        return [score > 0 for score in scores] if self.logistic else scores


shapes = st.builds(
    Shape,
    scaled=st.booleans(),
    logistic=st.booleans(),
    rate=st.sampled_from([0.01, 1, 0.0, 7.5]),
    l2=st.sampled_from([0.0, 1e-3, 0.7, 30.0]),
    intercept_lr=st.sampled_from([0.01, 0, 2]),
    intercept_init=st.sampled_from([0.0, -3.5, 40]),
    clip_gradient=st.sampled_from([1e12, 0.3]),
)
numbers = st.one_of(
    st.floats(-3, 3),
    st.sampled_from([0.0, -0.0, 1.0, 7.0, 1e-300, 5e-324, 1e12, -1e29, 123456.789]),
)
values = st.tuples(numbers, numbers, numbers)


def rows_of(n: int, seed: int = 3, names: tuple[str, ...] = NAMES) -> list[Row]:
    chance = random.Random(seed)
    return [{name: chance.gauss(0, 10.0**place) for place, name in enumerate(names, -1)} for _ in range(n)]


def rivers_way(shape: Shape, rows: list[Row], labels: list[Any]) -> tuple[list[Any], Any, Any]:
    """What River's own objects say of each row before they learn it, and these objects."""
    scaler, model = shape.rivers()
    said = []
    for row, label in zip(rows, labels, strict=True):
        x = scaler.transform_one(row) if shape.scaled else dict(row)
        said.append(model.predict_proba_one(x)[True] if shape.logistic else model.predict_one(x))
        if shape.scaled:
            scaler.learn_one(row)
        model.learn_one(scaler.transform_one(row) if shape.scaled else x, label)
    return said, scaler, model


def same(ours: list[Output], theirs: list[Any]) -> bool:
    """Whether outputs are River's, where these are in range."""
    pairs = zip(ours, theirs, strict=True)
    return all(float(p).hex() == float(q).hex() or not abs(q) <= 1e30 or (p, q) == (0.0, 0.0) for p, q in pairs)


def one_by_one(learner: RiverPipeline, rows: list[Row], labels: list[Any]) -> list[Output]:
    outputs = []
    for row, label in zip(rows, labels, strict=True):
        outputs += learner.predict([row])
        learner.learn([row], [label])
    return outputs


def is_unrolled(learner: RiverPipeline) -> bool:
    unrolled = learner._unrolled
    return unrolled is not None and unrolled.ready


@settings(max_examples=30, deadline=None)
@given(shape=shapes, drawn=st.lists(values, min_size=20, max_size=60), seed=st.integers(0, 99))
@example(Shape(True, True, 0.01), [(0.1 * n, 2.0 - n, 5.0) for n in range(40)], 1)
@example(Shape(False, True, 7.5, l2=30.0), [(1e25, -1e25, 5.0)] * 160, 1)  # scores that are no numbers
def test_every_way_gives_and_leaves_what_rivers_own_loop_does(shape: Shape, drawn: list[Values], seed: int) -> None:
    rows: list[Row] = [dict(zip(NAMES, row, strict=True)) for row in drawn]
    labels = shape.labels(rows, seed)
    single, spans, runs = shape.ours(), shape.ours(), shape.ours()

    said, scaler, model = rivers_way(shape, rows, labels)
    expected = one_by_one(single, rows, labels)
    for learner in (spans, runs):
        learner.learn(rows[:1], labels[:1])
        assert is_unrolled(learner)
    outputs = list(runs.prequential(rows[1:], labels[1:]))
    for start in (1, 10):
        part = slice(start, 10 if start == 1 else None)
        spans.predict(rows[part])
        spans.learn(rows[part], labels[part])

    assert same(expected[1:], said[1:])
    assert list(map(repr, outputs)) == list(map(repr, expected[1:]))
    assert pickle.dumps(runs) == pickle.dumps(spans) == pickle.dumps(single)
    assert pickle.dumps(runs._estimator) == pickle.dumps(model)
    if shape.scaled:
        assert pickle.dumps(runs._transformers[0]) == pickle.dumps(scaler)
    assert list(map(repr, spans.predict(rows))) == [repr(single.predict([row])[0]) for row in rows]


@pytest.mark.parametrize("shape", [Shape(True, True, 0.01), Shape(False, False, 0.001, l2=0.1)], ids=repr)
def test_a_run_that_is_closed_early_leaves_what_was_learned_up_to_there(shape: Shape) -> None:
    rows = rows_of(60)
    labels = shape.labels(rows)
    stopped, single = shape.ours(), shape.ours()
    for learner in (stopped, single):
        learner.learn(rows[:20], labels[:20])

    run = stopped.prequential(rows[20:], labels[20:])
    outputs = list(islice(run, 17))
    run.close()

    assert outputs == one_by_one(single, rows[20:37], labels[20:37])
    assert pickle.dumps(stopped) == pickle.dumps(single)


@pytest.mark.parametrize("shape", [Shape(True, True, 0.01), Shape(False, False, 0.001)], ids=repr)
def test_a_stored_copy_goes_on_as_the_original(shape: Shape) -> None:
    learner, rows = shape.ours(), rows_of(60)
    labels = shape.labels(rows)
    learner.learn(rows[:30], labels[:30])

    key = SigningKey("tests", b"a secret that only tests know")
    _, opened = open_sealed(seal(learner, key=key, metadata={}), keys=KeyRing([key]))

    assert is_unrolled(opened)
    assert list(opened.prequential(rows[30:], labels[30:])) == list(learner.prequential(rows[30:], labels[30:]))
    assert opened.predict(rows) == learner.predict(rows)


def test_a_run_that_was_not_begun_leaves_everything_as_it_was() -> None:
    shape = Shape(True, True, 0.01)
    learner, rows = shape.ours(), rows_of(40)
    learner.learn(rows, shape.labels(rows))
    before = pickle.dumps(learner)

    learner.prequential(rows, shape.labels(rows)).close()

    assert pickle.dumps(learner) == before


def test_missing_values_and_labels_among_the_rows_change_nothing() -> None:
    shape = Shape(True, False, 0.01)
    rows = rows_of(200)
    labels = shape.labels(rows)
    for number in (0, 1, 77):
        rows[number] = {"a": 1.0, "b": None}
    labels[150] = math.nan
    spans, runs, single = shape.ours(), shape.ours(), shape.ours()

    outputs: list[Output] = []
    for start in range(0, 200, 20):
        part = slice(start, start + 20)
        spans.learn(rows[part], labels[part])
        outputs += runs.prequential(rows[part], labels[part])

    assert outputs == one_by_one(single, rows, labels)
    assert pickle.dumps(spans) == pickle.dumps(runs) == pickle.dumps(single)


def test_a_feature_that_is_new_is_left_to_river_until_it_was_learned() -> None:
    shape = Shape(False, True, 0.01)
    learner, rows = shape.ours(), rows_of(20)
    labels = shape.labels(rows)
    assert not is_unrolled(learner)

    learner.learn([{"a": 1.0, "b": 2.0}], [True])
    assert not is_unrolled(learner)
    learner.learn(rows[:1], labels[:1])
    assert is_unrolled(learner)


def test_pipelines_of_a_scaler_that_saw_some_features_less_often_are_left_to_river() -> None:
    shape = Shape(True, True, 0.01)
    learner, rows = shape.ours(), rows_of(20)
    learner.learn([*rows, {"a": 1.0, "b": 2.0}], [True] * 21)

    assert not is_unrolled(learner)


@pytest.mark.parametrize(
    "model",
    [
        linear_model.LogisticRegression(optim.Adam()),
        linear_model.LogisticRegression(optim.SGD(optim.schedulers.InverseScaling(0.1))),
        linear_model.LogisticRegression(intercept_lr=optim.schedulers.InverseScaling(0.1)),
        linear_model.LogisticRegression(loss=optim.losses.Hinge()),
        linear_model.LogisticRegression(loss=optim.losses.Log(weight_pos=2.0)),
        linear_model.LogisticRegression(l1=0.1),
        linear_model.LinearRegression(loss=optim.losses.Huber()),
        linear_model.Perceptron(),
        compose.Pipeline(linear_model.LinearRegression()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_any_other_model_is_left_to_river(model: Any) -> None:
    assert not is_common_model(model)
    assert Unrolled.of([], model, NAMES, BinaryCoder()) is None


def test_transformers_but_the_common_scaler_and_very_many_features_are_left_to_river() -> None:
    model, scaler = linear_model.LogisticRegression(), preprocessing.StandardScaler()
    many = [f"f{n}" for n in range(WIDEST + 1)]

    assert Unrolled.of([scaler], model, NAMES, BinaryCoder()) is not None
    assert Unrolled.of([scaler, scaler], model, NAMES, BinaryCoder()) is None
    assert Unrolled.of([preprocessing.MinMaxScaler()], model, NAMES, BinaryCoder()) is None
    assert Unrolled.of([], model, many[:-1], BinaryCoder()) is not None
    assert Unrolled.of([], model, many, BinaryCoder()) is None


def test_the_most_features_there_can_be_give_rivers_numbers_too() -> None:
    shape, names = Shape(True, True, 0.01, l2=0.01), tuple(f"f{n:02}" for n in range(WIDEST))
    rows: list[Row] = [
        {name: random.Random(n + 100 * at).gauss(0, 1) for at, name in enumerate(names)} for n in range(50)
    ]
    labels = [n % 3 == 0 for n in range(50)]
    learner = shape.ours(names)

    said, _, _ = rivers_way(shape, rows, labels)

    assert one_by_one(learner, rows[:1], labels[:1]) == [0.5]
    assert list(learner.prequential(rows[1:], labels[1:])) == said[1:]
