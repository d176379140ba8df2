"""The addresses that show what comes by topics, and change something about it: who may, and what is written of it."""

from __future__ import annotations

from typing import cast

import msgspec
import pytest

from stream.audit import AuditEntry
from stream.errors import BrokerError
from stream.stores.registry import ModelStore
from stream.testing import Raw
from stream.web.app import make_app
from stream.web.feeds.alerts import AlertsFeed
from stream.web.feeds.following import TopicFeeds
from stream.web.parts import Parts
from tests.unit.web.feeds.made import InMemory, alert, end, record
from tests.unit.web.support import World


class Topics(World):
    """An application whose topics hold one open alert, one that is over, a dead letter and a change."""

    def __init__(self) -> None:
        super().__init__()
        self.notes = InMemory()
        self.topics = TopicFeeds(self.config)
        self.topics.alerts = AlertsFeed(self.config, self.notes, lambda partition: {})
        self.topics.alerts.take([record(alert("a1"), 1.0), record(alert("b1"), 2.0), record(end("b1"), 3.0)])
        self.topics.alerts.tail.caught_up.set()
        self.topics.quality.take([Raw(b'{"x": "J. Smith"}', headers=(("driftline-reason", b"wrong_type"),))])
        entry = AuditEntry(
            id="c1", ts=1.0, who="ann", role="operator", ip="::1", action="pause", target="app test", outcome="done"
        )
        self.topics.audit.take([Raw(msgspec.json.encode(entry), b"test")])
        self.app = make_app(
            Parts(self.config, cast(ModelStore, self.store), self.trail, history=self.history, feeds=self.topics)
        )


@pytest.fixture
def world() -> Topics:
    return Topics()


def test_everybody_who_may_look_sees_alerts_dead_letters_and_the_audit(world: Topics) -> None:
    viewer = world.client("viewer")

    alerts = viewer.get("/v1/alerts?limit=1").json()
    assert [one["id"] for one in alerts["alerts"]] == ["b1"]
    older = viewer.get("/v1/alerts", params={"cursor": alerts["cursor"]}).json()
    assert [one["id"] for one in older["alerts"]] == ["a1"]
    assert viewer.get("/v1/alerts/b1-recovered").json()["state"] == "closed"
    assert viewer.get("/v1/quality").json()["dead_letters"]["samples"][0]["value"] == '{"x":"text(8)"}'
    assert [one["id"] for one in viewer.get("/v1/audit").json()["entries"]] == ["c1"]


def test_an_operator_acknowledges_and_the_trail_says_who_and_what_was_before(world: Topics) -> None:
    operator = world.client("operator")

    told = operator.post("/v1/alerts/a1/acknowledge", json={"note": "on it"})
    taken_back = operator.post("/v1/alerts/a1/unacknowledge")

    assert (told.json()["acknowledged"]["who"], told.json()["acknowledged"]["note"]) == ("the operator", "on it")
    assert taken_back.json()["acknowledged"] is None
    assert [(one.action, one.target, one.outcome, one.reason) for one in world.trail.entries] == [
        ("alerts.acknowledge", "alert a1", "asked", "on it"),
        ("alerts.acknowledge", "alert a1", "done", "on it"),
        ("alerts.unacknowledge", "alert a1", "asked", ""),
        ("alerts.unacknowledge", "alert a1", "done", ""),
    ]
    assert world.trail.entries[2].before == world.trail.entries[1].after


@pytest.mark.parametrize("path", ["/v1/alerts/a1/acknowledge", "/v1/alerts/a1/unacknowledge", "/v1/predict"])
def test_a_viewer_changes_nothing_and_asks_for_nothing(world: Topics, path: str) -> None:
    answer = world.client("viewer").post(path, json={})

    assert answer.status_code == 403
    assert "This needs the role operator" in answer.json()["detail"]
    assert (world.notes.kept, world.trail.entries) == ({}, [])


def test_nothing_is_acknowledged_that_the_trail_cannot_tell_of(world: Topics) -> None:
    world.trail.trouble = BrokerError("the broker is away")

    answer = world.client("operator").post("/v1/alerts/a1/acknowledge", json={})

    assert answer.status_code == 503
    assert world.notes.kept == {}


def test_an_alert_that_is_not_there_is_said_so_or_that_alerts_are_not_read_yet(world: Topics) -> None:
    known = world.client("operator").post("/v1/alerts/zz/acknowledge", json={})
    world.topics.alerts.tail.caught_up.clear()
    unread = world.client("viewer").get("/v1/alerts/zz")

    assert (known.status_code, unread.status_code) == (404, 503)
    assert unread.json()["detail"] == "The alerts are not read yet: the topic is being read."
    assert world.trail.entries == []


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_values_as_they_are_are_shown_to_admins_only(world: Topics, role: str) -> None:
    answer = world.client(role).get("/v1/quality?raw=true")

    assert answer.status_code == 403
    assert "Smith" not in answer.text


def test_that_an_admin_has_seen_values_as_they_are_is_written_down_first(world: Topics) -> None:
    admin = world.client("admin")

    seen = admin.get("/v1/quality?raw=true").json()["dead_letters"]["samples"][0]["value"]
    written = [(one.action, one.who, one.outcome) for one in world.trail.entries]
    world.trail.trouble = BrokerError("the broker is away")
    refused = admin.get("/v1/quality?raw=true")

    assert seen == '{"x": "J. Smith"}'
    assert written == [("quality.raw", "the admin", "asked"), ("quality.raw", "the admin", "done")]
    assert refused.status_code == 503
    assert "Smith" not in refused.text


@pytest.mark.parametrize(
    "query",
    ["state=shut", "limit=0", "limit=501", "limit=x", "acknowledged=perhaps", "partition=-1", "cursor=now"],
)
def test_what_makes_no_sense_is_refused(world: Topics, query: str) -> None:
    assert world.client("viewer").get(f"/v1/alerts?{query}").status_code == 422


def test_the_share_that_is_rejected_is_that_of_all_records_unless_it_is_more_than_usual(world: Topics) -> None:
    def rejected() -> dict[str, object]:
        told: dict[str, object] = world.client("viewer").get("/v1/quality").json()["rejected"]
        return told

    usual = rejected()
    world.history.counts = {"events": {"predicted": 995, "dead_lettered": 5}, "labels": {}}
    counted = rejected()
    drift = alert("q1", kind="data_quality", feature="events", detector="rejected", before=0.005, after=0.25)
    world.topics.alerts.take([record(drift, 9.0)])

    assert usual == {topic: {"share": None, "state": "stable"} for topic in ("events", "labels")}
    assert counted["events"] == {"share": 0.005, "state": "stable"}
    assert rejected()["events"] == {"share": 0.25, "state": "drift"}


def test_what_is_no_event_is_refused_with_the_reason(world: Topics) -> None:
    operator = world.client("operator")

    wrong = operator.post("/v1/predict", json={"id": "e1", "x": "late"})
    typed = operator.post("/v1/predict", content=b'{"id": "e1"}', headers={"Content-Type": "text/plain"})

    assert (wrong.status_code, wrong.json()["reason"]) == (422, "wrong_type")
    assert typed.status_code == 415


def test_where_no_topics_are_followed_that_is_said() -> None:
    for path in ("/v1/alerts", "/v1/quality", "/v1/audit", "/v1/predictions/e1"):
        answer = World().client("viewer").get(path)
        assert answer.status_code == 503
        assert answer.json()["detail"] == "The topics are not followed by this process."
