"""Thousands of records, half of them broken in some way, through the running service."""

from __future__ import annotations

from stream.refusal import REASONS
from stream.testing import Raw
from tests.faults import garbage
from tests.integration.service.conftest import MakeStage
from tests.integration.service.test_records import outcomes
from tests.integration.support.outside import T0, Given
from tests.integration.support.running import InThread
from tests.integration.support.waiting import until


def given(raw: Raw) -> Given:
    """The record as a producer could send it: brokers take no times before 1970 or from the future, and clients send no
    record that has neither key nor value.
    """
    seconds = raw.timestamp / 1000
    headers = tuple((name, body or b"") for name, body in raw.headers)
    key = raw.key or b"" if raw.value is None else raw.key
    return Given(raw.value, key, seconds if 0 <= seconds < T0 + 1e6 else T0, 0, headers)


def test_garbage_stops_nothing_and_every_record_is_counted(make_stage: MakeStage) -> None:
    stage = make_stage({"labels": {"ttl": "10s", "max_pending": 100}})
    records = list(garbage.records(seed=1, n=4000, start=T0))
    sent = {topic: [given(raw) for raw in records if raw.topic == topic] for topic in ("events", "labels")}
    for topic, those in sent.items():
        stage.produce(topic, those)
    with InThread(stage) as service:
        until(lambda: all(stage.committed(topic) >= len(those) for topic, those in sent.items()))
        until(lambda: sum(outcomes(service, "events").values()) == len(sent["events"]))
        ends = {topic: outcomes(service, topic) for topic in sent}
        held = service.metric("driftline_held_labels")
        service.wait_ready()

    dead = ends["events"]["dead_lettered"] + ends["labels"]["dead_lettered"]
    letters = stage.read("dead_letters", at_least=round(dead))
    assert sum(ends["events"].values()) == len(sent["events"])
    assert sum(ends["labels"].values()) + held == len(sent["labels"])
    assert len(stage.predictions(at_least=round(ends["events"]["predicted"]))) == ends["events"]["predicted"]
    assert len(letters) == dead
    assert {letter.headers["driftline-reason"].decode() for letter in letters} <= set(REASONS)
