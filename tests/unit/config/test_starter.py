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
from stream.config.budget import divide
from stream.config.infer import Guess, LabelGuess, infer
from stream.config.load import load
from stream.config.model import Config
from stream.config.starter import starter
from stream.errors import ConfigError, DataError

NAMES = ["Ada", "Bo", "Cy", "Di"]


def sample(n: int = 120, **fields: Any) -> list[dict[str, Any]]:
    """Events with an id and a number, and fields by function of the event's number."""
    return [{"id": f"e{i}", "x": i / 2, **{name: make(i) for name, make in fields.items()}} for i in range(n)]


def types(guess: Guess) -> Mapping[str, str]:
    return {feature.path: feature.type for feature in guess.features}


def truths(n: int = 120, **fields: Any) -> list[dict[str, Any]]:
    """Labels of the events of `sample`, with fields by function of the event's number."""
    return [{name: make(i) for name, make in fields.items()} for i in range(n)]


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


def test_labels_name_their_event_by_the_field_that_has_its_ids() -> None:
    labels = truths(id=lambda i: f"label {i}", trip=lambda i: f"e{i + 90}", late=lambda i: i % 9 == 0)

    guess = infer(sample(), labels).labels

    assert guess is not None
    assert (guess.id, guess.known, guess.rows) == ("trip", 30, 120)


def test_labels_of_other_events_are_marked(tmp_path: Path) -> None:
    labels = truths(at=lambda i: f"2013-01-01T10:{i % 60:02}:00Z", id=lambda i: f"x{i}", late=lambda i: i % 9 == 0)

    text = starter(infer(sample(), labels), name="trips", source="trips.jsonl")

    assert "  id: id  # CHECK THIS: 0 of 120 labels name an event of the sample by it\n" in text
    assert written(text, tmp_path).labels.label == "late"


def test_labels_decide_the_problem_and_the_text_that_means_true(tmp_path: Path) -> None:
    labels = truths(trip=lambda i: f"e{i}", end=lambda i: "lost" if i % 9 == 0 else "paid", ts=lambda i: 1357034400 + i)

    config = written(starter(infer(sample(), labels), name="trips", source="trips.jsonl"), tmp_path)

    assert (config.labels.id, config.labels.label) == ("trip", "end")
    assert (config.model.problem, config.model.positive) == (Problem.BINARY, "lost")
    assert config.events.label is None


def test_what_looks_like_a_label_in_an_event_is_no_feature_where_labels_come_by_themselves() -> None:
    guess = infer(sample(outcome=lambda i: i % 2), truths(id=lambda i: f"e{i}", outcome=lambda i: i % 2 == 0))

    assert guess.label is None
    assert types(guess) == {"x": "number"}
    assert guess.left_out == {"outcome": "looks like the label, which comes by itself"}


@pytest.mark.parametrize("field", [{"id": "e1"}, {"late": True}, {"id": ["e1"], "late": True}])
def test_labels_without_an_id_or_a_truth_are_told(field: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="these 1 labels have no two fields that could be the event's id and the truth"):
        infer(sample(), [field])


def test_without_a_sample_of_labels_the_file_says_what_to_change() -> None:
    text = starter(infer(sample()), name="trips", source="trips.jsonl")

    assert "  id: id  # CHANGE THIS: the field of a label that names its event\n" in text
    assert "  label: label  # CHANGE THIS: the field that says the truth\n" in text
    assert "  # positive: TEXT  # needed where labels are texts: the one that means true\n" in text


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


def test_two_first_services_on_one_machine_can_have_ports_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(starter(infer(sample()), name="shop", source="a sample"))

    assert load(tmp_path / "service.yaml", {}).http.port == 8080
    assert load(tmp_path / "service.yaml", {"DRIFTLINE_HTTP_PORT": "9000"}).http.port == 9000


