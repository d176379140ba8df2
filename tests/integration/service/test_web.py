"""The API over a real broker and a real store: what is changed by it reaches the workers, and the audit tells of it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis

from stream.cli.web import Web
from stream.stores.opening import open_store
from stream.web.access import sha256
from tests.integration.service.conftest import MakeStage
from tests.integration.service.test_models import publish, serving_one_of_two
from tests.integration.service.test_push import trained_elsewhere
from tests.integration.support.running import DRIFTLINE, InThread
from tests.integration.support.stage import Stage, event, label
from tests.integration.support.waiting import until

TOKENS = [{"name": f"the {role}", "role": role, "sha256": sha256(role)} for role in ("viewer", "operator", "admin")]


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage({"http": {"auth": {"tokens": TOKENS}}})


class Api:
    """Asks a service, with the token of a role."""

    def __init__(self, port: int, role: str = "operator") -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._headers = {"Authorization": f"Bearer {role}"}

    def get(self, path: str) -> Any:
        answer = httpx2.get(self._address + path, headers=self._headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, expected: int = 200, **body: Any) -> Any:
        answer = httpx2.post(self._address + path, json=body, headers=self._headers, timeout=30)
        assert answer.status_code == expected, answer.text
        return answer.json()

    def push(self, data: bytes, expected: int = 200, **query: str) -> Any:
        headers = self._headers | {"Content-Type": "application/octet-stream"}
        answer = httpx2.post(f"{self._address}/v1/models", content=data, params=query, headers=headers, timeout=30)
        assert answer.status_code == expected, answer.text
        return answer.json()


@pytest.fixture
def web(stage: Stage) -> Iterator[int]:
    """The port of a `driftline web` without any worker."""
    stage.configure({"http": {"port": 0}})
    process = Web(stage.config)
    with process.server as server:
        yield server.port


def audit(stage: Stage, at_least: int) -> list[dict[str, Any]]:
    return [seen.json for seen in stage.read("audit", at_least)]


def test_a_promotion_and_a_rollback_reach_a_running_worker_and_the_audit(stage: Stage) -> None:
    with serving_one_of_two(stage) as (service, version):
        api = Api(stage.config.http.port)

        promoted = api.post(f"/v1/models/{version}/promote", reason="it is better")
        service.wait_version(version)
        stage.produce("events", [event(n) for n in range(100, 120)])
        served = {one["model_version"] for one in stage.predictions(at_least=120)[100:]}
        statuses = {one["version"]: one["status"] for one in api.get("/v1/models")["models"]}

        back = api.post("/v1/models/rollback", reason="it is not")
        service.wait_version(1)
        stage.produce("events", [event(n) for n in range(120, 140)])
        served_then = {one["model_version"] for one in stage.predictions(at_least=140)[120:]}

    assert (promoted["version"], promoted["epoch"], served) == (version, 2, {version})
    assert (back["version"], back["epoch"], served_then) == (1, 3, {1})
    assert statuses == {version: "champion", 1: "rollback target"}
    told = [
        (one["id"], one["who"], one["action"], one["outcome"], one["before"], one["after"], one["reason"])
        for one in audit(stage, 4)
    ]
    one, two = {"version": 1, "epoch": 1}, {"version": version, "epoch": 2}
    assert told == [
        (promoted["audit"], "the operator", "models.promote", "asked", one, None, "it is better"),
        (promoted["audit"], "the operator", "models.promote", "done", one, two, "it is better"),
        (back["audit"], "the operator", "models.rollback", "asked", two, None, "it is not"),
        (back["audit"], "the operator", "models.rollback", "done", two, {"version": 1, "epoch": 3}, "it is not"),
    ]


def test_what_the_command_line_refuses_the_api_refuses(stage: Stage, web: int) -> None:
    api = Api(web)
    store = open_store(stage.config)
    version = publish(stage)
    assert "no champion" in api.post("/v1/models/rollback", 409, reason="x")["detail"]
    assert "has no version 9" in api.post("/v1/models/9/promote", 404, reason="x")["detail"]
    api.post(f"/v1/models/{version}/promote", reason="x")
    assert "champion already" in api.post(f"/v1/models/{version}/promote", 409, reason="x")["detail"]
    assert "first champion" in api.post("/v1/models/rollback", 409, reason="x")["detail"]

    second = publish_again(stage, version)
    with redis.Redis.from_url(stage.config.redis.url) as client:
        digest = store.version("small", second).digest
        client.set(f"driftline:{stage.app}:artifact:{digest}", b"something else")
    assert "was not promoted" in api.post(f"/v1/models/{second}/promote", 422, reason="x")["detail"]
    assert api.get(f"/v1/models/{version}")["status"] == "champion"
    outcomes = [one["outcome"] for one in audit(stage, 12)]
    assert outcomes == ["asked", "refused", "asked", "refused", "asked", "done", *["asked", "refused"] * 3]


def publish_again(stage: Stage, version: int) -> int:
    """Another version, of other bytes."""
    store = open_store(stage.config)
    learner, meta = store.load("small", version)
    learner.learn([{"x": 1.0}], [True])
    return store.publish("small", learner, meta=meta)


def test_a_pushed_model_competes_and_is_the_same_version_when_pushed_again(
    stage: Stage, web: int, tmp_path: Path
) -> None:
    stage.configure({"adaptation": {"policy": "replace_when_better"}})
    data = trained_elsewhere(tmp_path).read_bytes()
    admin = Api(web, "admin")
    Api(web).push(data, 403, reason="x")

    first, again = (admin.push(data, reason="from the lab", compete=compete) for compete in ("false", "true"))

    assert (first["version"], again["version"]) == (1, 1)
    assert (first["competes"], again["competes"]) == (False, True)
    assert [one.version for one in open_store(stage.config).challengers.now("small")] == [1]
    assert admin.get("/v1/models/1")["who"] == "the admin"
    assert "Nothing was stored" in admin.push(b"\x80\x04.", 422, reason="x", compete="false")["cure"]
    assert [one["outcome"] for one in audit(stage, 6)] == ["asked", "done"] * 2 + ["asked", "refused"]


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_a_worker_that_starts_paused_tells_what_waits_for_it(stage: Stage, client: str) -> None:
    stage.configure({"kafka": {"client": client}})
    open_store(stage.config).control.pause(expected_epoch=0, who="anna", reason="a bad deploy")
    stage.produce("events", [event(n) for n in range(50)])
    stage.produce("labels", [label(n) for n in range(20)])
    with InThread(stage) as service:
        service.wait_ready()
        until(lambda: service.metric("driftline_lag_records", topic="events") == 50)
        until(lambda: service.metric("driftline_lag_records", topic="labels") == 20)
        api = Api(stage.config.http.port)
        told = until(lambda: api.get("/v1/overview").get("lag", {}).get("events"))
        predicted = stage.predictions()

    assert told == 50
    assert predicted == []


def test_a_service_that_pauses_takes_nothing_and_goes_on_from_there(stage: Stage) -> None:
    with InThread(stage) as service:
        stage.produce("events", [event(n) for n in range(50)])
        stage.predictions(at_least=50)
        api = Api(stage.config.http.port)

        api.post("/v1/pause", reason="a bad deploy")
        part = until(lambda: service.readyz()[1].get("parts", {}).get("control"))
        stage.produce("events", [event(n) for n in range(50, 100)])
        until(
            lambda: service.metric("driftline_lag_records", topic="events") == 50
        )  # which it tells at the end of a turn
        assert len(stage.predictions()) == 50
        assert service.readyz()[0] == 200

        api.post("/v1/resume", reason="mended")
        predictions = stage.predictions(at_least=100)

    assert part["state"] == "degraded"
    assert part["reason"].startswith("paused by the operator since 2")
    assert part["reason"].endswith(": a bad deploy")
    assert [one["id"] for one in predictions] == [f"e{n}" for n in range(100)]
    assert [(one["action"], one["outcome"]) for one in audit(stage, 4)] == [
        *(("pause", "asked"), ("pause", "done"), ("resume", "asked"), ("resume", "done"))
    ]


def test_a_worker_that_starts_while_the_service_pauses_takes_nothing(stage: Stage) -> None:
    control = open_store(stage.config).control
    control.pause(expected_epoch=0, who="anna", reason="not yet")
    stage.produce("events", [event(n) for n in range(20)])
    with InThread(stage) as service:
        service.wait_ready()
        until(lambda: service.metric("driftline_lag_records", topic="events") == 20)  # it has seen them
        assert stage.predictions() == []
        control.resume(expected_epoch=1, who="anna", reason="now")
        assert len(stage.predictions(at_least=20)) == 20


def test_without_the_audit_topic_nothing_is_changed(stage: Stage, web: int) -> None:
    stage.configure({"topics": {"audit": f"{stage.app}.nowhere"}, "http": {"port": 0}})
    version = publish(stage)
    process = Web(stage.config)
    with process.server as server:
        refused = Api(server.port).post(f"/v1/models/{version}/promote", 503, reason="x")
    assert refused["detail"].startswith("Nothing was changed: the audit trail cannot be written.")
    assert open_store(stage.config).champion("small") is None


def test_while_redis_is_away_the_api_says_so(stage: Stage) -> None:
    stage.configure({"redis": {"url": "redis://127.0.0.1:1/0"}, "http": {"port": 0}})
    with Web(stage.config).server as server:
        answer = httpx2.get(f"http://127.0.0.1:{server.port}/v1/models")
        assert answer.status_code == 503
        assert "127.0.0.1:1 refused the connection" in answer.json()["detail"]
        assert httpx2.get(f"http://127.0.0.1:{server.port}/healthz").status_code == 200


def test_the_live_stream_tells_of_a_swap_and_of_a_pause(stage: Stage, web: int) -> None:
    api, version = Api(web), publish(stage)
    api.post(f"/v1/models/{version}/promote", reason="first")
    second = publish_again(stage, version)
    with httpx2.stream("GET", f"http://127.0.0.1:{web}/v1/live", timeout=20) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": driftline"  # from here on changes are told
        api.post(f"/v1/models/{second}/promote", reason="better")
        champion = event_of("champion", lines)
        api.post("/v1/pause", reason="lunch")
        control = event_of("control", lines)
    assert (champion["version"], champion["who"]) == (second, "the operator")
    assert control["paused"]["reason"] == "lunch"


def event_of(kind: str, lines: Iterator[str]) -> dict[str, Any]:
    """What the next event of a kind tells."""
    assert f"event: {kind}" in lines
    told: dict[str, Any] = json.loads(next(lines).removeprefix("data: "))
    return told


def test_the_page_of_its_own_process_says_where_it_is_and_stops_when_asked(stage: Stage) -> None:
    process = subprocess.Popen(
        [*DRIFTLINE, "web", "-c", str(stage.file), "--port", "0", "--log-format", "json"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        started = next(line for line in map(json.loads, process.stderr) if line["event"] == "started")
        page = httpx2.get(started["page"])
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.stderr.close()
