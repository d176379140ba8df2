"""The thread that writes snapshots: what it promises when its store is away, hangs, or has another owner."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from stream.config.runtime import ArchiveConfig
from stream.errors import StoreError
from stream.stores.archive import Archived, Point
from stream.stores.files import FileSnapshots
from stream.stores.writer import SnapshotWriter

SOON = 20.0
"""Longest any of these waits, in seconds; they go on as soon as what they wait for is there."""
AT = Point(7, 150, 1_700_000_000_000)


class Door(FileSnapshots):
    """A real store that can be away, or hang, on cue."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, "test", ArchiveConfig(keep=9, every=1.0))
        self.away = False
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Semaphore(0)

    def claim(self, task: str) -> int:
        self._pass()
        return super().claim(task)

    def save(self, task: str, data: bytes, *, owner: int, point: Point | None = None) -> None:
        self.reached.release()
        self._pass()
        super().save(task, data, owner=owner, point=point)

    def _pass(self) -> None:
        assert self.open.wait(SOON)
        if self.away:
            raise StoreError("the store is away.", "Bring it back.")


class Stage:
    """A writer with its store, and what it told."""

    def __init__(self, directory: Path) -> None:
        self.store = Door(directory)
        self.failures = threading.Semaphore(0)
        self.written: list[str] = []
        self.writer = SnapshotWriter(self.store, self.failures.release, first_pause=0.001)

    def put(self, task: str, data: bytes) -> None:
        self.writer.put(task, data, AT, lambda: self.written.append(f"{task}: {data.decode()}"))

    def try_in_vain(self, times: int = 1) -> None:
        """Wait until that many more writes have failed."""
        for _ in range(times):
            assert self.failures.acquire(timeout=SOON)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.store.open.set()
    stage.store.away = False
    stage.writer.close(SOON)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


def test_what_is_put_is_written_and_told(stage: Stage) -> None:
    stage.writer.claim("0")
    stage.put("0", b"data")
    assert stage.writer.flush(SOON)
    assert stage.store.load("0") == b"data"
    assert (stage.written, stage.writer.trouble) == (["0: data"], "")


def test_what_is_put_is_written_with_its_place_in_the_archive(stage: Stage) -> None:
    stage.writer.claim("0")
    stage.put("0", b"data")
    assert stage.writer.flush(SOON)
    assert stage.store.archived("0") == [Archived(1, AT)]


def test_a_store_that_hangs_holds_up_nobody_and_of_what_waits_only_the_newest_is_written(stage: Stage) -> None:
    stage.writer.claim("0")
    stage.store.open.clear()
    stage.put("0", b"hangs")
    assert stage.store.reached.acquire(timeout=SOON)
    for data in (b"waits", b"waits longer", b"newest"):
        stage.put("0", data)
    assert not stage.writer.flush(0.0)

    stage.store.open.set()

    assert stage.writer.flush(SOON)
    assert stage.written == ["0: hangs", "0: newest"]


def test_a_store_that_is_away_is_tried_again_and_what_waited_is_written_when_it_is_back(
    stage: Stage, lines: list[Any]
) -> None:
    for task in ("0", "1"):
        stage.writer.claim(task)
    stage.store.away = True
    stage.put("0", b"data")
    stage.put("1", b"data")
    stage.try_in_vain(5)
    assert stage.writer.trouble == "the store is away."

    stage.store.away = False

    assert stage.writer.flush(SOON)
    assert sorted(stage.written) == ["0: data", "1: data"]
    assert stage.writer.trouble == ""
    assert [line["event"] for line in lines] == ["snapshot_not_saved", "snapshots_saved_again"]


def test_a_task_whose_store_was_away_when_it_was_opened_is_claimed_with_its_first_snapshot(stage: Stage) -> None:
    stage.store.away = True
    with pytest.raises(StoreError):
        stage.writer.claim("0")
    stage.put("0", b"data")
    stage.try_in_vain(2)
    stage.store.away = False
    assert stage.writer.flush(SOON)
    stage.put("0", b"more")
    assert stage.writer.flush(SOON)
    assert (stage.store.load("0"), stage.store.load("0", previous=True)) == (b"more", b"data")


def test_a_task_that_another_owner_has_claimed_is_written_no_more(stage: Stage, lines: list[Any]) -> None:
    stage.writer.claim("0")
    stage.writer.claim("1")
    owner = stage.store.claim("0")
    for data in (b"too late", b"later still"):
        stage.put("0", data)
        assert stage.writer.flush(SOON)
    stage.put("1", b"mine")
    assert stage.writer.flush(SOON)

    assert stage.store.load("0") is None
    assert stage.written == ["1: mine"]
    assert [(line["event"], line["task"]) for line in lines] == [("snapshot_refused", "0")]
    assert stage.failures.acquire(blocking=False)
    assert stage.writer.trouble == ""
    stage.store.save("0", b"of the other", owner=owner)


def test_a_task_that_comes_back_is_written_again(stage: Stage) -> None:
    stage.writer.claim("0")
    stage.store.claim("0")
    stage.put("0", b"too late")
    assert stage.writer.flush(SOON)
    stage.writer.claim("0")
    stage.put("0", b"mine again")
    assert stage.writer.flush(SOON)
    assert stage.store.load("0") == b"mine again"


def test_what_still_waits_of_an_earlier_ownership_is_not_written_under_a_later_one(stage: Stage) -> None:
    stage.writer.claim("0")
    stage.store.away = True
    stage.put("0", b"of the past")
    stage.try_in_vain()
    with pytest.raises(StoreError):
        stage.writer.claim("0")
    stage.store.away = False
    stage.writer.claim("0")
    assert stage.writer.flush(SOON)
    assert stage.store.load("0") is None


def test_a_writer_that_is_closed_has_written_what_waited(stage: Stage) -> None:
    stage.writer.claim("0")
    stage.put("0", b"last")
    stage.writer.close(SOON)
    assert stage.store.load("0") == b"last"


def test_a_writer_whose_store_hangs_is_closed_in_time(stage: Stage) -> None:
    stage.writer.claim("0")
    stage.store.open.clear()
    stage.put("0", b"last")
    assert stage.store.reached.acquire(timeout=SOON)
    stage.writer.close(0.0)
    assert stage.written == []
