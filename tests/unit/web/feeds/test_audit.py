"""The audit trail as it is read back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stream.audit import AuditEntry, Outcome
from stream.testing import Raw, small_config
from stream.web.feeds.audit import MOST, AuditFeed


def entry(id_: str, outcome: Outcome = "asked", **known: Any) -> AuditEntry:
    fields: dict[str, Any] = {
        "ts": 1.0,
        "who": "ann",
        "role": "operator",
        "ip": "::1",
        "action": "pause",
        "target": "t",
    }
    return AuditEntry(id=id_, outcome=outcome, **(fields | known))


def record(entry: AuditEntry, app: bytes = b"test") -> Raw:
    return Raw(msgspec.json.encode(entry), app, "audit")


@pytest.fixture
def feed() -> AuditFeed:
    return AuditFeed(small_config())


def ids(feed: AuditFeed, limit: int = 500, cursor: str | None = None) -> list[str]:
    return [one.id for one in feed.find(limit, cursor).entries]


def test_a_change_is_one_entry_with_what_came_of_it(feed: AuditFeed) -> None:
    feed.take([record(entry("c1")), record(entry("c2")), record(entry("c1", "done", after={"paused": True}))])

    assert feed.find(10).entries == [entry("c2"), entry("c1", "done", after={"paused": True})]


def test_what_came_of_a_change_is_not_forgotten_when_its_beginning_comes_late(feed: AuditFeed) -> None:
    feed.take([record(entry("c1", "refused")), record(entry("c1"))])

    assert [one.outcome for one in feed.find(10).entries] == ["refused"]


def test_pages_lead_from_the_newest_to_the_oldest(feed: AuditFeed) -> None:
    feed.take([record(entry(f"c{n}")) for n in range(5)])
    first = feed.find(2)
    feed.take([record(entry("c9"))])

    assert [one.id for one in first.entries] == ["c4", "c3"]
    assert ids(feed, 2, first.cursor) == ["c2", "c1"]
    assert feed.find(2, "c1").cursor is None
    assert ids(feed, 2, "unknown") == []


def test_no_more_changes_are_kept_than_the_bound_says(feed: AuditFeed) -> None:
    feed.take([record(entry(f"c{n}")) for n in range(MOST + 5)])

    found = ids(feed, MOST * 2)

    assert (len(found), found[0], found[-1]) == (MOST, f"c{MOST + 4}", "c5")


def test_records_of_others_on_the_topic_are_left_out(feed: AuditFeed) -> None:
    feed.take([Raw(b"{", b"test"), Raw(None, b"test"), Raw(b'{"id": 1}', b"test"), record(entry("c1"), b"another")])

    assert ids(feed) == []


def test_whoever_listens_is_told_of_what_comes_but_not_of_what_was_there(feed: AuditFeed) -> None:
    heard: list[tuple[str, str]] = []
    feed.take([record(entry("c1"))])
    feed.tail.caught_up.set()
    stop = feed.listeners.add(lambda one: heard.append((one.id, one.outcome)))

    feed.take([record(entry("c2")), record(entry("c2", "done"))])
    stop()
    feed.take([record(entry("c3"))])

    assert heard == [("c2", "asked"), ("c2", "done")]
