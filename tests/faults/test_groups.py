"""Workers that join, leave, die, freeze and are slow: each event predicted once, and the models as if by one worker."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from stream.core.engine import Engine, Taken
from stream.embedded import EmbeddedValkey
from stream.records import Span
from tests.faults.conftest import MakeStage
from tests.faults.support import Outcome, another, assert_same, fill, finish, outcome, undisturbed, wait_committed
from tests.integration.support.running import Forked, InThread
from tests.integration.support.stage import Stage, event, label, merged
from tests.integration.support.waiting import until

BRISK = {
    "kafka": {"session_timeout": "1s", "max_poll_records": 100},
    "runtime": {"commit_interval": "20ms", "snapshot_interval": "200ms"},
}
WAITING, IN_TIME = {"merge": {"wait": "60s"}}, {"merge": {"wait": "100ms"}}
"""What is fed late is waited for, so that the order is that of the times; and the last records are not, at the end."""
HOLDING = {"kafka": {"transaction_timeout": "60s"}, "runtime": {"commit_interval": "30s", "snapshot_interval": "1h"}}
"""Of a worker that keeps a transaction open."""


@pytest.fixture
def brisk(make_stage: MakeStage) -> Stage:
    return make_stage(BRISK)


@pytest.fixture(scope="module")
def uninterrupted(make_stage: MakeStage) -> Outcome:
    return undisturbed(make_stage(BRISK), 1500)


def predicted(worker: Forked) -> float:
    """Events that a worker has predicted, those included that it did not commit."""
    return worker.metric("driftline_records_total", topic="events", outcome="predicted")


def holds(worker: Forked, n: float) -> None:
    """Wait until a worker has predicted `n` events, which it has not committed."""
    worker.wait_ready()
    until(lambda: predicted(worker) == n, 30.0, lambda: f"{predicted(worker)} are predicted; {worker.log}")


def contents(valkey: EmbeddedValkey, stage: Stage) -> dict[bytes, bytes | None]:
    """All that a service keeps in Redis, but what is only to look at: workers tell that, a little late too."""
    with redis.Redis.from_url(valkey.url) as client:
        keys = client.keys(f"driftline:{stage.app}:*")
        return {key: client.dump(key) for key in keys if b":history:" not in key}


def test_a_rebalance_storm_predicts_every_event_once(make_stage: MakeStage) -> None:
    events, partitions = 3000, 4
    calm, stage = (make_stage(BRISK, partitions=partitions) for _ in range(2))
    fill(calm, 0, events, partitions=partitions)
    finish(calm, events)
    stage.configure(WAITING)

    def feed() -> None:
        for first in range(0, events, 50):
            fill(stage, first, first + 50, partitions=partitions)
            time.sleep(0.1)

    feeder = threading.Thread(target=feed, name="feeder")
    chance = random.Random(7)
    with ExitStack() as stack:
        workers = [stack.enter_context(another(stage)) for _ in range(2)]
        feeder.start()
        while feeder.is_alive():
            time.sleep(0.5 + chance.random())
            if len(workers) < 2 or (len(workers) < 3 and chance.random() < 0.5):
                workers.append(stack.enter_context(another(stage)))
                continue
            leaver = workers.pop(chance.randrange(len(workers)))
            if chance.random() < 0.5:
                leaver.kill()
            else:
                assert leaver.terminate() == 0, leaver.log
        feeder.join()
    stage.configure(IN_TIME)
    finish(stage, events)

    assert_same(outcome(stage, partitions), outcome(calm, partitions))


@pytest.mark.parametrize("client", ["confluent", "kafka-python"])
def test_a_worker_that_wakes_up_after_its_partition_moved_writes_nothing(
    brisk: Stage, uninterrupted: Outcome, own_valkey: EmbeddedValkey, client: str
) -> None:
    stage = brisk
    stage.configure(merged(WAITING, {"kafka": {"client": client}}))
    fill(stage, 0, 500)
    with ExitStack() as stack:
        zombie = stack.enter_context(another(stage, HOLDING))
        holds(zombie, 500)
        with zombie.frozen():
            fill(stage, 500, 1000)
            heir = stack.enter_context(another(stage, {"runtime": {"commit_interval": "20ms"}}))
            until(lambda: stage.committed("events") == 1000, 30.0, lambda: heir.log)
            before = contents(own_valkey, stage)
        revoked = zombie.wait_said("revoked")
        seen = stage.read("predictions", at_least=1000)
        after = contents(own_valkey, stage)
        void = predicted(zombie)  # it may also have predicted what it fetched before it heard that it was dead
        assert heir.terminate() == 0, heir.log
        fill(stage, 1000, 1500)
        holds(zombie, void + 500)
        assert zombie.terminate() == 0, zombie.log
    stage.configure(IN_TIME)
    finish(stage, 1500)

    assert (revoked["partitions"], revoked["committed"]) == ([0], False)
    assert after == before
    assert len(seen) == 1000
    assert_same(outcome(stage), uninterrupted)


def test_a_transaction_that_outlives_its_time_is_done_over(brisk: Stage, uninterrupted: Outcome) -> None:
    stage = brisk
    patience = {"session_timeout": "20s", "transaction_timeout": "8s"}
    stage.configure({"kafka": patience, "runtime": {"commit_interval": "4s"}})
    fill(stage, 0, 1500)

    def waiting() -> int:
        return stage.outside.uncommitted(stage.topic("predictions"))

    with Forked(stage) as worker:
        worker.wait_ready()
        # All is predicted and at the broker, in a transaction that is open.
        until(lambda: 0 < 1500 - stage.committed("events") == waiting() and predicted(worker) == 1500, 30.0)
        with worker.frozen():
            until(lambda: waiting() == 0, 30.0)  # the broker has lost its patience
            done = stage.committed("events")
        worker.wait_said("fenced")
        wait_committed(stage, 1500, worker)
        assert worker.metric("driftline_fenced_total") == 1
        assert worker.terminate() == 0, worker.log

    assert done < 1500
    assert_same(outcome(stage), uninterrupted)


def test_a_slow_learner_keeps_its_place_in_the_group(brisk: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    take = Engine.take

    def slowly(self: Engine, span: Span, now: float) -> Taken:
        time.sleep(0.005 * (len(span.events) + len(span.labels)))
        return take(self, span, now)

    monkeypatch.setattr(Engine, "take", slowly)
    brisk.configure({"kafka": {"max_poll_interval": "1s"}})
    brisk.produce("events", [event(n) for n in range(200)])
    brisk.produce("labels", [label(n) for n in range(200)])
    with InThread(brisk) as service:
        until(lambda: (brisk.committed("events"), brisk.committed("labels")) == (200, 200), 60.0)
        rebalances = service.metric("driftline_rebalances_total")
        predictions: list[dict[str, Any]] = brisk.predictions(at_least=200)

    assert rebalances == 1
    assert [p["id"] for p in predictions] == [f"e{n}" for n in range(200)]
