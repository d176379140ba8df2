"""`driftline explain`: past predictions made once more from what a service left behind, to the last bit."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import redis
from kafka.structs import TopicPartition
from typer.testing import CliRunner, Result

from learners.base import Problem, Schema
from learners.linear import LogisticConfig
from learners.registry import build
from stream.cli import main
from stream.cli.commands import app
from stream.config.trust import trust_of
from stream.errors import DriftlineError, ModelError
from stream.kafka.client import admin
from stream.kafka.finding import UnknownPrediction
from stream.kafka.rebuild import NotRebuilt
from stream.kafka.snapshots import ARCHIVED, snapshots_of
from stream.stores.base import VersionMeta
from stream.stores.opening import open_snapshots, open_store
from tests.integration.service.conftest import MakeStage
from tests.integration.support.outside import Given
from tests.integration.support.running import Forked, InThread
from tests.integration.support.stage import Stage, event, label, x_of
from tests.integration.support.waiting import until

FLIP = 700
"""The event from which what was true is false, so that a challenger is promoted."""
STOP = 1500
"""Where the service is stopped in order, and goes on from its snapshot."""
END = 1600

ADAPTING = {
    "adaptation": {"policy": "replace_when_better", "min_labels": 200},
    "detectors": {"concept": [{"kind": "ddm"}], "data": [{"kind": "ks"}]},
    "kafka": {"instance": "w1", "max_poll_records": 40, "session_timeout": "6s"},
    "runtime": {"commit_interval": "20ms", "snapshot_archive": {"keep": 0}},
}
ARCHIVING = ADAPTING | {"runtime": {"commit_interval": "20ms", "snapshot_archive": {"every": "1ms", "keep": 1000}}}


def sign(n: int) -> bool:
    return (x_of(n) > 0) == (n < FLIP)


def height(n: int) -> float:
    return (3.0 if n < FLIP else -3.0) * x_of(n) + 1.0


def inline(n: int, truth: Callable[[int], object]) -> Given:
    """An event; two of three have their label with them."""
    row: dict[str, Any] = {"x": x_of(n), "kind": "ab"[n % 2]}
    return event(n, row | {"late": truth(n)} if n % 3 else row)


def live(stage: Stage, truth: Callable[[int], object], *, labels_inline: bool = False) -> None:
    """A service that lives through a drift and a promotion, is killed in the middle of it all, and stopped once."""

    def produce(first: int, end: int) -> None:
        numbers = range(first, end)
        stage.produce("events", [inline(n, truth) if labels_inline else event(n) for n in numbers])
        late = [n for n in numbers if not labels_inline or n % 3 == 0]
        stage.produce("labels", [label(n, truth(n), delay=5.5) for n in late])

    produce(0, STOP)
    with Forked(stage, "committed:4") as worker:
        assert worker.wait(60.0) == -9, worker.log
    finish(stage, STOP)
    produce(STOP, END)
    finish(stage, END)


def finish(stage: Stage, end: int) -> None:
    """A service that works off the events up to there, and is stopped in order."""
    with InThread(stage):
        until(lambda: stage.committed("events") == end, 60.0)
        stage.predictions(at_least=end)


def ask(stage: Stage, id_: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["explain", id_, "-c", str(stage.file), *options])


def explained(stage: Stage, id_: str, *options: str) -> dict[str, Any]:
    result = ask(stage, id_, "--json", *options)
    assert result.exit_code == 0, result.output + repr(result.exception)
    known: dict[str, Any] = json.loads(result.stdout)
    return known


def refused(stage: Stage, id_: str, *options: str) -> DriftlineError:
    error = ask(stage, id_, *options).exception
    assert isinstance(error, DriftlineError), repr(error)
    return error


def assert_all_agree(stage: Stage, unit: str) -> None:
    """Early, middle and newest predictions, the last by the old champion and the first by the new one."""
    predictions = stage.predictions(at_least=END)
    versions = [p["model_version"] for p in predictions]
    promoted = versions.index(2)
    assert FLIP < promoted < STOP
    asked = [30, FLIP - 1, FLIP, promoted - 1, promoted, STOP - 1, STOP, END - 1]
    found = {n: explained(stage, f"e{n}") for n in asked}

    assert [(n, known["agrees"], known["differences"]) for n, known in found.items()] == [(n, True, {}) for n in asked]
    assert {n: known["prediction"] for n, known in found.items()} == {n: predictions[n] for n in asked}
    assert {n: known["features"] for n, known in found.items()} == {
        n: {"x": x_of(n), "kind": "ab"[n % 2]} for n in asked
    }
    assert {known["explanation"]["unit"] for known in found.values()} == {unit}
    sources = {n: known["rebuilt_from"]["source"] for n, known in found.items()}
    assert {sources[n] for n in asked if n < STOP} == {"the beginning of its journal"}
    assert {sources[n].split(" entry ")[0] for n in asked if n >= STOP} == {"its snapshot after"}


def test_predictions_of_a_binary_model_with_late_labels_are_explained_bit_for_bit(make_stage: MakeStage) -> None:
    stage = make_stage(ADAPTING)
    live(stage, sign)

    assert_all_agree(stage, "log-odds")


def test_predictions_of_a_tree_that_learns_within_its_spans_are_explained_bit_for_bit(make_stage: MakeStage) -> None:
    tree = {"learner": {"kind": "hoeffding_tree", "grace_period": 50}}
    stage = make_stage(ADAPTING | {"model": tree, "events": {"label": "late"}})
    live(stage, sign, labels_inline=True)

    assert_all_agree(stage, "probability")


def test_predictions_of_numbers_are_explained_bit_for_bit(make_stage: MakeStage) -> None:
    regression = {"problem": "regression", "learner": {"kind": "linear_regression"}}
    stage = make_stage(ADAPTING | {"model": regression, "adaptation": {"policy": "reset"}})
    live(stage, height)

    assert_all_agree(stage, "unit of the label")


def promote_another(stage: Stage) -> int:
    """Make a model from elsewhere that thinks the opposite the champion: its version."""
    learner = build(LogisticConfig(learning_rate=0.5), Problem.BINARY, Schema(("x",), ("kind",)), seed=1)
    learner.learn([{"x": x_of(n)} for n in range(200)], [x_of(n) <= 0 for n in range(200)])
    store = open_store(stage.config)
    meta = VersionMeta(created=1.0, recipe="logistic", reason="pushed", who="test", parents=(1,))
    version = store.publish("small", learner, meta=meta)
    store.promote("small", version, expected_epoch=1, reason="promoted", who="test")
    return version


def test_a_version_gone_back_to_knows_what_it_has_learned_since_and_is_explained(make_stage: MakeStage) -> None:
    stage = make_stage({"adaptation": {"probation": 5000}})

    def produce(first: int, end: int) -> None:
        stage.produce("events", [event(n) for n in range(first, end)])
        stage.predictions(at_least=end)
        stage.produce("labels", [label(n) for n in range(first, end)])
        until(lambda: stage.committed("labels") == end)

    with InThread(stage) as service:
        service.wait_version(1)  # stored before its first label
        produce(0, 100)
        version = promote_another(stage)
        service.wait_version(version)
        produce(100, 140)  # too few labels to bring it back by itself
        open_store(stage.config).rollback("small", None, expected_epoch=2, who="test", reason="rollback: by hand")
        service.wait_version(1)
        produce(140, 200)
        predictions = stage.predictions(at_least=200)

    assert [p["model_version"] for p in predictions] == 100 * [1] + 40 * [version] + 60 * [1]
    clear = [n for n in range(140, 200) if abs(x_of(n)) > 0.3]
    assert all(predictions[n]["prediction"] == (x_of(n) > 0) for n in clear)
    assert predictions[140]["probabilities"]["true"] != 0.5, "it goes on with what it has learned"
    for n in (99, 100, 139, 140, 199):
        known = explained(stage, f"e{n}")
        assert (known["agrees"], known["prediction"]) == (True, predictions[n])


def test_a_model_that_came_from_the_store_is_explained_in_each_partition_it_came_to(make_stage: MakeStage) -> None:
    stage = make_stage({"adaptation": {"probation": 0}}, partitions=2)

    def produce(first: int, end: int) -> None:
        stage.produce("events", [event(n, partition=n % 2) for n in range(first, end)])
        stage.produce("labels", [label(n, partition=n % 2) for n in range(first, end)])

    produce(0, 60)
    with InThread(stage) as service:
        stage.predictions(at_least=60)
        version = promote_another(stage)
        service.wait_version(version)
        until(lambda: len(stage.alerts("model_swap")) == 2)  # each task has it
        produce(60, 120)
        stage.predictions(at_least=120)

    for n in (58, 59, 60, 61, 118, 119):
        known = explained(stage, f"e{n}")
        assert known["agrees"]
        assert known["prediction"]["model_version"] == (1 if n < 60 else version)
        assert known["event"] == {"topic": stage.topic("events"), "partition": n % 2, "offset": n // 2}


def test_predictions_of_before_both_newest_snapshots_are_explained_bit_for_bit_when_the_journal_is_cut_off(
    make_stage: MakeStage,
) -> None:
    # Given a service that was stopped now and then, whose log begins with an archived snapshot of before the promotion
    stage = make_stage(ARCHIVING)
    for begin, end in pairwise((0, 300, 600, 900, STOP, END)):
        stage.produce("events", [event(n) for n in range(begin, end)])
        stage.produce("labels", [label(n, sign(n), delay=5.5) for n in range(begin, end)])
        finish(stage, end)
    predictions = stage.predictions(at_least=END)
    promoted = [p["model_version"] for p in predictions].index(2)
    store = open_snapshots(stage.config)
    archive = [archived.point.events for archived in store.archived("0")]
    stored = list(snapshots_of(store, trust_of(stage.config.security), stage.config.app, 0, before=promoted - 1))
    slots = [one.resumed.positions["events"] for one in stored if one.which != ARCHIVED]
    oldest = [one.resumed for one in stored if one.which == ARCHIVED][-1]
    first = oldest.positions["events"]
    stage.outside.truncate(stage.topic("journal"), oldest.journal)
    stage.outside.truncate(stage.topic("events"), first)
    stage.outside.truncate(stage.topic("labels"), oldest.positions["labels"])

    # When predictions of before the two newest snapshots are asked for
    asked = sorted({first, promoted - 1, promoted, min(slots) - 1, *(events for events in archive if events > first)})
    asked = [n for n in asked if n < min(slots)]
    found = {n: explained(stage, f"e{n}") for n in asked}

    # Then they are as they were, each from the newest archived one before it
    assert (first < promoted, len(asked) > 3, len(slots)) == (True, True, 2)
    assert [(n, known["agrees"]) for n, known in found.items()] == [(n, True) for n in asked]
    assert {n: known["prediction"] for n, known in found.items()} == {n: predictions[n] for n in asked}
    sources = {known["rebuilt_from"]["source"].rpartition(" ")[0] for known in found.values()}
    assert sources == {"its archived snapshot after entry"}
    assert len({known["rebuilt_from"]["source"] for known in found.values()}) > 1
    assert isinstance(refused(stage, f"e{first - 1}"), NotRebuilt)


# one small stream


@pytest.fixture
def lived(stage: Stage) -> Stage:
    """A service that predicted 60 events, learned from them, and was stopped."""
    stage.produce("events", [event(n) for n in range(60)])
    stage.produce("labels", [label(n) for n in range(60)])
    with InThread(stage):
        stage.predictions(at_least=60)
        until(lambda: stage.committed("labels") == 60)
    return stage


def test_people_are_shown_event_model_features_and_what_each_added(lived: Stage) -> None:
    result = ask(lived, "e42")
    assert result.exit_code == 0, result.output

    text = result.stdout
    for words in (f"{lived.topic('events')}[0]@42", "key key0", "small version 1", "logistic", "2023-11-14 22:14"):
        assert words in text
    assert re.search(r"prediction +(true|false) \d+%", text)
    assert re.search(r"rebuilt from +(the beginning of its journal|its snapshot after entry \d+); \d+ entr", text)
    assert re.search(rf"x +│ {re.escape(str(x_of(42)))} +│ +[+-]?\d", text)
    assert re.search(r"kind +│ a +│ +[+-]?\d", text)
    assert "adds to true (log-odds)" in text
    assert "agrees with the published one in all 12 fields, bit for bit" in text


def test_nothing_is_written_anywhere(lived: Stage, redis_url: str) -> None:
    def world() -> tuple[Any, ...]:
        with redis.Redis.from_url(redis_url) as client:
            stored = {key: client.dump(key) for key in client.keys("*")}
        ends = {name: len(lived.read(name)) for name in ("events", "labels", "predictions", "journal")}
        return stored, ends, lived.committed("events"), lived.committed("labels"), lived.outside.members(lived.group)

    before = world()
    explained(lived, "e42")

    assert world() == before


def test_a_service_that_runs_is_explained_while_it_runs(stage: Stage) -> None:
    stage.produce("events", [event(n) for n in range(60)])
    with InThread(stage):
        stage.predictions(at_least=60)
        assert explained(stage, "e59")["agrees"]


def test_a_service_that_was_stopped_before_its_first_event_is_explained_from_the_beginning(stage: Stage) -> None:
    with InThread(stage) as service:
        service.wait_version(1)
    stage.produce("events", [event(n) for n in range(20)])
    with InThread(stage):
        stage.predictions(at_least=20)

    assert explained(stage, "e7")["prediction"]["model_version"] == 1


def test_what_was_searched_for_an_unknown_id_is_told(lived: Stage) -> None:
    error = refused(lived, "e600")

    assert isinstance(error, UnknownPrediction)
    topic = re.escape(lived.topic("predictions"))
    assert re.search(rf"there is no prediction of 'e600' on {topic}\. Searched: \[0\] offsets 0 to \d+\.", str(error))


def test_another_configuration_is_refused_and_that_of_then_asked_for(lived: Stage) -> None:
    lived.configure({"model": {"seed": 7}})
    error = refused(lived, "e42")

    assert isinstance(error, NotRebuilt)
    assert "was predicted with another configuration" in str(error)
    assert "Give the file as it was then (-c)" in str(error)


def test_a_prediction_that_the_model_never_made_is_told_and_leaves_with_1(
    lived: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = lived.predictions()[42] | {"prediction": True, "probabilities": {"true": 0.75, "false": 0.25}}
    lived.produce("predictions", [Given(json.dumps(forged).encode(), b"key0", time.time())])

    monkeypatch.setattr(sys, "argv", ["driftline", "explain", "e42", "-c", str(lived.file)])
    with pytest.raises(SystemExit) as ended:
        main()

    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert "driftline: the rebuilt prediction is not the published one: " in printed.err
    assert 'probabilities was {"true": 0.75, "false": 0.25}, is {"true":' in printed.err
    assert "agrees" not in printed.out
    assert isinstance(refused(lived, "e42"), ModelError)


def test_a_log_that_was_cut_off_is_told_with_what_is_missing(lived: Stage) -> None:
    client = admin(lived.config.kafka)
    client.delete_records({TopicPartition(lived.topic("events"), 0): 50})
    client.close()

    error = refused(lived, "e42")

    assert isinstance(error, NotRebuilt)
    topic = re.escape(lived.topic("events"))
    assert re.search(rf"{topic}\[0\] begins at offset 50; offset \d+ is no longer kept", str(error))
    assert "retention.ms" in str(error)


def test_the_newest_of_several_predictions_is_explained_and_the_others_are_told(make_stage: MakeStage) -> None:
    instance = {"instance": "w1", "session_timeout": "6s"}
    stage = make_stage({"delivery": "at_least_once", "kafka": instance, "runtime": {"commit_interval": "1h"}})
    with InThread(stage) as service:
        service.wait_version(1)  # to register it would be a reason to commit early
    stage.produce("events", [event(n) for n in range(60)])
    stage.produce("labels", [label(n, delay=100.5) for n in range(60)])
    with Forked(stage) as worker:
        stage.predictions(at_least=60)
        worker.kill()
    stage.configure({"runtime": {"commit_interval": "50ms"}})
    with InThread(stage):
        stage.predictions(at_least=120)

    known = explained(stage, "e7")

    assert known["published"] == {
        "topic": stage.topic("predictions"),
        "partition": 0,
        "offset": 67,
        "older_of_this_id": 1,
    }
    assert "the newest of 2 predictions of this id" in " ".join(ask(stage, "e7").stdout.split())
