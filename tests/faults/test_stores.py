"""The model store stops, hangs, is wiped, or is away when it is needed: predictions and learning go on, or wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from stream.embedded import EmbeddedValkey
from stream.stores.opening import open_store
from tests.faults.conftest import QUIET, MakeStage
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
from tests.integration.store.conftest import hanging
from tests.integration.support.outside import Outside
from tests.integration.support.running import Forked
from tests.integration.support.stage import Stage, merged
from tests.integration.support.waiting import until

ADAPTING = {
    "adaptation": {"policy": "replace_when_better", "min_labels": 200},
    "kafka": {"instance": "w1", "max_poll_records": 100},
    "redis": {"timeout": "500ms"},
    "runtime": {"commit_interval": "20ms", "snapshot_interval": "100ms"},
}


@pytest.fixture
def stage(outside: Outside, own_valkey: EmbeddedValkey, tmp_path: Path) -> Iterator[Stage]:
    """A service that adapts, with Redis running before and after."""
    own_valkey.start()
    yield Stage(outside, own_valkey.url, tmp_path, merged(QUIET, ADAPTING))
    own_valkey.start()


@pytest.fixture(scope="module")
def uninterrupted(make_stage: MakeStage) -> Outcome:
    return undisturbed(make_stage(ADAPTING), 900)


@contextmanager
def stopped(valkey: EmbeddedValkey) -> Iterator[None]:
    """It is not there, and comes back with all that it held."""
    valkey.kill()
    try:
        yield
    finally:
        valkey.start()


def wipe(stage: Stage) -> None:
    """Redis forgets everything."""
    with redis.Redis.from_url(stage.config.redis.url) as client:
        client.flushall()


def wait_predicted(stage: Stage, n: int, worker: Forked) -> None:
    """Wait until `n` events are committed; labels of later than these may still wait."""
    until(lambda: stage.committed("events") == n, 30.0, lambda: worker.log)


def damage(stage: Stage) -> None:
    """A bit of each of a task's two newest snapshots changes."""
    with redis.Redis.from_url(stage.config.redis.url) as client:
        for slot in (0, 1):
            name = f"driftline:{stage.app}:snapshot:0:{slot}"
            data = client.get(name)
            assert isinstance(data, bytes)
            client.set(name, data[:-1] + bytes([data[-1] ^ 1]))


def answers(prediction: dict[str, Any]) -> tuple[str, object]:
    """What a prediction says, whatever the version is called."""
    return prediction["id"], prediction["probabilities"]


@pytest.mark.parametrize("away", [stopped, hanging])
def test_redis_going_away_stops_no_prediction_and_a_snapshot_follows_its_return(
    stage: Stage,
    uninterrupted: Outcome,
    own_valkey: EmbeddedValkey,
    away: Callable[[EmbeddedValkey], AbstractContextManager[None]],
) -> None:
    stage.configure({"merge": {"wait": "60s"}})
    fill(stage, 0, 300)
    with Forked(stage) as worker:
        wait_predicted(stage, 300, worker)
        with away(own_valkey):
            until(lambda: worker.readyz()[1].get("state") == "degraded", 30.0, lambda: worker.log)
            fill(stage, 300, 600)
            wait_predicted(stage, 600, worker)
            worker.wait_said("snapshot_not_saved")
            code, report = worker.readyz()
            until(lambda: worker.metric("driftline_redis_up") == 0, 30.0, lambda: worker.log)
        worker.wait_said("snapshots_saved_again")
        until(lambda: worker.readyz()[1]["state"] == "ok", 30.0, lambda: worker.log)
        # One that was being written when Redis went may be the first to arrive.
        until(lambda: newest_snapshot(stage.config, 0).positions["events"] > 300, 30.0, lambda: worker.log)
        worker.kill()
    fill(stage, 600, 900)
    stage.configure({"merge": {"wait": "100ms"}})
    finish(stage, 900)

    assert (code, report["ready"], report["parts"]["redis"]["state"]) == (200, True, "degraded")
    assert_same(outcome(stage), uninterrupted)


