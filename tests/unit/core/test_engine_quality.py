"""Records that cannot be used: a rise of their share is told once for each topic, with the commonest reason."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator
from typing import Any

import pytest

from detectors.base import State
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.records import Alert, Event, Label, Rejected, Span
from stream.testing import event, label, small_config

NOW = 1e9


def refused(topic: str, n: int, reason: str = "wrong_type", *, time: float | None = None) -> Rejected:
    return Rejected(topic, 0, n, n + 0.5 if time is None else time, reason, "...")


def spans(records: list[Event | Label | Rejected], size: int) -> Iterator[Span]:
    """All records in spans of so many."""
    for start in range(0, len(records), size):
        part = records[start : start + size]
        yield Span(
            [one for one in part if isinstance(one, Event)],
            [one for one in part if isinstance(one, Label)],
            [one for one in part if isinstance(one, Rejected)],
        )


def quality(engine: Engine, records: list[Event | Label | Rejected], size: int = 50) -> list[Alert]:
    effects = [effect for span in spans(records, size) for effect in engine.process(span, NOW)]
    return [one for one in effects if isinstance(one, Alert) and one.kind == "data_quality"]


def with_labels(n: int, usable: bool, *, start: int = 0, reason: str = "wrong_type") -> list[Event | Label | Rejected]:
    """Events with a label each, which can be used or not."""
    made: list[Event | Label | Rejected] = []
    for i in range(start, start + n):
        made += [event(i, {"x": 0.5}), label(i, True) if usable else refused("labels", i, reason)]
    return made


def engine(**detectors: Any) -> Engine:
    return Engine(small_config({"detectors": detectors}), 0)


def test_a_service_all_of_whose_labels_are_refused_says_so_once() -> None:
    (alert,) = quality(engine(), with_labels(3000, usable=False))

    assert (alert.severity, alert.detector, alert.feature, alert.detail) == (
        "warning",
        "rejected",
        "labels",
        "wrong_type",
    )
    assert (alert.direction, alert.before, alert.after) == ("up", 0.01, 1.0)
    assert alert.offset < 5
    assert alert.ts == alert.offset + 0.5
    assert alert.expected_events_per_false_alarm == 1e6


def test_a_topic_that_goes_bad_later_is_told_of_with_when_it_began_and_the_commonest_reason_since() -> None:
    records = [refused("labels", i, "malformed_json") if i % 200 == 0 else label(i, True) for i in range(4000)]
    records += [refused("labels", i, "bad_label" if i % 3 else "empty_value") for i in range(4000, 4300)]

    (alert,) = quality(engine(), [*records])

    assert 4000 < alert.offset < 4010
    assert alert.detail == "bad_label"
    assert alert.current is not None
    assert 3960 <= (alert.current.first_offset or 0) <= 4000
    assert (alert.current.last_offset, alert.current.last_ts) == (alert.offset, alert.offset + 0.5)


def test_a_topic_that_has_recovered_can_be_told_of_again() -> None:
    records = with_labels(100, usable=False) + with_labels(3000, usable=True, start=100)

    found = quality(engine(), records + with_labels(100, usable=False, start=3100))

    assert [alert.offset < 100 for alert in found] == [True, False]


def test_events_and_labels_are_watched_apart() -> None:
    watched = engine()
    records: list[Event | Label | Rejected] = [refused("events", i) for i in range(100)]

    (alert,) = quality(watched, [*records, *(label(i, True) for i in range(100))])

    states = {what: reading.state for what, reading in watched.state.rejections.readings().items()}
    assert alert.feature == "events"
    assert states == {("rejected", "events"): State.DRIFT, ("rejected", "labels"): State.STABLE}


def test_few_records_that_cannot_be_used_are_nothing_to_tell() -> None:
    rng = random.Random(2)
    records = [refused("events", i) if rng.random() < 0.005 else event(i, {"x": 0.5}) for i in range(20_000)]

    assert quality(engine(), [*records], size=500) == []


def test_a_time_that_cannot_be_is_not_the_alerts() -> None:
    records = [refused("events", 0, time=7.0), *(refused("events", i, time=1e15) for i in range(1, 20))]

    (alert,) = quality(engine(), [*records])

    assert alert.ts == 7.0


def test_it_can_be_turned_off() -> None:
    assert quality(engine(rejected=None), with_labels(300, usable=False)) == []


@pytest.mark.parametrize("size", [2, 7, 10_000])
def test_how_records_are_cut_into_spans_changes_nothing(size: int) -> None:
    rng = random.Random(4)
    records = [
        refused("events", i, rng.choice(["wrong_type", "empty_value"])) if rng.random() < 0.1 else event(i, {"x": 0.5})
        for i in range(900)
    ]
    single, cut = engine(), engine()

    expected, found = quality(single, [*records], size=1), quality(cut, [*records], size=size)

    assert found == expected
    assert len(found) == 1
    assert fingerprint(cut.state) == fingerprint(single.state)


def test_a_restored_task_goes_on_watching_as_it_would_have() -> None:
    records = with_labels(300, usable=True) + with_labels(3, usable=False, start=300)
    rest = with_labels(100, usable=False, start=303)
    lived, saved = engine(), engine()
    assert quality(lived, records) == quality(saved, records) == []

    restored = Engine(saved.config, 0, pickle.loads(pickle.dumps(saved.state)))

    assert quality(restored, rest) == quality(lived, rest) != []
