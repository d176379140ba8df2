"""Stopping, killing and sharing: what was committed is not done again, what was learned is not forgotten."""

from __future__ import annotations

from collections import Counter

import pytest

from stream.embedded.ports import free_port
from tests.faults.support import newest_snapshot
from tests.integration.service.conftest import MakeStage
from tests.integration.support.outside import Given
from tests.integration.support.running import Forked, InThread, Process
from tests.integration.support.stage import event, label
from tests.integration.support.waiting import until

DELAY = 5.5
"""Seconds after which labels come, so that some predictions wait for theirs at any instant."""


def late_labels(first: int, end: int) -> list[Given]:
    return [label(n, delay=DELAY) for n in range(first, end)]


def test_a_restarted_worker_goes_on_as_if_it_had_never_stopped(make_stage: MakeStage) -> None:
    uninterrupted, stage = make_stage(), make_stage()
    uninterrupted.produce("events", [event(n) for n in range(300)])
    uninterrupted.produce("labels", late_labels(0, 300))
    with InThread(uninterrupted):
        expected = uninterrupted.predictions(at_least=300)

    stage.produce("events", [event(n) for n in range(200)])
    stage.produce("labels", late_labels(0, 194))  # those that come before event 200
    with InThread(stage) as service:
        stage.predictions(at_least=200)
        until(lambda: service.metric("driftline_records_total", topic="labels", outcome="joined") == 194)
    stage.produce("events", [event(n) for n in range(200, 300)])
    stage.produce("labels", late_labels(194, 300))
    with InThread(stage) as service:
        predictions = stage.predictions(at_least=300)
        until(lambda: service.metric("driftline_records_total", topic="labels", outcome="joined") == 106)
        held = service.metric("driftline_held_labels")

    assert [p["id"] for p in predictions] == [f"e{n}" for n in range(300)]  # none lost, none twice
    assert [p["probabilities"] for p in predictions] == [p["probabilities"] for p in expected]
    assert held == 0  # labels that came after the restart met predictions made before it
    assert (stage.committed("events"), stage.committed("labels")) == (300, 300)


@pytest.mark.parametrize(("delivery", "interval"), [("exactly_once", "5s"), ("at_least_once", "1h")])
def test_sigterm_commits_what_was_done_and_leaves_within_its_budget(
    make_stage: MakeStage, delivery: str, interval: str
) -> None:
    stage = make_stage({"delivery": delivery, "runtime": {"commit_interval": interval, "shutdown_timeout": "20s"}})
    stage.produce("events", [event(n) for n in range(3000)])
    stage.produce("labels", late_labels(0, 3000))
    with Process(stage) as worker:
        worker.wait_ready()
        until(lambda: worker.metric("driftline_records_total", outcome="predicted"), 30.0, lambda: worker.log)
        code = worker.terminate()  # fails when it takes longer than 40 s
        log = worker.log
    committed = stage.committed("events")
    done = len(stage.predictions(at_least=committed))
    saved = newest_snapshot(stage.config, 0)
    stage.configure({"runtime": {"commit_interval": "50ms"}})
    with InThread(stage):
        predictions = stage.predictions(at_least=3000)

    assert code == 0
    assert '"stopped"' in log
    assert "Traceback" not in log
    assert committed == done >= 1
    assert saved.positions["events"] == committed
    assert [p["id"] for p in predictions] == [f"e{n}" for n in range(3000)]


def test_a_killed_worker_comes_back_and_nothing_is_lost(make_stage: MakeStage) -> None:
    stage = make_stage(
        {"delivery": "at_least_once", "runtime": {"commit_interval": "1h"}, "kafka": {"session_timeout": "6s"}}
    )
    stage.produce("events", [event(n) for n in range(300)])
    stage.produce("labels", late_labels(0, 194))
    with Forked(stage) as worker:
        stage.predictions(at_least=200)
        worker.kill()
    assert stage.committed("events") == 0
    stage.produce("events", [event(n) for n in range(300, 400)])
    stage.configure({"runtime": {"commit_interval": "50ms"}})
    with InThread(stage):
        until(lambda: stage.committed("events") == 400)

    times = Counter(p["id"] for p in stage.predictions())
    assert set(times) == {f"e{n}" for n in range(400)}
    assert max(times.values()) == 2  # at least once


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_a_worker_that_waits_for_the_one_that_was_killed_says_so(make_stage: MakeStage, client: str) -> None:
    stage = make_stage({"kafka": {"session_timeout": "90s", "client": client}})
    with Forked(stage) as worker:
        worker.wait_ready()
        worker.kill()
    with Forked(stage) as worker:
        waits = until(lambda: "session_timeout" in str(worker.readyz()), 30.0, lambda: worker.log)
        said = worker.wait_said("group_waits")
        code, report = worker.readyz()

    assert waits
    assert code == 503
    assert report["parts"]["kafka"] == {"state": "degraded", "reason": said["reason"]}
    assert "kafka.instance" in said["reason"]


def test_two_workers_share_partitions_and_one_takes_over_with_what_was_learned(make_stage: MakeStage) -> None:
    stage = make_stage(partitions=2)

    def both(first: int, end: int) -> list[Given]:
        return [event(n, partition=n % 2) for n in range(first, end)]

    def assigned() -> list[int]:
        return sorted(len(partitions) for partitions in stage.outside.members(stage.group))

    stage.produce("events", both(0, 100))
    with InThread(stage) as first:
        stage.predictions(at_least=100)
        stage.configure({"http": {"port": free_port()}})
        with Forked(stage) as second:
            second.wait_ready()
            until(lambda: assigned() == [1, 1], 30.0, lambda: str(stage.outside.members(stage.group)))
            stage.produce("events", both(100, 200))
            stage.predictions(at_least=200)
            shares = [worker.metric("driftline_records_total", outcome="predicted") for worker in (first, second)]
            assert second.terminate() == 0
        until(lambda: assigned() == [2], 30.0, lambda: str(stage.outside.members(stage.group)))
        stage.produce("events", both(200, 300))
        stage.produce("labels", [label(n, partition=n % 2) for n in range(300)])
        predictions = stage.predictions(at_least=300)
        until(
            lambda: first.metric("driftline_records_total", topic="labels", outcome="joined") == 300,
            15.0,
            lambda: f"{first.metric('driftline_held_labels')} labels found no prediction",
        )

    assert shares == [150, 50]
    assert Counter(p["id"] for p in predictions) == Counter(f"e{n}" for n in range(300))
    assert all(p["partition"] == int(p["id"][1:]) % 2 for p in predictions)
