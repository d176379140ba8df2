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
from tests.faults.support import assert_same, fill, finish, newest_snapshot, outcome, wait_committed
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


def answers(prediction: dict[str, Any]) -> tuple[str, object]:
    """What a prediction says, whatever the version is called."""
    return prediction["id"], prediction["probabilities"]


@pytest.mark.parametrize("away", [stopped, hanging])
def test_redis_going_away_stops_no_prediction_and_a_snapshot_follows_its_return(
    stage: Stage,
    make_stage: MakeStage,
    own_valkey: EmbeddedValkey,
    away: Callable[[EmbeddedValkey], AbstractContextManager[None]],
) -> None:
    expected = make_stage(ADAPTING)
    fill(expected, 0, 900)
    finish(expected, 900)
    stage.configure({"merge": {"wait": "60s"}})
    fill(stage, 0, 300)
    with Forked(stage) as worker:
        until(lambda: stage.committed("events") == 300, 30.0, lambda: worker.log)
        with away(own_valkey):
            until(lambda: worker.readyz()[1].get("state") == "degraded", 30.0, lambda: worker.log)
            fill(stage, 300, 600)
            until(lambda: stage.committed("events") == 600, 30.0, lambda: worker.log)
            worker.wait_said("snapshot_not_saved")
            code, report = worker.readyz()
            up = worker.metric("driftline_redis_up")
        worker.wait_said("snapshots_saved_again")
        until(lambda: worker.readyz()[1]["state"] == "ok", 30.0, lambda: worker.log)
        worker.kill()
    saved = newest_snapshot(stage.config, 0)
    fill(stage, 600, 900)
    stage.configure({"merge": {"wait": "100ms"}})
    finish(stage, 900)

    assert (code, report["ready"], report["parts"]["redis"]["state"], up) == (200, True, "degraded", 0)
    assert saved.positions["events"] > 300
    assert_same(outcome(stage), outcome(expected))


def test_a_wiped_redis_and_a_kill_leave_the_model_of_an_uninterrupted_run(stage: Stage, make_stage: MakeStage) -> None:
    expected = make_stage(ADAPTING)
    fill(expected, 0, 2000)
    finish(expected, 2000)
    wanted = outcome(expected)
    stage.configure({"merge": {"wait": "60s"}, "redis": {"poll_interval": "1h"}})  # so that it is not noticed in time
    fill(stage, 0, 1500)
    with Forked(stage) as worker:
        until(lambda: stage.committed("events") == 1500, 30.0, lambda: worker.log)
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
        until(lambda: stage.committed("events") == 900, 30.0, lambda: worker.log)
        with stopped(own_valkey):
            fill(stage, 900, 2000)
            worker.wait_said("promotion_waits")
            until(lambda: stage.committed("events") == 2000, 30.0, lambda: worker.log)
        worker.wait_said("promoted")
        fill(stage, 2000, 2100)
        until(lambda: stage.committed("events") == 2100, 30.0, lambda: worker.log)
        assert worker.terminate() == 0, worker.log

    predictions = outcome(stage).predictions[0]
    assert [p["id"] for p in predictions] == [f"e{n}" for n in range(2100)]
    assert {p["model_version"] for p in predictions[900:2000]} == {1}
    assert {p["model_version"] for p in predictions[2000:]} == {2}


def test_a_task_whose_journal_is_cut_off_waits_for_redis_instead_of_beginning_anew(
    stage: Stage, make_stage: MakeStage, own_valkey: EmbeddedValkey
) -> None:
    expected = make_stage(ADAPTING)
    fill(expected, 0, 900)
    finish(expected, 900)
    stage.configure({"merge": {"wait": "60s"}})
    fill(stage, 0, 500)
    with Forked(stage) as worker:
        until(lambda: stage.committed("events") == 500, 30.0, lambda: worker.log)
        assert worker.terminate() == 0, worker.log
    stage.outside.truncate(stage.topic("journal"), newest_snapshot(stage.config, 0).journal)
    fill(stage, 500, 900)
    stage.configure({"merge": {"wait": "100ms"}})
    with stopped(own_valkey), Forked(stage) as worker:
        worker.wait_said("task_waits")
        until(lambda: "a task is being" not in str(worker.readyz()), 10.0)
        code, report = worker.readyz()
        own_valkey.start()
        wait_committed(stage, 900, worker)
        gaps = worker.metric("driftline_resume_gap_records_total")
        assert worker.terminate() == 0, worker.log

    assert (code, report["parts"]["kafka"]["state"]) == (503, "degraded")
    assert "Redis at" in report["parts"]["kafka"]["reason"]
    assert gaps == 0
    assert_same(outcome(stage), outcome(expected))
