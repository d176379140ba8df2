"""A worker whose surroundings fail: nothing is lost, the state can be seen, and it recovers without hands."""

from __future__ import annotations

import time
from typing import Any

from stream.embedded import EmbeddedKafka
from tests.integration.store.conftest import hanging
from tests.integration.support.running import Http, InThread
from tests.integration.support.stage import Stage, event, label, x_of
from tests.integration.support.waiting import until


def state_of_kafka(service: Http) -> dict[str, Any]:
    code, report = service.readyz()
    return {"code": code, **report.get("parts", {}).get("kafka", {})}


def produce_a_flip(stage: Stage) -> None:
    """400 events whose concept flips after 300, with their labels: an alert is due."""
    stage.produce("events", [event(n) for n in range(400)])
    stage.produce("labels", [label(n, (x_of(n) > 0) == (n < 300)) for n in range(400)])


def alerts_refused(stage: Stage, refused: bool) -> None:
    """Make the broker refuse every record of the alerts topic for its size, or take them again. The marks that it sets
    itself at the end of transactions are smaller.
    """
    stage.outside.configure(stage.topic("alerts"), "max.message.bytes", "200" if refused else "1000000")


def test_failed_alert_sink_does_not_commit_offsets(stage: Stage) -> None:
    alerts_refused(stage, True)
    stage.configure({"runtime": {"commit_interval": "1s"}})
    produce_a_flip(stage)
    with InThread(stage) as service:
        until(lambda: state_of_kafka(service).get("state") == "down", 30.0, lambda: str(service.readyz()))
        down, up = state_of_kafka(service), service.metric("driftline_kafka_up")
        committed = stage.committed("events")
        alerts_refused(stage, False)
        alert = stage.alerts("concept_drift")[0].json
        until(lambda: stage.committed("events") == 400, 30.0)
        service.wait_ready()

    assert (down["code"], up) == (503, 0)
    assert stage.topic("alerts") in down["reason"]
    assert committed < 400
    assert alert["offset"] >= committed
    assert {p["id"] for p in stage.predictions(at_least=400)} == {f"e{n}" for n in range(400)}


def test_outputs_that_were_not_taken_before_a_stop_are_made_again_after_it(stage: Stage) -> None:
    alerts_refused(stage, True)
    stage.configure({"runtime": {"commit_interval": "1s"}})
    produce_a_flip(stage)
    with InThread(stage) as service:
        until(lambda: state_of_kafka(service).get("state") == "down", 30.0, lambda: str(service.readyz()))
    alerts_refused(stage, False)
    with InThread(stage):
        alert = stage.alerts("concept_drift")[0].json
        until(lambda: stage.committed("events") == 400, 30.0)

    assert 300 < alert["offset"] < 400
    assert {p["id"] for p in stage.predictions(at_least=400)} == {f"e{n}" for n in range(400)}


def test_a_worker_asked_to_stop_while_the_broker_hangs_leaves_within_its_budget(
    stage: Stage, own_broker: EmbeddedKafka
) -> None:
    stage.configure(
        {
            "delivery": "at_least_once",
            "kafka": {"instance": "w1"},
            "runtime": {"commit_interval": "1h", "shutdown_timeout": "2s"},
        }
    )
    stage.produce("events", [event(n) for n in range(100)])
    with InThread(stage) as service:
        stage.predictions(at_least=100)
        with hanging(own_broker):
            asked = time.monotonic()
            service.stop()
            took = time.monotonic() - asked
    stage.configure({"runtime": {"commit_interval": "50ms"}})
    with InThread(stage):
        until(lambda: stage.committed("events") == 100, 60.0)

    assert took < 5  # the budget, and a while for threads to end
    assert {p["id"] for p in stage.predictions(at_least=100)} == {f"e{n}" for n in range(100)}