@pytest.mark.parametrize(
    ("label", "kind"),
    [(lambda i: i % 3 == 0, "cusum"), (lambda i: NAMES[i % 3], "cusum"), (lambda i: i * 1.37, "adwin")],
)
def test_errors_are_watched_by_what_is_soonest_for_their_kind(label: Any, kind: str, tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text(starter(infer(sample(label=label)), name="shop", source="a sample"))

    assert [one.kind for one in load(tmp_path / "service.yaml", env={}).detectors.concept] == [kind]


def test_a_sample_without_features_says_so() -> None:
    with pytest.raises(DataError, match="none of the fields of these 2 events can be a feature"):
        infer([{"id": "a"}, {"id": "b"}])


def test_init_writes_a_file_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = tmp_path / "trips.jsonl", tmp_path / "trips.yaml"
    source.write_text("\n".join(json.dumps(row) for row in sample(is_fraud=lambda i: i % 9 == 0)) + "\n{broken\n")

    init(from_=source, from_topic=None, bootstrap="", output=output)

    assert "from 120 events of trips.jsonl. Read it" in capsys.readouterr().out
    config = load(output, {})
    assert (config.app, config.events.label, list(config.events.features)) == ("trips", "is_fraud", ["x"])
    assert config.alarms is not None
    assert all(part.share is not None for part in divide(config))


def test_init_reads_what_labels_look_like_from_a_sample_of_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events, labels, output = tmp_path / "trips.jsonl", tmp_path / "ends.jsonl", tmp_path / "trips.yaml"
    events.write_text("\n".join(json.dumps(row) for row in sample()))
    labels.write_text("\n".join(json.dumps({"trip": f"e{i}", "km": i * 0.37}) for i in range(60)))

    init(from_=events, labels=labels, output=output)

    assert "from 120 events of trips.jsonl and 60 labels of ends.jsonl. Read it" in capsys.readouterr().out
    config = load(output, {})
    assert (config.labels.id, config.labels.label, config.model.problem) == ("trip", "km", Problem.REGRESSION)


def test_a_file_from_the_samples_of_the_readme_reads_their_labels(tmp_path: Path) -> None:
    events, labels, output = (str(tmp_path / name) for name in ("sample.jsonl", "labels.jsonl", "my.yaml"))
    for only, to in (("events", events), ("labels", labels)):
        done = CliRunner().invoke(app, ["simulate", "payments", "--only", only, "--events", "2000", "--to-file", to])
        assert done.exit_code == 0

    assert CliRunner().invoke(app, ["init", "--from", events, "--labels", labels, "-o", output]).exit_code == 0

    config = load(output, {})
    assert (config.labels.id, config.labels.label, config.model.positive) == ("payment", "outcome", "chargeback")


def test_init_takes_one_sample_of_labels(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected one of --labels FILE and --labels-topic TOPIC, not both"):
        init(from_=tmp_path / "a", labels=tmp_path / "b", labels_topic="c")


def test_init_says_how_much_it_reads_and_reads_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample, output = tmp_path / "many.jsonl", tmp_path / "many.yaml"
    sample.write_text('{"id": 1, "x": 1.5}\n' * 1000 + "beyond\n", encoding="utf-8")

    init(from_=sample, output=output)

    told = "from 1,000 events of many.jsonl (which has more). Read it"
    assert told in output.read_text(encoding="utf-8")
    assert told in capsys.readouterr().out
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
@example(
    rows=[{"x": n, "label": n > 1, "id": {"time": f"2013-01-0{n // 2 + 1}T00:00:00Z"}} for n in range(4)],
    name="time in what could be the id",
)
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


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(rows=st.lists(_rows, min_size=1, max_size=4))
def test_whatever_the_sample_of_labels_holds_the_file_loads(rows: list[dict[str, Any]]) -> None:
    try:
        guess = infer(sample(3), rows)
    except DataError:
        return

    with tempfile.TemporaryDirectory() as folder:
        config = written(starter(guess, name="trips", source="trips.jsonl"), Path(folder))

    assert guess.labels is not None
    assert (config.labels.id, config.labels.label) == (guess.labels.id, guess.labels.label.path)
