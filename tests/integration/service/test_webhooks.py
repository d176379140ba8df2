"""Alerts posted to a local HTTP server, from a real Kafka."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.integration.service.conftest import MakeStage
from tests.integration.support.receiver import Receiver, receiving
from tests.integration.support.running import Forked, InThread
from tests.integration.support.stage import Stage, event, label, x_of
from tests.integration.support.waiting import until

DRIFTING = {"detectors": {"concept": [{"kind": "ddm"}]}, "adaptation": {"policy": "keep_learning"}}
SECRET = "shared-with-the-receiver"


def hooked(make_stage: MakeStage, *hooks: dict[str, Any]) -> Stage:
    return make_stage({**DRIFTING, "webhooks": list(hooks)})


def drift(stage: Stage) -> None:
    """The concept flips after 300 events."""
    stage.produce("events", [event(n) for n in range(500)])
    stage.produce("labels", [label(n, (x_of(n) > 0) == (n < 300)) for n in range(500)])


def told(stage: Stage) -> list[str]:
    """The ids of all alerts on the topic, once the drift is there."""
    stage.alerts("concept_drift")
    return [seen.json["id"] for seen in stage.read("alerts")]


def wait_for(receiver: Receiver, ids: list[str]) -> None:
    until(lambda: set(receiver.ids) >= set(ids), 30.0, lambda: f"posted were {receiver.ids}, of {ids}")


def test_a_receiver_that_fails_twice_gets_every_alert_in_the_end(make_stage: MakeStage) -> None:
    with receiving(lambda n: 503 if n <= 2 else 200) as receiver:
        stage = hooked(make_stage, {"name": "oncall", "url": receiver.url})
        with InThread(stage) as service:
            drift(stage)
            ids = told(stage)
            wait_for(receiver, ids)
            until(lambda: service.metric("driftline_webhook_deliveries_total", outcome="delivered") == len(ids))
            retried = service.metric("driftline_webhook_deliveries_total", hook="oncall", outcome="retried")

    assert receiver.ids == [ids[0], ids[0], *ids]
    assert retried == 2
    (published,) = [seen.value for seen in stage.read("alerts") if seen.json["id"] == ids[0]]
    assert json.loads(receiver.posted[0].body) == json.loads(published)


def test_a_worker_killed_after_it_posted_and_before_it_committed_posts_again_with_the_same_id(
    make_stage: MakeStage,
) -> None:
    killed = threading.Event()

    def answer(n: int) -> int:
        if n == 1:
            worker.kill()
            killed.set()
        return 200

    with receiving(answer) as receiver:
        stage = hooked(make_stage, {"name": "oncall", "url": receiver.url})
        stage.configure({"kafka": {"session_timeout": "6s"}})
        with Forked(stage) as worker:
            worker.wait_ready()
            drift(stage)
            assert killed.wait(60)
        with InThread(stage):
            until(lambda: len(receiver.ids) >= 2, 60.0, lambda: f"posted were {receiver.ids}")

    assert receiver.ids[0] == receiver.ids[1]


def test_a_webhook_that_hangs_delays_neither_predictions_nor_the_other(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    free = threading.Event()

    def hangs(n: int) -> int:
        free.wait(60)
        return 200

    with receiving(hangs) as slow, receiving(lambda n: 200) as quick:
        stage = hooked(
            make_stage,
            {"name": "slow", "url": slow.url, "timeout": "1m"},
            {"name": "quick", "url": quick.url, "format": "slack", "secret": {"env": "HOOK_SECRET"}},
        )
        with InThread(stage):
            drift(stage)
            wait_for(quick, told(stage))
            until(lambda: slow.posted)
            predicted = len(stage.predictions(at_least=500))
            free.set()

    assert predicted == 500
    assert len(slow.posted) == 1
    assert "driftline-signature" in quick.posted[0].headers
    assert json.loads(quick.posted[0].body)["text"].startswith(f"{stage.app}: ")


def test_alerts_from_before_a_webhook_was_there_are_not_posted(make_stage: MakeStage) -> None:
    stage = make_stage(DRIFTING)
    with InThread(stage):
        drift(stage)
        before = told(stage)
    with receiving(lambda n: 200) as receiver:
        stage.configure({"webhooks": [{"name": "oncall", "url": receiver.url}]})
        with InThread(stage):
            stage.produce("events", [event(n) for n in range(500, 1000)])
            stage.produce("labels", [label(n, x_of(n) > 0) for n in range(500, 1000)])
            new = until(lambda: [id_ for id_ in told(stage) if id_ not in before])
            wait_for(receiver, new)

    assert not set(receiver.ids) & set(before)
