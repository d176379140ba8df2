"""The broker stops in mid-stream, forgets what a resume needs, or takes no outputs for a while."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer
from kafka.structs import TopicPartition

from stream.embedded import EmbeddedKafka
from stream.kafka.client import admin
from tests.faults.conftest import MakeStage
from tests.faults.support import (
    Outcome,
    assert_same,
    fill,
    finish,
    newest_snapshot,
    outcome,
    undisturbed,
    wait_committed,
)
from tests.faults.test_worker_faults import alerts_refused, produce_a_flip, state_of_kafka
from tests.integration.support.running import Forked
from tests.integration.support.stage import Stage, event, merged
from tests.integration.support.waiting import until

ADAPTING = {
    "adaptation": {"policy": "replace_when_better", "min_labels": 200},
    "kafka": {"instance": "w1", "max_poll_records": 20},
    "runtime": {"commit_interval": "20ms", "snapshot_interval": "200ms"},
}
pytestmark = pytest.mark.timeout(240)
"""A broker is away, comes back and is waited for by three workers before the first of these tests begins."""

EVENTS = 2000
"""Enough for a challenger to win after the flip."""


@pytest.fixture(scope="module")
def uninterrupted(make_stage: MakeStage) -> Outcome:
    return undisturbed(make_stage(ADAPTING), EVENTS)


def flood(stage: Stage, numbers: Iterable[int]) -> None:
    """Events of 24 kB each, as fast as may be."""
    producer = Producer({"bootstrap.servers": stage.outside.bootstrap, "compression.type": "none"})
    for n in numbers:
        given = event(n, {"x": 0.5, "kind": "a", "padding": "x" * 24_000})
        producer.produce(stage.topic("events"), given.value, given.key, 0, timestamp=round(given.timestamp * 1000))
    assert producer.flush(30.0) == 0


class Outage(NamedTuple):
    """What was seen of a worker in mid-stream whose broker was killed, and of one that started while it was away."""

    predicted: int  # when the broker went
    down: dict[str, Any]
    up: tuple[float, float]  # while it was away, and afterwards
    outcome: Outcome
    late: dict[str, Any]
    late_said: dict[str, Any]
    late_log: str
    late_predictions: list[dict[str, Any]]


@pytest.fixture(scope="module")
def outage(make_stage: MakeStage, own_broker: EmbeddedKafka) -> Outage:
    """A broker takes a while to come back, so it goes but once."""
    stage, late = make_stage(ADAPTING), make_stage()
    fill(stage, 0, EVENTS)
    late.produce("events", [event(n) for n in range(50)])
    with ExitStack() as stack:
        worker = stack.enter_context(Forked(stage))
        worker.wait_ready()
        until(lambda: worker.metric("driftline_records_total", outcome="predicted") > 600, 30.0, lambda: worker.log)
        own_broker.kill()
        try:
            predicted = round(worker.metric("driftline_records_total", outcome="predicted"))
            until(lambda: state_of_kafka(worker)["state"] == "down", 40.0, lambda: worker.log)
            down, up = state_of_kafka(worker), worker.metric("driftline_kafka_up")
            latecomer = stack.enter_context(Forked(late))
            late_said = latecomer.wait_said("kafka_not_reached")
            until(lambda: state_of_kafka(latecomer).get("state") == "down", 10.0, lambda: latecomer.log)
            late_down = state_of_kafka(latecomer)
        finally:
            own_broker.start()
        wait_committed(stage, EVENTS, worker)
        worker.wait_ready()
        up_again = worker.metric("driftline_kafka_up")
        latecomer.wait_ready()
        until(lambda: late.committed("events") == 50, 30.0, lambda: latecomer.log)
        until(lambda: state_of_kafka(latecomer)["state"] == "ok")
        for one in (worker, latecomer):
            assert one.terminate() == 0, one.log
        late_log = latecomer.log
    return Outage(
        predicted, down, (up, up_again), outcome(stage), late_down, late_said, late_log, late.predictions(at_least=50)
    )


def test_a_broker_that_stops_in_mid_stream_doubles_and_loses_nothing(outage: Outage, uninterrupted: Outcome) -> None:
    assert outage.predicted < EVENTS
    assert {p["model_version"] for p in uninterrupted.predictions[0]} == {1, 2}
    assert_same(outage.outcome, uninterrupted)


def test_a_broker_that_goes_is_told_until_it_comes_back(outage: Outage) -> None:
    assert (outage.down["code"], outage.down["state"]) == (503, "down")
    assert outage.up == (0, 1)


def test_a_worker_that_finds_no_broker_says_so_and_works_when_it_comes(
    outage: Outage, own_broker: EmbeddedKafka
) -> None:
    assert (outage.late["code"], outage.late["state"]) == (503, "down")
    assert own_broker.bootstrap_servers in outage.late["reason"]
    assert own_broker.bootstrap_servers in outage.late_said["error"]
    assert outage.late_said["retry_s"] > 0
    assert "Traceback" not in outage.late_log
    assert [p["id"] for p in outage.late_predictions] == [f"e{n}" for n in range(50)]


@pytest.mark.parametrize("client", ["confluent", "kafka-python"])
def test_labels_whose_position_the_broker_has_forgotten_are_read_on_from_where_the_journal_ends(
    make_stage: MakeStage, uninterrupted: Outcome, client: str
) -> None:
    """The group subscribes to events only, so the broker drops what is committed for labels after a week's silence."""
    stage = make_stage(merged(ADAPTING, {"kafka": {"client": client}}))
    fill(stage, 0, EVENTS)
    with Forked(stage) as worker:
        until(lambda: stage.committed("labels") > 500, 30.0, lambda: worker.log)
        worker.kill()
    with closing(admin(stage.config.kafka)) as broker:
        broker.delete_group_offsets(stage.group, [TopicPartition(stage.topic("labels"), 0)])
    events, labels = stage.committed("events"), stage.committed("labels")
    finish(stage, EVENTS)

    assert events > 500
    assert labels == 0
    assert_same(outcome(stage), uninterrupted)


