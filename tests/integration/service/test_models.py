"""Promotions from outside, and a model store that is away, wiped or meddled with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from learners.artifacts import SigningKey, seal
from learners.base import Problem, Schema
from learners.linear import LogisticConfig
from learners.registry import build
from stream.cli.commands import app
from stream.embedded import EmbeddedValkey
from stream.stores.base import VersionMeta
from stream.stores.opening import open_store
from tests.integration.service.conftest import MakeStage
from tests.integration.store.conftest import KINDS, make_server
from tests.integration.support.outside import Outside
from tests.integration.support.running import DRIFTLINE, InThread
from tests.integration.support.stage import Stage, event, label, x_of
from tests.integration.support.waiting import until


def driftline_models(stage: Stage, *arguments: str) -> str:
    command, *rest = arguments
    done = subprocess.run(
        [*DRIFTLINE, "models", command, "-c", str(stage.file), *rest],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def publish(stage: Stage) -> int:
    """A model from elsewhere that thinks the opposite: its version."""
    learner = build(LogisticConfig(learning_rate=0.5), Problem.BINARY, Schema(("x",), ("kind",)), seed=1)
    learner.learn([{"x": x_of(n)} for n in range(200)], [x_of(n) <= 0 for n in range(200)])
    meta = VersionMeta(created=1.0, recipe="logistic", reason="pushed", who="test", parents=(1,))
    return open_store(stage.config).publish("small", learner, meta=meta)


@contextmanager
def serving_one_of_two(stage: Stage) -> Iterator[tuple[InThread, int]]:
    """A service that has predicted 100 events and serves version 1, and a version that could be promoted."""
    stage.produce("events", [event(n) for n in range(100)])
    stage.produce("labels", [label(n) for n in range(100)])
    with InThread(stage) as service:
        stage.predictions(at_least=100)
        service.wait_version(1)
        yield service, publish(stage)


@pytest.fixture(params=KINDS)
def own_redis(request: pytest.FixtureRequest) -> Iterator[EmbeddedValkey]:
    """A server of the test's own, to be stopped and wiped: Valkey, and Debian's Redis where it is installed."""
    with make_server(request.param) as server:
        yield server


@pytest.fixture
def own_stage(outside: Outside, own_redis: EmbeddedValkey, tmp_path: Path) -> Stage:
    return Stage(outside, own_redis.url, tmp_path)


def test_a_promotion_and_a_rollback_from_the_command_line_reach_a_running_worker(stage: Stage) -> None:
    with serving_one_of_two(stage) as (service, version):
        driftline_models(stage, "promote", str(version))
        service.wait_version(version)
        stage.produce("events", [event(n) for n in range(100, 120)])
        promoted = stage.predictions(at_least=120)[100:]
        swap = stage.alerts("model_swap")[0].json

        rolled = CliRunner().invoke(app, ["models", "rollback", "-c", str(stage.file)])
        assert rolled.exit_code == 0, rolled.output
        service.wait_version(1)
        stage.produce("events", [event(n) for n in range(120, 140)])
        rolled_back = stage.predictions(at_least=140)[120:]
        rollback = stage.alerts("rollback")[0].json

    assert {p["model_version"] for p in promoted} == {version}
    clear = [(p, n) for n, p in enumerate(promoted, 100) if abs(x_of(n)) > 0.3]
    assert all(p["prediction"] == (x_of(n) <= 0) for p, n in clear)
    assert swap["model_version"] == version
    assert swap["action"] == "swapped"
    assert {p["model_version"] for p in rolled_back} == {1}
    assert rollback["model_version"] == 1
    assert rollback["detail"] == f"version {version} to 1: rollback"


def test_without_redis_predictions_go_on_and_the_model_is_registered_when_it_comes(
    own_stage: Stage, own_redis: EmbeddedValkey
) -> None:
    own_redis.stop()
    with InThread(own_stage) as service:
        service.wait_ready()
        own_stage.produce("events", [event(n) for n in range(50)])
        own_stage.produce("labels", [label(n) for n in range(50)])
        without = own_stage.predictions(at_least=50)
        code, report = service.readyz()
        up = service.metric("driftline_redis_up")

        own_redis.start()
        service.wait_version(1)
        own_stage.produce("events", [event(n) for n in range(50, 60)])
        predictions = own_stage.predictions(at_least=60)

    assert {p["model_version"] for p in without} == {0}
    assert (code, report["state"], report["parts"]["redis"]["state"]) == (200, "degraded", "degraded")
    assert "predictions go on" in report["parts"]["redis"]["reason"]
    assert up == 0
    assert {p["model_version"] for p in predictions[50:]} == {1}
    champion = open_store(own_stage.config).champion("small")
    assert champion is not None
    assert (champion.version, champion.reason) == (1, "first")


def test_a_wiped_redis_gets_the_serving_model_back(own_stage: Stage, own_redis: EmbeddedValkey) -> None:
    own_stage.produce("events", [event(n) for n in range(100)])
    own_stage.produce("labels", [label(n) for n in range(100)])
    with InThread(own_stage) as service:
        own_stage.predictions(at_least=100)
        service.wait_version(1)
        with redis.Redis.from_url(own_redis.url) as client:
            client.flushall()
        service.wait_version(2)
        own_stage.produce("events", [event(n) for n in range(100, 150)])
        predictions = own_stage.predictions(at_least=150)[100:]
        until(lambda: service.readyz()[1]["state"] == "ok", 10.0, lambda: str(service.readyz()))

    champion = open_store(own_stage.config).champion("small")
    assert champion is not None
    assert (champion.version, champion.reason) == (2, "restored")
    assert {p["model_version"] for p in predictions} == {2}
    clear = [(p, n) for n, p in enumerate(predictions, 100) if abs(x_of(n)) > 0.2]
    assert all(p["prediction"] == (x_of(n) > 0) for p, n in clear)  # what was learned is not lost


@pytest.mark.parametrize("meddling", ["unsigned", "altered", "foreign_key"])
def test_a_model_that_is_not_trusted_is_refused_and_the_old_one_goes_on(
    make_stage: MakeStage, redis_url: str, meddling: str
) -> None:
    stage = make_stage()
    with InThread(stage) as service, redis.Redis.from_url(redis_url) as client:
        service.wait_version(1)
        store = open_store(stage.config)
        version = publish(stage)
        meta, good = store.fetch("small", version)
        learner = store.open("small", good)
        foreign = SigningKey("k1", b"a-key-that-nobody-here-has-ever-known")
        metadata = {"model": "small", "recipe": "logistic", "created": 1.0}
        bad = {
            "unsigned": b"\x80\x04cos\nsystem\n",
            "altered": good[:-1] + bytes([good[-1] ^ 1]),
            "foreign_key": seal(learner, key=foreign, metadata=metadata),
        }[meddling]
        client.set(f"driftline:{stage.app}:artifact:{meta.digest}", bad)
        champion = store.champion("small")
        assert champion is not None
        store.promote("small", version, expected_epoch=champion.epoch, reason="promoted", who="somebody")

        until(lambda: service.metric("driftline_models_refused_total") == 1)
        stage.produce("events", [event(n) for n in range(20)])
        predictions = stage.predictions(at_least=20)
        code, report = service.readyz()

    assert {p["model_version"] for p in predictions} == {1}
    assert (code, report["parts"]["redis"]["state"]) == (200, "degraded")
    assert f"version {version}" in report["parts"]["redis"]["reason"]
