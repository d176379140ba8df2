"""Loading: a right file becomes a configuration; a wrong one says everything that is wrong, where, and the cure."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from stream.config.load import load
from stream.errors import ConfigError

GOOD = """\
app: flights
topics:
  events: events
  labels: labels
  predictions: predictions
  alerts: alerts
  dead_letters: dead
events:
  features:
    delay: {type: number}
    carrier: {type: category}
model:
  name: late
  problem: binary
  learner: {kind: logistic}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the file under test, relative so that messages show it as a user would."""
    monkeypatch.chdir(tmp_path)
    return Path("service.yaml")


def problems(path: Path, text: str | bytes, env: dict[str, str] | None = None) -> list[str]:
    """The lines of the error that loading this text gives."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load(path, env or {})
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def test_a_file_becomes_a_configuration(write: Path) -> None:
    write.write_text(GOOD)

    config = load(write, {})

    assert config.group == "driftline-flights"
    assert config.events.numeric == ("delay",)
    assert config.events.categorical == ("carrier",)
    assert config.labels.ttl == 7 * 86_400


def test_a_bad_value_says_field_value_what_is_allowed_and_the_cure(write: Path) -> None:
    text = GOOD + "detectors:\n  data:\n    - kind: ks\n      window: 0\n"

    assert problems(write, text) == [
        "service.yaml:19: detectors.data[0].window: got 0; expected an integer of at least 30 and at most 100000.",
        "  Remove the line to use 500.",
    ]


def test_all_problems_come_at_once_in_the_order_of_the_file(write: Path) -> None:
    text = GOOD.replace("app: flights", "app: Flights").replace("problem: binary", "problem: binry")

    assert problems(write, text + "http: {port: http}\n") == [
        (
            'service.yaml:1: app: got "Flights"; expected lower-case letters, digits, underscores and hyphens, '
            "a letter or digit first."
        ),
        'service.yaml:14: model.problem: got "binry"; expected one of binary, multiclass, regression.',
        "  Did you mean 'binary'?",
        'service.yaml:16: http.port: got "http"; expected an integer of at least 0 and at most 65535.',
        "  Remove the line to use 8080.",
    ]


def test_an_unknown_field_names_the_nearest(write: Path) -> None:
    assert problems(write, GOOD + "adaptation: {min_lables: 100}\n") == [
        "service.yaml:16: adaptation.min_lables: unknown field; did you mean 'min_labels'?"
    ]


def test_an_unknown_field_that_is_near_to_none_names_all(write: Path) -> None:
    assert problems(write, GOOD + "scores: {qqq: 100}\n") == [
        "service.yaml:16: scores.qqq: unknown field.",
        "  Known here: window, rare.",
    ]


def test_a_missing_field_says_what_it_is_for(write: Path) -> None:
    assert problems(write, GOOD.replace("  name: late\n", "")) == [
        (
            "service.yaml:12: model.name: is missing; expected letters, digits, dots, underscores and hyphens, "
            "a letter or digit first (name of the model in the registry)."
        )
    ]


def test_a_wrong_kind_lists_the_kinds_and_the_nearest(write: Path) -> None:
    [first, second] = problems(write, GOOD + "detectors: {concept: [{kind: adwinn}]}\n")

    assert first.startswith('service.yaml:16: detectors.concept[0].kind: got "adwinn"; expected one of adwin, cusum, ')
    assert second == "  Did you mean 'adwin'?"


def test_a_feature_without_a_type_lists_the_types(write: Path) -> None:
    assert problems(write, GOOD.replace("{type: number}", "{min: 3}")) == [
        "service.yaml:10: events.features.delay.type: is missing; expected one of number, category, boolean."
    ]


def test_a_bad_field_of_one_kind_is_told_without_the_machinery_of_kinds(write: Path) -> None:
    assert problems(write, GOOD.replace("{type: number}", "{type: number, required: perhaps}")) == [
        'service.yaml:10: events.features.delay.required: got "perhaps"; expected true or false.',
        "  Remove the line to use false.",
    ]


