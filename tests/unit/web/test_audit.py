"""Every change is announced first, and what came of it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from stream.audit import AuditEntry, Change, TopicTrail, audited
from stream.config.web import Role
from stream.errors import BrokerError, ModelError, StoreError
from stream.kafka.client import Outgoing
from stream.stores.base import StaleWriter
from stream.testing import small_config
from stream.web.caller import Caller
from tests.unit.web.support import Trail, World

ANNA = Caller("anna", Role.OPERATOR, "10.0.0.7", loopback=False)
ASKED = Change(ANNA.author, "models.promote", "model small version 3", {"version": 2}, "it is better")


def told(entries: list[AuditEntry]) -> list[tuple[str, Any, str]]:
    return [(entry.outcome, entry.after, entry.detail) for entry in entries]


def fail(error: Exception) -> Callable[[], int]:
    def make() -> int:
        raise error

    return make


def test_a_change_is_announced_and_then_told_with_how_things_are_now() -> None:
    trail = Trail()
    seen: list[int] = []

    def make() -> int:
        seen.append(len(trail.entries))
        return 3

    made, number = audited(trail, ASKED, make, lambda now: {"version": now})

    asked, done = trail.entries
    assert (made, seen) == (3, [1])
    assert asked.id == done.id == number
    assert told([asked, done]) == [("asked", None, ""), ("done", {"version": 3}, "")]
    for entry in (asked, done):
        assert (entry.who, entry.role, entry.ip, entry.via) == ("anna", "operator", "10.0.0.7", "api")
        assert (entry.action, entry.target, entry.reason) == ("models.promote", "model small version 3", "it is better")
        assert entry.before == {"version": 2}


def test_without_an_audit_nothing_is_changed() -> None:
    trail = Trail()
    made: list[int] = []
    trail.trouble = BrokerError("no broker answered")
    with capture_logs(), pytest.raises(BrokerError, match=r"Nothing was changed: .* no broker answered"):
        audited(trail, ASKED, lambda: made.append(1), lambda _: None)
    assert made == []


@pytest.mark.parametrize(
    ("error", "outcome", "detail"),
    [
        (StaleWriter("somebody else was first."), "refused", "somebody else was first."),
        (ModelError("it is not signed."), "refused", "it is not signed."),
        (StoreError("Redis gave no answer in time."), "failed", "Redis gave no answer in time."),
        (RuntimeError("password=hunter2"), "failed", "a fault; see the log"),
    ],
)
def test_a_change_that_is_not_made_is_told_with_the_reason(error: Exception, outcome: str, detail: str) -> None:
    trail = Trail()
    with pytest.raises(type(error)):
        audited(trail, ASKED, fail(error), lambda _: None)
    assert told(trail.entries) == [("asked", None, ""), (outcome, None, detail)]


def test_a_change_whose_outcome_cannot_be_written_was_made_all_the_same() -> None:
    trail = Trail()

    def make() -> int:
        trail.trouble = BrokerError("no broker answered")
        return 3

    with capture_logs() as said:
        assert audited(trail, ASKED, make, lambda now: now)[0] == 3
    (line,) = said
    assert line["event"] == "audit_incomplete"
    assert line["entry"]["outcome"] == "done"


# the API


def test_a_pause_and_its_end_are_in_the_trail_with_before_and_after() -> None:
    world = World()
    client = world.client("operator", ip="127.0.0.9")
    paused = client.post("/v1/pause", json={"reason": "a bad deploy"}).json()
    on = client.post("/v1/resume", json={"reason": "mended"}).json()

    by = {"who": "the operator", "when": 5.0, "reason": "a bad deploy"}
    assert paused == {"paused": by, "epoch": 1, "audit": world.trail.entries[0].id}
    assert on == {"paused": None, "epoch": 2, "audit": world.trail.entries[2].id}
    assert [(one.action, one.outcome, one.ip) for one in world.trail.entries] == [
        *(("pause", "asked", "127.0.0.9"), ("pause", "done", "127.0.0.9")),
        *(("resume", "asked", "127.0.0.9"), ("resume", "done", "127.0.0.9")),
    ]
    assert [one.before for one in world.trail.entries[::2]] == [{"paused": None}, {"paused": by}]
    assert world.client().get("/v1/overview").json()["paused"] is None


def test_a_second_pause_is_refused_and_the_refusal_is_in_the_trail() -> None:
    world = World()
    client = world.client("operator")
    codes = [client.post("/v1/pause", json={"reason": "x"}).status_code for _ in range(2)]
    assert codes == [200, 409]
    assert [entry.outcome for entry in world.trail.entries] == ["asked", "done", "asked", "refused"]


def test_of_two_who_change_at_once_one_is_told_so() -> None:
    world = World()
    control = world.store.control

    def meanwhile() -> None:
        control.meanwhile = None
        control.pause(expected_epoch=0, who="ben", reason="me too")

    control.meanwhile = meanwhile
    answer = world.client("operator").post("/v1/pause", json={"reason": "x"})
    assert (answer.status_code, answer.json()["detail"]) == (409, "somebody else was first.")


def test_while_the_audit_cannot_be_written_changes_are_answered_503() -> None:
    world = World()
    world.trail.trouble = BrokerError("no broker answered", "Check kafka.bootstrap_servers.")
    with capture_logs():
        answer = world.client("operator").post("/v1/pause", json={"reason": "x"})
    assert answer.status_code == 503
    assert answer.json()["detail"] == "Nothing was changed: the audit trail cannot be written. no broker answered"
    assert answer.json()["cure"] == "Check kafka.bootstrap_servers."
    assert world.store.control.now().pause is None


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"reason": ""}', b'{"reason": 7}', b'{"reason": "x", "y": 1}', b"{"]
)
def test_a_change_needs_a_reason(body: bytes) -> None:
    world = World()
    answer = world.client("operator").post("/v1/pause", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert world.trail.entries == []


# the topic


class Producer:
    """Sends what it was given when it is flushed, or refuses it: at once, later with `late`, or has no answer."""

    def __init__(
        self, error: BaseException | None = None, late: BaseException | None = None, silent: BrokerError | None = None
    ) -> None:
        self.error, self.late, self.silent = error, late, silent
        self.sent: list[Outgoing] = []
        self.closed = False
        self._held: list[tuple[Outgoing, Callable[[BaseException], object]]] = []

    def send(self, record: Outgoing, on_error: Callable[[BaseException], object]) -> None:
        if self.error is not None:
            on_error(self.error)
        else:
            self._held.append((record, on_error))

    def flush(self, timeout: float) -> None:
        if self.silent is not None:
            raise self.silent
        for record, on_error in self._held:
            if self.late is not None:
                on_error(self.late)
            else:
                self.sent.append(record)
        self._held.clear()

    def close(self, timeout: float) -> None:
        self.closed = True


def test_records_go_to_the_audit_topic_by_one_producer_that_is_made_when_needed() -> None:
    made: list[Producer] = []

    def connect() -> Producer:
        made.append(Producer())
        return made[-1]

    trail = TopicTrail(small_config(), connect)
    assert made == []
    audited(trail, ASKED, lambda: 3, lambda now: {"version": now})
    trail.close()

    (producer,) = made
    assert {(record.topic, record.key) for record in producer.sent} == {("driftline-test-audit", b"test")}
    entries = [msgspec.json.decode(record.value or b"", type=AuditEntry) for record in producer.sent]
    assert [entry.outcome for entry in entries] == ["asked", "done"]
    assert producer.closed


ENTRY = AuditEntry(id="1", ts=0.0, who="a", role="b", ip="c", action="d", target="e", outcome="asked")


@pytest.mark.parametrize(
    "refusing",
    [
        Producer(error=RuntimeError("not authorized")),
        Producer(late=RuntimeError("not authorized")),
        Producer(silent=BrokerError("not authorized")),
    ],
    ids=["at once", "later", "no answer"],
)
def test_a_record_that_was_not_taken_is_an_error_and_its_producer_is_replaced(refusing: Producer) -> None:
    made = [refusing, Producer()]
    left = iter(made)
    trail = TopicTrail(small_config(), lambda: next(left))

    with pytest.raises(BrokerError, match="driftline-test-audit: the broker did not take a record: not authorized"):
        trail.write(ENTRY)
    trail.write(ENTRY)

    assert made[0].closed
    assert len(made[1].sent) == 1


def test_who_would_wait_for_the_records_of_others_too_long_is_told_so() -> None:
    flushing, goes_on = threading.Event(), threading.Event()

    class Slow(Producer):
        def flush(self, timeout: float) -> None:
            flushing.set()
            goes_on.wait(5.0)

    trail = TopicTrail(small_config(), Slow, timeout=0.01)
    other = threading.Thread(target=trail.write, args=(ENTRY,))
    other.start()
    assert flushing.wait(5.0)
    try:
        with pytest.raises(BrokerError, match="the broker is slow to take what others have written before"):
            trail.write(ENTRY)
    finally:
        goes_on.set()
        other.join()
