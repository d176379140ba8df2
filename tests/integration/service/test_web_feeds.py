"""What the API shows of a service's topics, and asking for predictions, with a real worker on a real broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kafka.partitioner.default import murmur2

from stream.web.feeds.following import TopicFeeds
from tests.integration.service.conftest import MakeStage
from tests.integration.support.api import Api
from tests.integration.support.outside import T0, Given
from tests.integration.support.running import InThread
from tests.integration.support.stage import Stage, event, label, x_of
from tests.integration.support.waiting import until

OPERATOR = {"http": {"auth": {"everybody": "operator"}}}
ADMIN = {"http": {"auth": {"everybody": "admin"}}}


def api_of(stage: Stage) -> Api:
    return Api(stage.config.http.port)


def alerts(api: Api, **asked: str) -> list[dict[str, Any]]:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    found: list[dict[str, Any]] = api.get(f"/v1/alerts?{query}").json.get("alerts", [])  # none while Redis is slow
    return found


def test_a_drift_is_shown_open_is_acknowledged_and_closes_when_a_challenger_has_taken_over(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(
        OPERATOR
        | {
            "model": {"learner": {"kind": "logistic", "learning_rate": 0.05}},
            "detectors": {"concept": [{"kind": "ddm"}]},
            "adaptation": {"min_labels": 300},
        }
    )
    api = api_of(stage)
    with InThread(stage) as service:
        service.wait_version(1)
        produce(stage, 0, 900)
        (shown,) = until(lambda: alerts(api, kind="concept_drift"), 30.0)
        on_topic = stage.alerts("concept_drift")[0].json
        noted = api.post(f"/v1/alerts/{shown['id']}/acknowledge", {"note": "looking into it"})
        produce(stage, 900, 1600)
        until(lambda: alerts(api, kind="model_swap"), 60.0)
        produce(stage, 1600, 3300)  # predicted by the new version, however far events come before labels
        (closed,) = until(lambda: alerts(api, kind="concept_drift", state="closed"), 60.0)
        swaps = alerts(api, kind="model_swap")
        trail = api.get("/v1/audit").json["entries"]

    assert {name: shown[name] for name in on_topic if name != "state"} == {
        name: value for name, value in on_topic.items() if name != "state"
    }
    assert shown["state"] in ("open", "recovering")
    assert shown["headline"].startswith("The model's error rate rose from ")
    assert shown["headline"].endswith("a challenger was started.")
    assert (noted.status, noted.json["acknowledged"]["note"]) == (200, "looking into it")
    assert closed["id"] == shown["id"]
    assert closed["closed"]["how"] == "recovered"
    assert closed["acknowledged"] == noted.json["acknowledged"]
    assert "Version 2 took over from version 1 (it proved better)" in closed["action_text"]
    assert [swap["state"] for swap in swaps] == ["closed"]
    assert [(one["action"], one["target"], one["outcome"]) for one in trail] == [
        ("alerts.acknowledge", f"alert {shown['id']}", "done")
    ]


def produce(stage: Stage, first: int, end: int) -> None:
    """Events whose concept turns around at the 700th, with their labels."""
    stage.produce("events", [event(n) for n in range(first, end)])
    stage.produce("labels", [label(n, (x_of(n) > 0) == (n < 700)) for n in range(first, end)])


def test_acknowledgements_are_there_after_a_restart(make_stage: MakeStage) -> None:
    stage = make_stage(OPERATOR)
    stage.outside.produce(stage.topic("alerts"), [starvation(stage)])
    with InThread(stage):
        api = api_of(stage)
        until(lambda: alerts(api))
        assert api.post("/v1/alerts/a1/acknowledge", {"note": "known"}).status == 200

    with InThread(stage):
        shown = until(lambda: alerts(api))
        taken_back = api.post("/v1/alerts/a1/unacknowledge")

    assert shown[0]["acknowledged"]["note"] == "known"
    assert (taken_back.status, taken_back.json["acknowledged"]) == (200, None)


def starvation(stage: Stage) -> Given:
    alert = {
        "id": "a1",
        "ts": T0,
        "kind": "label_starvation",
        "severity": "warning",
        "model": "small",
        "model_version": 1,
        "partition": 0,
        "offset": 7,
        "state": "open",
        "incident": "a1",
    }
    return Given(json.dumps(alert).encode(), b"small", T0)


@pytest.mark.parametrize("client", ["kafka-python", "confluent"])
def test_whoever_asks_for_a_prediction_gets_what_subscribers_of_the_topic_see(
    make_stage: MakeStage, client: str
) -> None:
    stage = make_stage(OPERATOR | {"kafka": {"client": client}}, partitions=3)
    api = api_of(stage)
    keys = [f"key{n}" for n in range(6)]
    with InThread(stage) as service:
        service.wait_version(1)
        replies = [api.post("/v1/predict", {"key": key, "x": 0.5, "kind": "a"}) for key in keys]
        on_topic = [seen.json for seen in stage.read("predictions", at_least=6)]
        found = api.get(f"/v1/predictions/{replies[0].json['id']}")

    assert [reply.status for reply in replies] == [200] * 6
    assert sorted((reply.json for reply in replies), key=lambda one: one["id"]) == sorted(
        on_topic, key=lambda one: one["id"]
    )
    chosen = [(murmur2(key.encode()) & 0x7FFFFFFF) % 3 for key in keys]  # as every client has it
    assert [reply.json["partition"] for reply in replies] == chosen
    assert [reply.json["key"] for reply in replies] == keys
    place = found.json.pop("found")
    assert found.json == replies[0].json
    assert (place["topic"], place["older"]) == (stage.topic("predictions"), 0)


def test_the_label_of_an_event_that_was_asked_for_joins_it(make_stage: MakeStage) -> None:
    stage = make_stage(OPERATOR)
    page = (Path(__file__).parents[3] / "docs" / "predict.md").read_text(encoding="utf-8")
    example = json.loads(page.split("```json")[1].split("```")[0])
    with InThread(stage) as service:
        service.wait_version(1)
        asked = api_of(stage).post("/v1/predict", example)
        stage.produce("labels", [label(1)])
        until(lambda: service.metric("driftline_records_total", topic="labels", outcome="joined"))

    assert (asked.json["id"], asked.json["key"]) == (example["id"], example["key"])


def test_a_prediction_asked_for_while_a_stream_is_replayed_does_not_end_the_wait_for_its_labels(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(OPERATOR | {"events": {"time": "ts", "time_unit": "s"}})
    with InThread(stage) as service:
        service.wait_version(1)
        stage.produce("events", [event(n, {"x": x_of(n), "kind": "a", "ts": T0 + n}) for n in range(20)])
        api = api_of(stage)
        until(lambda: api.get("/v1/overview").json.get("stream_time") == T0 + 19)
        asked = api.post("/v1/predict", {"x": 0.5, "kind": "a", "ts": T0 + 5})
        stage.produce("labels", [label(n) for n in range(20)])
        until(lambda: service.metric("driftline_records_total", topic="labels", outcome="joined") == 20)
        expired = service.metric("driftline_predictions_expired_total")

    assert asked.status == 200
    assert expired == 0


def test_an_event_that_cannot_be_used_is_refused_before_it_is_produced(make_stage: MakeStage) -> None:
    stage = make_stage(OPERATOR)
    with InThread(stage) as service:
        service.wait_version(1)
        refused = api_of(stage).post("/v1/predict", {"id": "e1", "x": "late"})

    assert (refused.status, refused.json["reason"]) == (422, "wrong_type")
    assert refused.json["detail"] == "feature 'x' is \"late\"; expected a number from -10 to 10."
    assert stage.read("events") == []


def test_an_event_that_nobody_predicts_in_time_is_answered_with_its_id_and_predicted_later(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(OPERATOR)
    api = api_of(stage)
    with InThread(stage) as service:
        service.wait_version(1)
        assert api.post("/v1/pause", {"reason": "a test"}).status == 200
        until(lambda: "paused" in json.dumps(service.readyz()[1]))
        late = api.post("/v1/predict?timeout=0.5", {"id": "e1", "x": 0.5})
        unknown = api.get("/v1/predictions/e1")
        assert api.post("/v1/resume", {"reason": "a test"}).status == 200
        stage.predictions(at_least=1)
        found = api.get("/v1/predictions/e1")

    assert (late.status, late.json["id"]) == (504, "e1")
    assert "GET /v1/predictions/e1" in late.json["cure"]
    assert unknown.status == 404
    assert found.json["id"] == "e1"


def test_dead_letters_are_shown_by_reason_and_scrubbed_and_as_they_are_to_admins_only(make_stage: MakeStage) -> None:
    stage = make_stage(ADMIN)
    api = api_of(stage)
    with InThread(stage) as service:
        service.wait_version(1)
        stage.produce("events", [Given(b'{"id": "e1", "x": "J. Smith"}'), Given(b"{"), event(1)])
        told = until(
            lambda: said if (said := api.get("/v1/quality").json["dead_letters"])["total"] == 2 else None, 20.0
        )
        raw = api.get("/v1/quality?raw=true").json["dead_letters"]
        (entry,) = until(lambda: [one for one in api.get("/v1/audit").json["entries"] if one["outcome"] != "asked"])

    assert told["by_reason"] == {"wrong_type": 1, "malformed_json": 1}
    assert "Smith" not in json.dumps(told)
    first = told["samples"][1]
    assert (first["topic"], first["partition"], first["offset"]) == (stage.topic("events"), 0, 0)
    assert first["value"] == '{"id":"text(2)","x":"text(8)"}'
    assert raw["samples"][1]["value"] == '{"id": "e1", "x": "J. Smith"}'
    assert (entry["action"], entry["outcome"], entry["after"]) == ("quality.raw", "done", {"samples": 2})


def test_whoever_listens_to_the_feeds_hears_of_an_alert_as_it_comes(stage: Stage) -> None:
    feeds = TopicFeeds(stage.config)
    heard: list[tuple[str, str]] = []
    stop = feeds.listen(lambda kind, value: heard.append((kind, value.id)))
    feeds.start()
    try:
        assert feeds.alerts.tail.caught_up.wait(20.0)
        stage.outside.produce(stage.topic("alerts"), [starvation(stage)])
        until(lambda: heard)
        assert (heard, feeds.open_alerts(), feeds.alerts.tail.standing.trouble) == ([("alert", "a1")], 1, None)
    finally:
        stop()
        feeds.stop()