def test_yaml_that_reads_a_text_as_something_else_says_to_quote_it(write: Path) -> None:
    assert problems(write, GOOD.replace("{type: category}", "{type: category, values: [SE, NO]}")) == [
        "service.yaml:11: events.features.carrier.values[1]: got false; expected text.",
        "  Put it in quotes, so that YAML reads it as text.",
    ]


def test_a_duration_takes_only_known_units(write: Path) -> None:
    assert problems(write, GOOD + "labels: {ttl: 7 moons}\n") == [
        'service.yaml:16: labels.ttl: got "7 moons"; expected a duration such as "250ms", "30s", "6h" or "2d".',
        "  Remove the line to use 7d.",
    ]


def test_an_infinite_duration_is_refused(write: Path) -> None:
    [first, _] = problems(write, GOOD + "labels: {ttl: .inf}\n")

    assert first.startswith("service.yaml:16: labels.ttl: got inf; expected a duration")


def test_a_rule_between_fields_names_the_section(write: Path) -> None:
    assert problems(write, GOOD + "adaptation: {min_labels: 100, max_labels: 50}\n") == [
        "service.yaml:16: adaptation: max_labels is 50; expected at least min_labels (100)."
    ]


def test_a_detector_on_a_feature_that_does_not_exist_is_told_at_its_line(write: Path) -> None:
    assert problems(write, GOOD + "detectors:\n  data:\n    - {kind: ks, features: [dely]}\n") == [
        "service.yaml:18: detectors.data[0].features: 'dely' does not exist; ks can watch delay."
    ]


def test_a_learner_that_cannot_do_the_problem_is_told_at_its_line(write: Path) -> None:
    [problem] = problems(write, GOOD.replace("problem: binary", "problem: regression"))

    assert problem.startswith(
        "service.yaml:15: model.learner.kind: logistic cannot do regression problems; these can: "
    )


def test_a_label_that_is_also_a_feature_is_refused_as_a_leak(write: Path) -> None:
    assert problems(write, GOOD.replace("events:\n  features", "events:\n  label: delay\n  features")) == [
        "service.yaml:8: events: features.delay and label both stand at 'delay'; give each its own path, or remove one."
    ]


def test_a_feature_inside_another_is_refused(write: Path) -> None:
    text = GOOD.replace("{type: number}", "{type: number, path: carrier.delay}")

    assert problems(write, text) == [
        (
            "service.yaml:8: events: features.carrier stands at 'carrier' and features.delay inside it, at "
            "'carrier.delay'; remove one."
        )
    ]


def test_without_any_labels_the_file_as_a_whole_is_wrong(write: Path) -> None:
    assert problems(write, GOOD.replace("  labels: labels\n", "")) == [
        "service.yaml: no labels: set topics.labels (labels on their own topic) or events.label (inline)."
    ]


def test_an_empty_section_is_named(write: Path) -> None:
    assert problems(write, GOOD + "audit:\n") == [
        "service.yaml:16: audit: got null; expected a section.",
        "  Give it fields, or remove the line.",
    ]


def test_a_broker_without_a_port_is_named(write: Path) -> None:
    assert problems(write, GOOD + "kafka: {bootstrap_servers: 'a:9092,b'}\n") == [
        (
            "service.yaml:16: kafka.bootstrap_servers: 'b' is not a broker address; expected host:port, "
            'such as "localhost:9092".'
        )
    ]


def test_a_password_in_the_file_is_refused_without_being_shown(write: Path) -> None:
    lines = problems(write, GOOD + "redis: {url: 'http://user:hunter2@host', password: hunter3}\n")

    assert lines == [
        (
            'service.yaml:16: redis.url: got "http://***@host"; expected an address that begins with redis://, '
            "rediss:// or unix://."
        ),
        '  Remove the line to use "redis://localhost:6379/0".',
        "service.yaml:16: redis.password: expected `env: NAME` or `file: PATH` (a secret is never written here).",
        "  Name the environment variable or the file that holds it.",
    ]


