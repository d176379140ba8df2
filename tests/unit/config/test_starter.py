"""The first configuration from a sample: what it guesses, why, and that it loads whatever the sample holds."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from learners.base import Problem
from stream.cli.commands import app
from stream.cli.init import init
from stream.config.infer import Guess, LabelGuess, infer
from stream.config.load import load
from stream.config.model import Config
from stream.config.starter import starter
from stream.core.budget import divide
from stream.errors import ConfigError, DataError

NAMES = ["Ada", "Bo", "Cy", "Di"]


def sample(n: int = 120, **fields: Any) -> list[dict[str, Any]]:
    """Events with an id and a number, and fields by function of the event's number."""
    return [{"id": f"e{i}", "x": i / 2, **{name: make(i) for name, make in fields.items()}} for i in range(n)]


def types(guess: Guess) -> Mapping[str, str]:
    return {feature.path: feature.type for feature in guess.features}


def test_types_are_guessed_from_values() -> None:
    guess = infer(sample(night=lambda i: i % 2 == 0, carrier=lambda i: NAMES[i % 4], count=lambda i: i % 7))

    assert types(guess) == {"x": "number", "night": "boolean", "carrier": "category", "count": "number"}


def test_the_id_is_the_field_that_is_never_the_same() -> None:
    guess = infer([{"user_id": "u", "trip_id": f"t{i}", "x": i} for i in range(9)])

    assert (guess.id, guess.id_is_unique) == ("trip_id", True)


def test_an_id_that_came_twice_is_marked() -> None:
    guess = infer([{"id": "a", "x": 1}, {"id": "a", "x": 2}])

    assert (guess.id, guess.id_is_unique) == ("id", False)


@pytest.mark.parametrize(
    ("make", "unit"),
    [
        (lambda i: 1357034400 + i, "s"),
        (lambda i: 1357034400123 + i, "ms"),
        (lambda i: f"2013-01-01T10:{i % 60:02}:00Z", "iso"),
    ],
)
def test_the_time_and_its_unit_are_recognised(make: Any, unit: str) -> None:
    guess = infer(sample(ts=make))

    assert (guess.time, guess.time_unit) == ("ts", unit)
    assert "ts" not in types(guess)


@pytest.mark.parametrize(
    ("make", "problem", "positive"),
    [
        (lambda i: i % 3 == 0, Problem.BINARY, None),
        (lambda i: i % 2, Problem.BINARY, None),
        (lambda i: "late" if i % 5 == 0 else "on time", Problem.BINARY, "late"),
        (lambda i: NAMES[i % 4], Problem.MULTICLASS, None),
        (lambda i: i * 0.37, Problem.REGRESSION, None),
    ],
)
def test_an_inline_label_decides_the_problem(make: Any, problem: Problem, positive: str | None) -> None:
    guess = infer(sample(label=make))

    assert isinstance(guess.label, LabelGuess)
    assert (guess.label.path, guess.label.problem, guess.label.positive) == ("label", problem, positive)
    assert "label" not in types(guess)


def test_what_cannot_be_a_category_is_left_out_with_the_reason() -> None:
    guess = infer(
        sample(
            name=lambda i: f"person {i}",
            essay=lambda i: "word " * 20 + str(i % 3),
            tags=lambda i: [i],
            mixed=lambda i: i if i % 2 else "x",
            void=lambda i: None,
            seen_at=lambda i: f"2013-01-01T10:{i % 60:02}:00Z",
            at=lambda i: 1357034400 + i,
        )
    )

    assert types(guess) == {"x": "number"}
    assert guess.left_out == {
        "tags": "a list",
        "name": "text with 120 different values in 120 events",
        "essay": "text of up to 101 characters",
        "mixed": "mixed: numbers and texts",
        "void": "always null",
        "seen_at": "a point in time: it only grows, so there is nothing to learn from it",
    }


def test_nested_fields_get_a_path_and_distinct_names(tmp_path: Path) -> None:
    rows = [{"id": i, "from": {"city": NAMES[i % 4]}, "to": {"city": NAMES[i % 3]}} for i in range(20)]

    config = written(starter(infer(rows), name="trips", source="trips.jsonl"), tmp_path)

    assert {name: feature.path for name, feature in config.events.features.items()} == {
        "city": "from.city",
        "to_city": "to.city",
    }


