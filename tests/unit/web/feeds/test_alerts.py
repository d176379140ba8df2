"""The alerts that people ask for: filtered, in pages, with who has taken note of them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from stream.errors import DataError
from stream.records import Alert, Change, Contributor, Window
from stream.testing import Raw, small_config
from stream.web.feeds.acknowledged import Note
from stream.web.feeds.alerts import AlertsFeed, Query, Shown
from stream.web.feeds.incidents import MOST, Readings
from tests.clock import Clock
from tests.unit.web.feeds.made import T0, InMemory, alert, end, record, swap


def feed(*alerts: Alert, readings: Readings | None = None, notes: InMemory | None = None) -> AlertsFeed:
    """A feed that was told of these alerts, a second apart, and has caught up."""
    made = AlertsFeed(small_config(), notes or InMemory(), lambda partition: readings or {}, Clock(500.0))
    made.take([record(one, 100.0 + n) for n, one in enumerate(alerts)])
    made.tail.caught_up.set()
    return made


def ids(made: AlertsFeed, **asked: Any) -> list[str]:
    return [one.id for one in made.find(Query(**asked)).alerts]


def drift(id_: str, feature: str, **known: Any) -> Alert:
    return alert(id_, kind="data_drift", feature=feature, contributors=(Contributor("ks", feature),), **known)


def test_an_incident_is_shown_as_the_alert_on_the_topic_with_what_is_known_of_it() -> None:
    made = feed(alert(), alert("a2", incident="a1", since=T0, after=0.45), end(), swap())

    shown = msgspec.to_builtins(made.get("a1"))

    on_topic = msgspec.to_builtins(alert())
    assert {name: shown[name] for name in on_topic if name != "state"} == {
        name: value for name, value in on_topic.items() if name != "state"
    }
    assert {name: shown[name] for name in shown if name not in on_topic or name == "state"} == {
        "at": 100.0,
        "state": "closed",
        "closed": {"ts": T0 + 180_000.0, "how": "recovered"},
        "acknowledged": None,
        "headline": "The model's error rate rose from 18% to 31%, on 8 February, 04:00 UTC; it recovered after 2 days.",
        "change_point": {"offset": 81500, "ts": T0},
        "action_text": "Driftline started a challenger. It learns beside the champion and takes over if it proves "
        "better. Version 4 took over from version 3 (it proved better), on 9 February, 06:00 UTC.",
        "later": ({"id": "a2", "ts": T0 + 7200.0, "at": 101.0, "after": 0.45},),
    }


def test_that_a_drift_recovers_or_drifts_again_is_told_once_at_the_next_look() -> None:
    readings: dict[tuple[str, str | None], str] = {("adwin", None): "drift"}
    made, told = feed(alert(), end("other"), readings=readings), list[tuple[str, str]]()
    made.listeners.add(lambda shown: told.append((shown.id, shown.state)))

    made.look()
    assert told == []
    readings["adwin", None] = "stable"
    made.look()
    made.look()
    assert told == [("a1", "recovering")]
    readings["adwin", None] = "drift"
    made.look()
    assert told[1:] == [("a1", "open")]


def test_what_was_usual_is_told_by_the_newest_alert_of_the_partition_that_tells_of_it() -> None:
    def drift(id_: str, n: int, **known: Any) -> Alert:
        return alert(
            id_, kind="data_drift", detector="ks", feature="x", reference=Window(n, profile={"p50": 2.0}), **known
        )

    made = feed(drift("a1", 10), drift("a2", 20), alert("a3"), drift("a4", 30, partition=1))
    found = [made.usual("x", partition) for partition in (None, 0, 2)]
    assert [one and one.values.n for one in found] == [30, 20, None]


def test_what_is_shown_is_what_its_description_says() -> None:
    shown = feed(alert(), end()).get("a1")

    assert msgspec.convert(msgspec.to_builtins(shown), Shown) == shown


def test_incidents_can_be_asked_for_by_what_they_are() -> None:
    notes = InMemory()
    made = feed(alert("a1"), drift("b1", "x", partition=1), end("b1"), drift("c1", "kind"), swap(), notes=notes)
    notes.kept["c1"] = Note("ann", 1.0)

    assert ids(made) == ["s1", "c1", "b1", "a1"]
    assert ids(made, state="open") == ["c1", "a1"]
    assert ids(made, state="closed") == ["s1", "b1"]
    assert ids(made, kind="data_drift") == ["c1", "b1"]
    assert ids(made, feature="x") == ["b1"]
    assert ids(made, partition=1) == ["b1"]
    assert ids(made, acknowledged=True) == ["c1"]
    assert ids(made, acknowledged=False, state="open") == ["a1"]


def test_a_drift_that_its_detectors_no_longer_see_is_shown_as_recovering() -> None:
    made = feed(alert("a1"), drift("b1", "x"), readings={("ks", "x"): "stable", ("adwin", None): "drift"})

    assert ids(made, state="recovering") == ["b1"]
    assert ids(made, state="open") == ["a1"]


def test_pages_hold_every_incident_once_though_new_ones_come_meanwhile() -> None:
    made = feed(*(alert(f"a{n}") for n in range(5)))
    first = made.find(Query(limit=2))
    made.take([record(alert("a9"), 200.0)])

    second = made.find(Query(limit=2, cursor=first.cursor))
    third = made.find(Query(limit=2, cursor=second.cursor))

    assert [[one.id for one in page.alerts] for page in (first, second, third)] == [["a4", "a3"], ["a2", "a1"], ["a0"]]
    assert third.cursor is None


def test_incidents_of_one_moment_are_paged_without_a_gap() -> None:
    made = feed()
    made.take([record(alert(f"a{n}"), 100.0) for n in range(3)])

    first = made.find(Query(limit=1))
    second = made.find(Query(limit=1, cursor=first.cursor))

    assert [one.id for one in (*first.alerts, *second.alerts)] == ["a2", "a1"]


def test_a_cursor_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="cursor 'yesterday' is none"):
        feed().find(Query(cursor="yesterday"))


def test_acknowledging_keeps_who_when_and_their_note_and_can_be_taken_back() -> None:
    made = feed(alert())

    shown = made.acknowledge("a1", "ann", "looking into it")

    assert shown.acknowledged == Note("ann", 500.0, "looking into it")
    assert made.find(Query()).alerts[0].acknowledged == shown.acknowledged
    assert made.unacknowledge("a1").acknowledged is None


def test_an_incident_is_acknowledged_by_the_id_of_any_of_its_alerts() -> None:
    notes = InMemory()
    feed(alert(), alert("a2", incident="a1", since=T0), notes=notes).acknowledge("a2", "ann", "")

    assert list(notes.kept) == ["a1"]


def test_notes_are_not_thrown_away_before_it_is_known_which_alerts_there_are() -> None:
    notes = InMemory()
    made = feed(alert(), notes=notes)
    made.tail.caught_up.clear()
    made.acknowledge("a1", "ann", "")
    before = notes.most
    made.tail.caught_up.set()
    made.acknowledge("a1", "ann", "")

    assert before is not None
    assert notes.most == MOST < before


def test_an_incident_that_is_not_known_is_not_shown() -> None:
    made = feed(alert())

    assert made.get("zz") is None
    with pytest.raises(KeyError):
        made.acknowledge("zz", "ann", "")


def test_whoever_listens_is_told_of_what_comes_and_of_what_is_acknowledged_but_not_of_what_was_there() -> None:
    made = feed(alert("a1"))
    heard: list[Any] = []
    stop = made.listeners.add(lambda shown: heard.append((shown.id, shown.state, shown.acknowledged is not None)))

    made.take([record(alert("a2"))])
    made.take([record(end("a2"))])
    made.take([record(end("a2"))])
    made.acknowledge("a1", "ann", "")
    stop()
    made.take([record(alert("a3"))])

    assert heard == [("a2", "open", False), ("a2", "closed", False), ("a1", "open", True)]


def test_records_of_others_on_the_topic_are_left_out() -> None:
    made = feed(alert("a1"))

    made.take([Raw(b"{"), Raw(None), Raw(b'{"id": "a2"}'), record(alert("a3"), app="another")])

    assert ids(made) == ["a1"]


def test_no_more_incidents_are_kept_than_the_bound_says() -> None:
    made = feed(*(alert(f"a{n}") for n in range(MOST + 10)))

    assert (made.open(), len(ids(made, limit=MOST * 2))) == (MOST, MOST)


def test_a_feature_is_told_of_the_incidents_in_which_it_takes_part() -> None:
    beside = alert("a1", contributors=(Contributor("adwin"), Contributor("ks", "x")))
    made = feed(beside, drift("b1", "x"), drift("c1", "kind"))

    assert made.of_feature("x") == ["b1", "a1"]


def test_marks_tell_what_began_what_ended_and_what_was_swapped_on_both_axes() -> None:
    made = feed(alert(), swap(), end(), swap("r1", kind="rollback", detail="version 4 to 3: rollback", partition=1))

    marks = made.marks(None, None)

    assert [(one.kind, one.time, one.at, one.alert) for one in marks] == [
        ("drift", T0 + 7200.0, 100.0, "a1"),
        ("swap", T0 + 93_600.0, 101.0, "s1"),
        ("recovered", T0 + 180_000.0, 102.0, "a1"),
        ("rollback", T0 + 93_600.0, 103.0, "r1"),
    ]
    assert marks[1].text == "Version 4 took over from version 3 (it proved better), on 9 February, 06:00 UTC."


def test_marks_can_be_asked_for_by_partition_and_from_a_time_on() -> None:
    made = feed(alert("a1"), alert("a2", partition=1), alert("a3"))

    assert [one.alert for one in made.marks(0, None)] == ["a1", "a3"]
    assert [one.alert for one in made.marks(None, 101.0)] == ["a2", "a3"]


def test_numbers_that_json_does_not_know_are_told_as_null() -> None:
    odd = alert(effect=float("inf"), change=Change(3, None, None))

    assert b'"effect":null' in msgspec.json.encode(feed(odd).get("a1"))