def test_a_truncated_log_is_told_and_counted(make_stage: MakeStage) -> None:
    stage = make_stage(ADAPTING)
    fill(stage, 0, 500)
    finish(stage, 500)
    fill(stage, 500, 1000)
    stage.outside.truncate(stage.topic("events"), 700)
    with Forked(stage) as worker:
        gap = worker.wait_said("resume_gap")
        wait_committed(stage, 1000, worker)
        counted = worker.metric("driftline_resume_gap_records_total")
        assert worker.terminate() == 0, worker.log
    predicted = [p["id"] for p in stage.predictions(at_least=800)]

    assert gap["records_not_learned"] == {"events": 200, "labels": 0}
    assert counted == 200
    assert predicted == [f"e{n}" for n in [*range(500), *range(700, 1000)]]


def test_a_truncated_journal_is_told_and_counted_and_the_newest_snapshot_taken(make_stage: MakeStage) -> None:
    stage = make_stage(ADAPTING)
    fill(stage, 0, 500)
    finish(stage, 500)
    saved = newest_snapshot(stage.config, 0)
    stage.configure({"runtime": {"snapshot_interval": "1h"}})
    fill(stage, 500, 1000)
    with Forked(stage) as worker:
        wait_committed(stage, 1000, worker)
        worker.kill()
    stage.outside.truncate(stage.topic("journal"), saved.journal + 1)
    fill(stage, 1000, 1200)
    with Forked(stage) as worker:
        gap = worker.wait_said("resume_gap")
        wait_committed(stage, 1200, worker)
        assert worker.terminate() == 0, worker.log
    after = newest_snapshot(stage.config, 0)

    assert gap["records_not_learned"] == {"events": 500, "labels": 500}
    assert (saved.state.scores.labels, after.state.scores.labels) == (500, 700)
    assert [p["id"] for p in stage.predictions(at_least=1200)] == [f"e{n}" for n in range(1200)]


def test_outputs_that_are_not_taken_hold_back_the_inputs(make_stage: MakeStage) -> None:
    stage = make_stage({"merge": {"max_buffered": 200}, "kafka": {"max_poll_records": 100}})
    alerts_refused(stage, True)
    produce_a_flip(stage)
    with Forked(stage) as worker:
        until(lambda: state_of_kafka(worker).get("state") == "down", 30.0, lambda: worker.log)
        lean = worker.metric("process_resident_memory_bytes")
        flood(stage, range(400, 3_000))
        time.sleep(1.5)  # in which it would have read them all
        full = worker.metric("process_resident_memory_bytes")
        predicted = worker.metric("driftline_records_total", outcome="predicted")
        alerts_refused(stage, False)
        until(lambda: stage.committed("events") == 3_000, 60.0, lambda: worker.log)

    assert predicted <= 400
    assert full - lean < 36e6, "of 60 MB that came meanwhile"
    assert [p["id"] for p in stage.predictions(at_least=3_000)] == [f"e{n}" for n in range(3_000)]