def test_the_file_keeps_reasons_as_comments() -> None:
    text = starter(infer(sample(tags=lambda i: [i])), name="My Trips!", source="trips.jsonl")

    assert text.startswith("# A first configuration, from 120 events of trips.jsonl.")
    assert "app: my-trips\n" in text
    assert "    x: {type: number}  # from 0 to 59.5\n" in text
    assert "    #   tags: a list\n" in text


def test_a_sample_without_features_says_so() -> None:
    with pytest.raises(DataError, match="none of the fields of these 2 events can be a feature"):
        infer([{"id": "a"}, {"id": "b"}])


def test_init_writes_a_file_that_loads(tmp_path: Path) -> None:
    source, output = tmp_path / "trips.jsonl", tmp_path / "trips.yaml"
    source.write_text("\n".join(json.dumps(row) for row in sample(is_fraud=lambda i: i % 9 == 0)) + "\n{broken\n")

    init(from_=source, from_topic=None, bootstrap="", output=output)

    config = load(output, {})
    assert (config.app, config.events.label, list(config.events.features)) == ("trips", "is_fraud", ["x"])
    assert config.alarms is not None
    assert all(part.share is not None for part in divide(config))


def test_init_says_how_much_it_reads_and_reads_no_more(tmp_path: Path) -> None:
    sample, output = tmp_path / "many.jsonl", tmp_path / "many.yaml"
    sample.write_text('{"id": 1, "x": 1.5}\n' * 1000 + "beyond\n", encoding="utf-8")

    init(sample, None, "localhost:9092", output)

    assert "from 1000 events" in output.read_text(encoding="utf-8")
    assert CliRunner().invoke(app, ["init", "--help"]).output.count("1,000") == 2


def test_init_overwrites_only_when_told(tmp_path: Path) -> None:
    source, output = tmp_path / "trips.jsonl", tmp_path / "trips.yaml"
    source.write_text(json.dumps({"id": "a", "x": 1}))
    output.write_text("mine")

    with pytest.raises(ConfigError, match="is there already"):
        init(from_=source, from_topic=None, bootstrap="", output=output)
    assert output.read_text() == "mine"

    init(from_=source, from_topic=None, bootstrap="", output=output, force=True)
    assert load(output, {}).app == "trips"


def test_init_of_a_file_without_json_says_what_is_wrong(tmp_path: Path) -> None:
    source = tmp_path / "trips.csv"
    source.write_text("id,x\n1,2\n")

    with pytest.raises(DataError, match=r"no JSON object found \(record 2: "):
        init(from_=source, from_topic=None, bootstrap="", output=None)


def test_init_from_a_topic_checks_the_address_first() -> None:
    with pytest.raises(ConfigError, match=r"^--bootstrap: 'localhost' is not a broker address; expected host:port"):
        init(from_=None, from_topic="trips", bootstrap="localhost", output=None)


def written(text: str, folder: Path) -> Config:
    path = folder / "service.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, {})


_ODD = """aid:# "'{}$[]&*!|>%@`,-?.\\\n\0\u2028\u00e9\U0001d11e"""
_KNOWN = ["id", "on", "null", "1", "ts", "label", "${A}", "features", "~", "=", "<<"]
_keys = st.text(_ODD, max_size=5) | st.sampled_from(_KNOWN)
_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _keys
_rows = st.dictionaries(_keys, _values | st.lists(_values, max_size=1) | st.dictionaries(_keys, _values, max_size=3))


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine is no fault
@given(rows=st.lists(_rows, min_size=1, max_size=4), name=_keys)
@example(rows=[{"x": 1, "id": {"label": True}}], name="label in what could be the id")
def test_whatever_the_sample_holds_the_file_loads(rows: list[dict[str, Any]], name: str) -> None:
    try:
        guess = infer(rows)
    except DataError:
        return

    with tempfile.TemporaryDirectory() as folder:
        config = written(starter(guess, name=name, source=name), Path(folder))

    assert [feature.path or name for name, feature in config.events.features.items()] == [
        feature.path for feature in guess.features
    ]
