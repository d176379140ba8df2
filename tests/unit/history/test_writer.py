"""The thread that writes the history: what it promises when its store is away or hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from stream.config.history import HistoryConfig
from stream.config.redis import RedisConfig
from stream.errors import StoreError
from stream.history.frames import Distribution, WorkerNow
from stream.history.store import Batch, HistoryStore, Told
from stream.history.taking import now_of
from stream.history.tiers import TIERS
from stream.history.writer import WAITING, HistoryWriter
from stream.kafka.report import Report
from tests.integration.support.waiting import until
from tests.unit.history.made import LAYOUT, engine_after, point

SOON = 20.0
"""Longest any of these waits, in seconds; they go on as soon as what they wait for is there."""


class Door(HistoryStore):
    """A store that can be away, or hang, on cue, and remembers what it was given."""

    def __init__(self) -> None:
        from stream.stores.connection import connect

        super().__init__(connect(RedisConfig()), "test", HistoryConfig())
        self.away = False
        self.open = threading.Event()
        self.open.set()
        self.tries = 0
        self.batches: list[Batch] = []
        self.left: list[str] = []

    def write(self, batch: Batch) -> None:
        self.tries += 1
        assert self.open.wait(SOON)
        if self.away:
            raise StoreError("the store is away.", "Bring it back.")
        self.batches.append(batch)

    def tried(self, times: int) -> bool:
        return self.tries >= times

    def leave(self, worker: str) -> None:
        self.left.append(worker)

    @property
    def written(self) -> list[float]:
        """When the points of the finest series were made that were written."""
        return [one.at for batch in self.batches for tier, one in batch.points if tier is TIERS[0]]


@pytest.fixture
def store() -> Door:
    return Door()


@pytest.fixture
def dropped() -> list[int]:
    return []


@pytest.fixture
def writer(store: Door, dropped: list[int]) -> Iterator[HistoryWriter]:
    writer = HistoryWriter(store, dropped.append, linger=0.001, first_pause=0.001)
    yield writer
    store.open.set()
    writer.close(SOON, "w")


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


def put(writer: HistoryWriter, at: float, partition: int = 0) -> None:
    state = engine_after(0).state
    now = now_of(partition, state, Report({}, {}, {}, {}, {}), worker="w", at=at, snapshot=None)
    writer.put(point(at, partition), LAYOUT, now)


def test_points_come_in_their_order_with_the_layout_before_them(store: Door, writer: HistoryWriter) -> None:
    for at in range(5):
        put(writer, 100.0 + at)
    until(lambda: len(store.written) == 5, SOON)

    assert store.written == [100.0, 101.0, 102.0, 103.0, 104.0]
    assert store.batches[0].layouts == (LAYOUT,)
    assert [now.at for now in store.batches[-1].nows] == [104.0], "of what is newest, only the newest"


def test_a_store_that_hangs_holds_nobody_up(store: Door, writer: HistoryWriter, dropped: list[int]) -> None:
    store.open.clear()
    put(writer, 0.0)
    until(lambda: store.tries == 1, SOON)
    started = time.monotonic()
    for at in range(1, 101):
        put(writer, float(at))
    assert time.monotonic() - started < 10.0  # the store hangs until it is told otherwise

    store.open.set()
    until(lambda: len(store.written) == 101, SOON)
    assert not dropped


def test_what_waits_is_bounded_and_what_gives_way_is_counted(
    store: Door, writer: HistoryWriter, dropped: list[int]
) -> None:
    state = engine_after(0).state
    now = now_of(0, state, Report({}, {}, {}, {}, {}), worker="w", at=0.0, snapshot=None)
    store.open.clear()
    put(writer, 0.0)
    until(lambda: store.tries == 1, SOON)
    for at in range(1, WAITING + 11):
        writer.put(point(float(at)), LAYOUT, now)
    store.open.set()
    until(lambda: len(store.written) == WAITING + 1, SOON)

    assert sum(dropped) == 10
    assert store.written[:3] == [0.0, 11.0, 12.0], "the oldest give way"


def test_going_away_and_coming_back_is_a_line_each_and_what_came_meanwhile_is_written(
    store: Door, writer: HistoryWriter, lines: list[Any]
) -> None:
    store.away = True
    put(writer, 1.0)
    until(lambda: store.tries >= 3, SOON)
    put(writer, 2.0)
    store.away = False
    until(lambda: len(store.written) == 2, SOON)
    until(lambda: len(lines) == 2, SOON)

    assert [line["event"] for line in lines] == ["history_not_written", "history_written_again"]
    assert (lines[0]["log_level"], lines[1]["dropped"]) == ("warning", 0)
    assert store.written == [1.0, 2.0]


def test_what_gave_way_before_a_store_went_away_is_not_told_when_it_comes_back(
    store: Door, writer: HistoryWriter, dropped: list[int], lines: list[Any]
) -> None:
    store.open.clear()
    put(writer, 0.0)
    until(lambda: store.tries == 1, SOON)
    for _ in range(WAITING + 1):
        writer.forget(0)
    put(writer, 1.0)
    store.open.set()
    until(lambda: 1.0 in store.written, SOON)
    assert sum(dropped) == 1

    store.away = True
    put(writer, 2.0)
    until(lambda: lines, SOON)
    store.away = False
    until(lambda: len(lines) == 2, SOON)

    assert lines[1]["dropped"] == 0


def test_what_waits_for_a_store_that_is_away_is_bounded_too(
    store: Door, writer: HistoryWriter, dropped: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.history.writer.WAITING", 3)
    store.away = True
    for first in (0.0, 3.0, 6.0):
        for at in range(3):
            put(writer, first + at)
        until(partial(store.tried, store.tries + 2), SOON)  # one may be under way without it
    store.away = False
    until(lambda: store.written, SOON)

    assert store.written == [3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    assert sum(dropped) == 3


def test_a_store_that_comes_back_empty_is_told_the_layout_again(store: Door, writer: HistoryWriter) -> None:
    put(writer, 1.0)
    until(lambda: store.written, SOON)
    store.away = True
    put(writer, 2.0)
    until(lambda: store.tries >= 3, SOON)
    store.away = False
    put(writer, 3.0)
    until(lambda: len(store.written) == 3, SOON)

    assert [layout for batch in store.batches[1:] for layout in batch.layouts] == [LAYOUT]


def test_a_layout_is_told_again_with_each_stretch_as_it_has_a_time_to_live(store: Door, writer: HistoryWriter) -> None:
    put(writer, 1.0)
    until(lambda: store.written == [1.0], SOON)
    put(writer, 2.0)
    until(lambda: store.written == [1.0, 2.0], SOON)
    put(writer, 31.0)
    until(lambda: store.written == [1.0, 2.0, 31.0], SOON)

    assert [batch.layouts for batch in store.batches] == [(LAYOUT,), (), (LAYOUT,)]


def test_a_fault_is_told_and_the_next_is_written_all_the_same(
    store: Door, writer: HistoryWriter, lines: list[Any]
) -> None:
    def broken() -> dict[Told, Distribution]:
        raise ZeroDivisionError

    writer.put_features(0, [broken])
    put(writer, 1.0)
    until(lambda: "history_failed" in [line["event"] for line in lines], SOON)
    put(writer, 2.0)

    until(lambda: 2.0 in store.written, SOON)


def test_closing_writes_what_waits_and_takes_leave(store: Door, writer: HistoryWriter) -> None:
    put(writer, 1.0)
    worker = WorkerNow(
        id="w", host="h", pid=1, started=0.0, seen=1.0, address="", partitions=(0,), state="ok", parts={}, memory=None
    )
    writer.put_worker(worker)
    writer.close(SOON, "w")

    assert (store.written, store.left) == ([1.0], ["w"])
    assert worker in [batch.worker for batch in store.batches]
    assert [tier.name for batch in store.batches for tier, _ in batch.points] == ["fine", "middle", "coarse"]


def test_closing_waits_no_longer_than_it_may(store: Door, writer: HistoryWriter) -> None:
    store.open.clear()
    put(writer, 1.0)
    until(lambda: store.tries == 1, SOON)
    started = time.monotonic()
    writer.close(0.05, "w")

    assert time.monotonic() - started < 5.0