def test_a_wiped_redis_and_a_kill_leave_the_model_of_an_uninterrupted_run(stage: Stage, make_stage: MakeStage) -> None:
    expected = make_stage(ADAPTING)
    fill(expected, 0, 2000)
    finish(expected, 2000)
    wanted = outcome(expected)
    stage.configure({"merge": {"wait": "60s"}, "redis": {"poll_interval": "1h"}})  # so that it is not noticed in time
    fill(stage, 0, 1500)
    with Forked(stage) as worker:
        wait_predicted(stage, 1500, worker)
        wipe(stage)
        worker.kill()
    fill(stage, 1500, 2000)
    stage.configure({"merge": {"wait": "100ms"}, "redis": {"poll_interval": "200ms"}})
    finish(stage, 2000)

    seen = outcome(stage)
    assert [alert["kind"] for alert in wanted.alerts].count("model_swap") == 1
    assert [answers(p) for p in seen.predictions[0]] == [answers(p) for p in wanted.predictions[0]]
    assert seen.tasks[0]["champion"] == wanted.tasks[0]["champion"]
    champion = open_store(stage.config).champion("small")
    assert champion is not None
    assert champion.reason == "restored"


def test_a_promotion_waits_for_redis_to_come_back(stage: Stage, own_valkey: EmbeddedValkey) -> None:
    stage.configure({"merge": {"wait": "60s"}})
    fill(stage, 0, 900)
    with Forked(stage) as worker:
        wait_predicted(stage, 900, worker)
        with stopped(own_valkey):
            fill(stage, 900, 2000)
            worker.wait_said("promotion_waits")
            wait_predicted(stage, 2000, worker)
        worker.wait_said("promoted")
        fill(stage, 2000, 2100)
        wait_predicted(stage, 2100, worker)
        assert worker.terminate() == 0, worker.log

    predictions = outcome(stage).predictions[0]
    assert [p["id"] for p in predictions] == [f"e{n}" for n in range(2100)]
    assert {p["model_version"] for p in predictions[900:2000]} == {1}
    assert {p["model_version"] for p in predictions[2000:]} == {2}


def test_a_task_whose_journal_is_cut_off_waits_for_redis_instead_of_beginning_anew(
    stage: Stage, uninterrupted: Outcome, own_valkey: EmbeddedValkey
) -> None:
    stage.configure({"merge": {"wait": "60s"}})
    fill(stage, 0, 500)
    with Forked(stage) as worker:
        wait_predicted(stage, 500, worker)
        assert worker.terminate() == 0, worker.log
    stage.outside.truncate(stage.topic("journal"), newest_snapshot(stage.config, 0).journal)
    fill(stage, 500, 900)
    stage.configure({"merge": {"wait": "100ms"}})
    with stopped(own_valkey), Forked(stage) as worker:
        worker.wait_said("task_waits")
        until(lambda: "a task is being" not in str(worker.readyz()))
        code, report = worker.readyz()
        own_valkey.start()
        wait_committed(stage, 900, worker)
        gaps = worker.metric("driftline_resume_gap_records_total")
        assert worker.terminate() == 0, worker.log

    assert (code, report["parts"]["kafka"]["state"]) == (503, "degraded")
    assert "Redis at" in report["parts"]["kafka"]["reason"]
    assert gaps == 0
    assert_same(outcome(stage), uninterrupted)


def test_a_task_whose_two_newest_snapshots_are_damaged_is_resumed_from_the_archive(
    stage: Stage, uninterrupted: Outcome
) -> None:
    # Given two newest snapshots that do not open, an archived one from before, and a journal that begins there
    for first, end, every in ((0, 500, "50ms"), (500, 700, "1h")):
        stage.configure({"merge": {"wait": "60s"}, "runtime": {"snapshot_archive": {"every": every}}})
        fill(stage, first, end)
        with Forked(stage) as worker:
            wait_predicted(stage, end, worker)
            assert worker.terminate() == 0, worker.log
    damage(stage)
    archived = newest_snapshot(stage.config, 0)
    stage.outside.truncate(stage.topic("journal"), archived.journal)

    # When the service goes on
    stage.configure({"merge": {"wait": "100ms"}})
    fill(stage, 700, 900)
    with Forked(stage) as worker:
        used = worker.wait_said("archived_snapshot_used")
        wait_committed(stage, 900, worker)
        gaps = worker.metric("driftline_resume_gap_records_total")
        assert worker.terminate() == 0, worker.log

    # Then nothing was lost
    assert archived.positions["events"] <= 500
    assert (used["sequence"], gaps) == (archived.sequence, 0)
    assert_same(outcome(stage), uninterrupted)
