"""The addresses that show something."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from stream.testing import small_config
from stream.web.masking import without_secrets
from tests.unit.web.support import World

ADDRESSES = [
    (method.upper(), path)
    for path, operations in World().client().get("/openapi.json").json()["paths"].items()
    for method in operations
    if path.startswith("/v1/")
]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def get(world: World, path: str) -> Any:
    answer = world.client().get(path)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_what_is_asked_of_the_history_is_what_the_address_says(world: World) -> None:
    assert get(world, "/v1/series")["asked"] == [None, None, 300]
    assert get(world, "/v1/series?partition=3&since=10.5&points=50")["asked"] == [3, 10.5, 50]
    assert get(world, "/v1/drift?partition=all")["asked"] == [None, None, 120]
    assert get(world, "/v1/features/x?partition=2")["partition"] == 2


def test_a_warning_of_a_detector_is_a_mark_that_has_no_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    warning = {"detector": "hddm_a", "partition": 3, "at": 20.0, "time": 10.0}
    monkeypatch.setattr(world.history, "series", lambda *asked: {"warnings": [warning]})

    text = "The errors may be rising: hddm a warns in partition 3."
    told = {"time": 10.0, "at": 20.0, "kind": "warning", "alert": None, "text": text}
    assert get(world, "/v1/series")["marks"][-1] == told
    assert "warnings" not in get(world, "/v1/series")


@pytest.mark.parametrize(
    "query",
    ["partition=-1", "partition=x", "partition=", "since=soon", "since=nan", "since=inf", "points=1", "points=1e9"],
)
def test_what_makes_no_sense_is_refused_with_its_place(world: World, query: str) -> None:
    answer = world.client().get(f"/v1/series?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == f"query.{query.partition('=')[0]}"


def test_a_parameter_that_an_address_does_not_take_is_refused_with_those_that_it_does(world: World) -> None:
    answer = world.client().get("/v1/series?point=3&partition=all")
    told = answer.json()
    assert answer.status_code == 422
    assert told["errors"] == [{"where": "query.point", "problem": "unknown parameter; did you mean 'points'?"}]
    assert told["cure"] == (
        "Query parameters of GET /v1/series: partition, since, points. /docs says what each may be."
    )


@pytest.mark.parametrize("row", ADDRESSES, ids=" ".join)
def test_every_address_of_the_api_refuses_parameters_that_nobody_knows(world: World, row: tuple[str, str]) -> None:
    method, path = row
    kind = "application/octet-stream" if row == ("POST", "/v1/models") else "application/json"
    path = re.sub(r"\{\w+\}", "7", path)
    answer = world.client("admin").request(method, f"{path}?unheard=1", content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 422, answer.text
    assert "query.unheard" in answer.text


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
def test_metrics_and_health_answer_whatever_else_they_are_asked(world: World, path: str) -> None:
    assert world.client().get(f"{path}?unheard=1").status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/series?points=1"), ("POST", "/v1/pause"), ("GET", "/v1/nothing"), ("PUT", "/v1/pause")],
)
def test_whatever_is_refused_says_what_to_do(world: World, method: str, path: str) -> None:
    answer = world.client("admin").request(method, path, json={})
    assert answer.json()["cure"]


def test_what_the_feeds_know_is_added_to_what_the_history_tells(world: World) -> None:
    assert get(world, "/v1/overview")["open_alerts"] == 2
    assert get(world, "/v1/features/x")["alerts"] == ["a1"]
    (mark,) = get(world, "/v1/series")["marks"]
    assert mark == {"time": 1.0, "at": None, "kind": "drift", "alert": "a1", "text": "x drifted"}


def test_where_the_history_has_no_reference_an_alert_tells_of_one(world: World) -> None:
    filled, own = get(world, "/v1/features/x"), get(world, "/v1/features/y")
    assert (filled["reference"]["quantiles"], filled["source"]) == ({"0.5": 1.0}, "an alert")
    assert (own["reference"]["quantiles"], own["source"]) == ({"0.5": 2.0}, "the first")


@pytest.mark.parametrize("path", ["/v1/series", "/v1/drift", "/v1/features/x"])
def test_a_partition_that_nobody_told_of_is_not_there(world: World, path: str) -> None:
    answer = world.client().get(f"{path}?partition=99")

    assert (answer.status_code, answer.json()["detail"]) == (404, "No worker has told of a partition 99.")


def test_what_is_not_known_is_null(world: World) -> None:
    assert get(world, "/v1/overview")["lag"] is None


def test_a_feature_that_nobody_told_of_is_not_there(world: World) -> None:
    assert world.client().get("/v1/features/unheard").status_code == 404


def test_of_the_address_of_a_webhook_only_the_host_is_shown() -> None:
    hook = {"name": "chat", "url": "https://hooks.example/services/T0/hunter2"}
    (shown,) = without_secrets(small_config({"webhooks": [hook]}))["webhooks"]
    assert (shown["name"], shown["url"]) == ("chat", "https://hooks.example/***")


def test_the_configuration_is_shown_without_its_secrets() -> None:
    hidden = "0123456789abcdef" * 4
    config = small_config(
        {
            "redis": {"url": "redis://ann:hunter2@store:6379/0", "password": {"env": "REDIS_PASSWORD"}},
            "http": {"auth": {"tokens": [{"name": "anna", "role": "admin", "sha256": hidden}]}},
        }
    )
    shown = without_secrets(config)
    assert hidden not in json.dumps(shown)
    assert "hunter2" not in json.dumps(shown)
    assert shown["redis"]["url"] == "redis://***@store:6379/0"
    assert shown["redis"]["password"]["env"] == "REDIS_PASSWORD"
    assert shown["http"]["auth"]["tokens"] == [{"name": "anna", "role": "admin", "sha256": "***"}]
    assert shown["app"] == "test"
