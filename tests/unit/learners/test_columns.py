"""Spans taken column by column: River's own numbers, whatever the cut, the order of keys or the odd bad row."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from river import compose, linear_model, preprocessing

from learners.base import Problem, Row, Schema
from learners.columns import FEWEST_ROWS, ColumnScaler, rows_of, values_of
from learners.river_pipeline import RiverConfig, RiverPipeline

NAMES = ("a", "b", "c")
CONFIG = RiverConfig.model_validate(
    {
        "kind": "river",
        "pipeline": [
            {"use": "river.preprocessing.StandardScaler"},
            {"use": "river.linear_model.LogisticRegression"},
        ],
    }
)


def made_up(n: int) -> tuple[list[Row], list[bool]]:
    chance = random.Random(3)
    rows: list[Row] = [{"a": chance.gauss(0, 1), "b": chance.expovariate(0.01), "c": 7.0} for _ in range(n)]
    return rows, [float(str(row["a"])) > 0 for row in rows]


def outputs(learner: RiverPipeline, rows: list[Row], labels: list[bool], span: int) -> list[Any]:
    said: list[Any] = []
    for start in range(0, len(rows), span):
        part = slice(start, start + span)
        said += learner.predict(rows[part])
        learner.learn(rows[part], labels[part])
    return said + learner.predict(rows)


def pipeline() -> RiverPipeline:
    return RiverPipeline(CONFIG, Problem.BINARY, Schema(numeric=NAMES))


def test_a_span_by_columns_gives_river_s_numbers_to_the_last_bit() -> None:
    rows, labels = made_up(500)
    rivers = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    expected: list[Any] = []
    for start in range(0, 500, 100):
        part = slice(start, start + 100)
        if start:
            expected += [rivers.predict_proba_one(dict(row))[True] for row in rows[part]]
        for row, label in zip(rows[part], labels[part], strict=True):
            rivers.learn_one(dict(row), label)
    expected += [rivers.predict_proba_one(dict(row))[True] for row in rows]

    assert outputs(pipeline(), rows, labels, 100)[100:] == expected


def test_learning_does_not_depend_on_how_rows_are_cut_into_spans() -> None:
    rows, labels = made_up(400)
    rows[150] = {"a": None, "b": math.nan, "c": 7.0}
    whole, single = pipeline(), pipeline()

    whole.learn(rows, labels)
    for row, label in zip(rows, labels, strict=True):
        single.learn([row], [label])

    assert whole.predict(rows) == [single.predict([row])[0] for row in rows]


@pytest.mark.parametrize("span", [1, 50])
def test_the_order_of_keys_in_an_event_changes_nothing(span: int) -> None:
    rows, labels = made_up(200)
    turned: list[Row] = [dict(reversed(list(row.items()))) for row in rows]

    assert outputs(pipeline(), rows, labels, span) == outputs(pipeline(), turned, labels, span)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, 1e31, "1.0", True, 3])
def test_a_span_with_anything_but_sound_floats_is_not_taken_by_columns(value: Any) -> None:
    rows, _ = made_up(FEWEST_ROWS)
    assert values_of(rows, NAMES) is not None

    rows[3] = {**rows[3], "b": value}
    assert values_of(rows, NAMES) is None
    rows[3] = {"a": 1.0, "c": 2.0}
    assert values_of(rows, NAMES) is None


def test_values_turn_back_into_their_rows() -> None:
    rows, _ = made_up(FEWEST_ROWS)
    values = values_of([{**row, "undeclared": 1.0} for row in rows], NAMES)

    assert values is not None
    assert list(rows_of(values, NAMES)) == rows


def test_only_the_common_scaler_is_driven_by_columns() -> None:
    assert ColumnScaler.of([preprocessing.StandardScaler()], NAMES) is not None
    assert ColumnScaler.of([preprocessing.StandardScaler(window_size=10)], NAMES) is None
    assert ColumnScaler.of([preprocessing.StandardScaler(with_std=False)], NAMES) is None
    assert ColumnScaler.of([preprocessing.MinMaxScaler()], NAMES) is None
    assert ColumnScaler.of([preprocessing.StandardScaler()] * 2, NAMES) is None
