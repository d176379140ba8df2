"""The broker stops in mid-stream, forgets what a resume needs, or takes no outputs for a while."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import Producer

from stream.embedded import EmbeddedKafka
from tests.faults.conftest import MakeStage
from tests.faults.support import assert_same, fill, finish, newest_snapshot, outcome, wait_committed
from tests.faults.test_worker_faults import alerts_refused, produce_a_flip, state_of_kafka
from tests.integration.support.running import Forked
from tests.integration.support.stage import Stage, event
from tests.integration.support.waiting import until

ADAPTING = {
    "adaptation": {"policy": "replace_when_better", "min_labels": 200},
    "kafka": {"instance": "w1", "max_poll_records": 20},
    "runtime": {"commit_interval": "20ms", "snapshot_interval": "200ms"},
}


def flood(stage: Stage, numbers: Iterable[int]) -> None:
    """Events of 24 kB each, as fast as may be."""
    producer = Producer({"bootstrap.servers": stage.outside.bootstrap, "compression.type": "none"})
    for n in numbers:
        given = event(n, {"x": 0.5, "kind": "a", "padding": "x" * 24_000})
        producer.produce(stage.topic("events"), given.value, given.key, 0, timestamp=round(given.timestamp * 1000))
    assert producer.flush(30.0) == 0


def test_a_broker_that_stops_in_mid_stream_doubles_and_loses_nothing(
    make_stage: MakeStage, own_broker: EmbeddedKafka
) -> None:
    expected, stage = make_stage(ADAPTING), make_stage(ADAPTING)
    fill(expected, 0, 3000)
    finish(expected, 3000)
    fill(stage, 0, 3000)
    with Forked(stage) as worker:
        worker.wait_ready()
        until(lambda: worker.metric("driftline_records_total", outcome="predicted") > 600, 30.0, lambda: worker.log)
        own_broker.kill()
        try:
            before = worker.metric("driftline_records_total", outcome="predicted")
            until(lambda: state_of_kafka(worker)["state"] == "down", 40.0, lambda: worker.log)
        finally:
            own_broker.start()
        wait_committed(stage, 3000, worker)
        assert worker.terminate() == 0, worker.log

    assert before < 3000
    assert_same(outcome(stage), outcome(expected))


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
        time.sleep(3.0)  # in which it would have read them all
        full = worker.metric("process_resident_memory_bytes")
        predicted = worker.metric("driftline_records_total", outcome="predicted")
        alerts_refused(stage, False)
        until(lambda: stage.committed("events") == 3_000, 60.0, lambda: worker.log)

    assert predicted <= 400
    assert full - lean < 36e6, "of 60 MB that came meanwhile"
    assert [p["id"] for p in stage.predictions(at_least=3_000)] == [f"e{n}" for n in range(3_000)]
