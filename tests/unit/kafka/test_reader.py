"""Where an outside subscriber begins to read."""

from __future__ import annotations

import pytest

from stream.kafka.client import Bounds
from stream.kafka.reader import Reader, Start
from stream.testing import Raw, small_config
from tests.unit.kafka.memory import Log


def alerts(n: int) -> Log:
    """A log of so many alerts."""
    log = Log()
    for _ in range(n):
        log.append(Raw(b"{}", topic="alerts"))
    return log


def test_a_log_that_is_cut_off_while_its_newest_records_are_counted_is_read_from_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = alerts(100)
    inside = log.reader()
    bounds = inside.bounds

    def then_cut_off(topic: str, partition: int, timeout: float = 10.0) -> Bounds:
        held = bounds(topic, partition, timeout)
        log.first[topic, partition] = 95
        return held

    monkeypatch.setattr(inside, "bounds", then_cut_off)
    monkeypatch.setattr("stream.kafka.reader.make_log_reader", lambda config, fetch_wait_ms: inside)

    reader = Reader(small_config().kafka, ["alerts"], 10)

    assert [record.offset for record in reader.poll(1.0)] == [95, 96, 97, 98, 99]


def reader_of(log: Log, start: Start, monkeypatch: pytest.MonkeyPatch) -> Reader:
    monkeypatch.setattr("stream.kafka.reader.make_log_reader", lambda config, fetch_wait_ms: log.reader())
    return Reader(small_config().kafka, ["alerts"], start)


def offsets(reader: Reader) -> list[tuple[int, int]]:
    """Partitions and offsets of what is read until nothing comes."""
    return [(one.partition, one.offset) for batch in iter(lambda: reader.poll(1.0), []) for one in batch]


def test_a_reader_goes_on_where_another_was(monkeypatch: pytest.MonkeyPatch) -> None:
    log = alerts(10)
    first = reader_of(log, 4, monkeypatch)
    assert offsets(first) == [(0, 6), (0, 7), (0, 8), (0, 9)]
    for number in (0, 1):
        log.append(Raw(b"{}", topic="alerts", partition=number))

    assert offsets(reader_of(log, first.next, monkeypatch)) == [(0, 10), (1, 0)]


def test_what_is_no_longer_kept_is_left_out_and_a_topic_that_was_made_anew_is_read_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = alerts(3)
    log.first["alerts", 0] = 2

    assert offsets(reader_of(log, {("alerts", 0): 1}, monkeypatch)) == [(0, 2)]
    assert offsets(reader_of(log, {("alerts", 0): 50}, monkeypatch)) == [(0, 2)]