def test_variables_of_the_environment_are_filled_in(write: Path) -> None:
    write.write_text(GOOD + "http: {port: '${PORT}', host: '${HOST:-0.0.0.0}'}\nredis: {url: 'redis://${REDIS}/1'}\n")

    config = load(write, {"PORT": "99", "HOST": "", "REDIS": "r:1"})

    assert (config.http.port, config.http.host, config.redis.url) == (99, "0.0.0.0", "redis://r:1/1")


def test_a_doubled_dollar_stands_for_itself(write: Path) -> None:
    write.write_text(GOOD.replace("{type: number}", "{type: number, path: '$${x}'}"))

    assert load(write, {}).events.features["delay"].path == "${x}"


def test_an_unset_variable_names_itself_its_field_and_the_cure(write: Path) -> None:
    assert problems(write, GOOD + "http: {port: '${PORT}'}\n") == [
        "service.yaml:16: http.port: the environment variable PORT is not set.",
        "  Set it, or write ${PORT:-default} to do without.",
    ]


def test_a_large_bound_is_told_as_it_is_written(write: Path) -> None:
    [first, _] = problems(write, GOOD + "alarms: {expected_events_per_false_alarm: 10}\n")

    assert first.endswith("got 10; expected a number of at least 1000 and at most 1000000000000.")


def test_a_reference_that_is_none_is_told(write: Path) -> None:
    [first, _] = problems(write, GOOD + "http: {host: '${a b}'}\n")

    assert first == "service.yaml:16: http.host: ${a b} is no reference; expected ${NAME} or ${NAME:-default}."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "service.yaml: the file is empty."),
        ("# nothing\n", "service.yaml: the file is empty."),
        ("- a\n", "service.yaml:1: expected a mapping of sections (app, topics, ...)."),
        ("app: a\napp: b\n", "service.yaml:2: 'app' stands twice; it was first given in line 1."),
        ("app: a\non: b\n", "service.yaml:2: the key on is not text: put it in quotes."),
        ("app: [a\n", "service.yaml:2: not YAML: while parsing a flow sequence, expected ',' or ']', but"),
        ("app: !!python/object:os.system {}\n", "service.yaml:1: could not determine a constructor for the tag"),
        ("app: &a\n  - *a\n", "the configuration is nested more than 40 levels deep, or refers to itself."),
        (b"app: \xff\n", "service.yaml: not UTF-8 text (byte 5)."),
        (b"app: \x00\n", "service.yaml: not YAML: unacceptable character"),
    ],
)
def test_a_file_that_is_no_mapping_in_yaml_is_told(write: Path, text: str | bytes, message: str) -> None:
    assert problems(write, text)[0].startswith(message)


@pytest.mark.parametrize(
    ("text", "line", "cure"),
    [
        ("app: a\nmodel:\n\tname: b\n", 3, "Indent with spaces: YAML takes no tabs."),
        ("app: a\nmodel:\n  name b\n  problem: binary\n", 4, "There or shortly above a colon, a quote or"),
        ('app: "a\nmodel: {name: b}\nhttp: {host: "c"}\n', 3, "There or shortly above a colon, a quote or"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line_and_the_cure(write: Path, text: str, line: int, cure: str) -> None:
    [first, second] = problems(write, text)

    assert first.startswith(f"service.yaml:{line}: not YAML: ")
    assert second.startswith(f"  {cure}")


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match=r"^nowhere\.yaml: there is no such file\."):
        load("nowhere.yaml", {})


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_value_that_comes_by_a_merge_is_told_where_it_is_written(write: Path) -> None:
    text = dedent("""\
        events:
          features:
            delay: &number {type: number, required: perhaps}
            other: {<<: *number, path: b}
        """)

    lines = problems(write, GOOD.replace(GOOD[GOOD.index("events:\n  f") : GOOD.index("model:")], text))

    assert [line for line in lines if "required" in line] == [
        'service.yaml:10: events.features.delay.required: got "perhaps"; expected true or false.',
        'service.yaml:10: events.features.other.required: got "perhaps"; expected true or false.',
    ]
