"""Snapshots in a directory: what is special about files. What all stores promise is in tests/integration/store."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.config.runtime import ArchiveConfig
from stream.errors import ConfigError, StoreError
from stream.stores.archive import Point
from stream.stores.base import Superseded
from stream.stores.files import FileSnapshots
from stream.stores.opening import open_snapshots
from stream.testing import small_config


@pytest.fixture
def store(tmp_path: Path) -> FileSnapshots:
    return FileSnapshots(tmp_path, "flights")


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """The directory of task 3."""
    return tmp_path / "flights" / "3"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """The system refuses to write more than `size` bytes to a file, as it does when the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(directory: Path) -> list[str]:
    return sorted(path.name.partition(".")[0] for path in directory.iterdir())


def test_files_do_not_pile_up(store: FileSnapshots, task: Path) -> None:
    for _ in range(3):
        owner = store.claim("3")
        for n in range(5):
            store.save("3", b"%d" % n, owner=owner)
    assert names(task) == ["owner", "snapshot", "snapshot"]


def test_a_snapshot_that_does_not_fit_on_the_disk_leaves_the_one_before_and_nothing_else(
    store: FileSnapshots, task: Path
) -> None:
    owner = store.claim("3")
    store.save("3", b"before", owner=owner)
    with largest_file(1000), pytest.raises(StoreError, match=r"cannot be kept in .*File too large"):
        store.save("3", b"x" * 2000, owner=owner)
    assert store.load("3") == b"before"
    assert names(task) == ["owner", "snapshot"]
    store.save("3", b"after", owner=owner)
    assert store.load("3") == b"after"


def test_what_a_killed_writer_left_half_done_is_never_read_and_goes_with_the_next_owner(
    store: FileSnapshots, task: Path
) -> None:
    killed = store.claim("3")
    store.save("3", b"whole", owner=killed)
    (task / f"writing.{killed}").write_bytes(b"hal")
    assert store.load("3") == b"whole"
    store.claim("3")
    assert names(task) == ["owner", "snapshot"]


def test_a_zombie_that_stood_still_while_it_wrote_does_not_get_ahead_of_the_new_owner(
    store: FileSnapshots, task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a writer that is past its last check when a new owner claims the task and writes
    zombie = store.claim("3")
    rename = Path.rename

    def wake_up(path: Path, target: Path) -> Path:
        monkeypatch.undo()
        owner = store.claim("3")
        store.save("3", b"of the new owner", owner=owner)
        path.write_bytes(b"of the zombie")  # what the new owner tidied away is there again
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", wake_up)

    # When it goes on
    store.save("3", b"of the zombie", owner=zombie)

    # Then its snapshot is not the newest, and it writes no other
    assert store.load("3") == b"of the new owner"
    with pytest.raises(Superseded):
        store.save("3", b"more of the zombie", owner=zombie)


def test_a_reader_whose_file_is_replaced_meanwhile_looks_again(
    store: FileSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = store.claim("3")
    store.save("3", b"old", owner=owner)
    read = Path.read_bytes

    def slow_read(path: Path) -> bytes:
        monkeypatch.undo()
        for data in (b"newer", b"newest"):
            store.save("3", data, owner=owner)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", slow_read)
    assert store.load("3") == b"newest"


def archiving(directory: Path, keep: int) -> FileSnapshots:
    return FileSnapshots(directory, "flights", ArchiveConfig(every=1.0, keep=keep))


def at(second: int) -> Point:
    """The point of a task's life at that second."""
    return Point(second, 10 * second, 1000 * second)


def test_an_archive_has_files_of_its_own_and_no_more_than_it_may(tmp_path: Path, task: Path) -> None:
    store = archiving(tmp_path, keep=3)
    owner = store.claim("3")
    for second in range(1, 9):
        store.save("3", b"%d" % second, owner=owner, point=at(second))
    assert names(task) == ["archived"] * 3 + ["owner"] + ["snapshot"] * 2


def test_a_full_disk_leaves_the_archive_and_the_newest_as_they_were(tmp_path: Path, task: Path) -> None:
    store = archiving(tmp_path, keep=3)
    owner = store.claim("3")
    store.save("3", b"before", owner=owner, point=at(1))
    with largest_file(1000), pytest.raises(StoreError, match="File too large"):
        store.save("3", b"x" * 2000, owner=owner, point=at(2))
    assert names(task) == ["archived", "owner", "snapshot"]
    assert store.load("3") == b"before"


def test_what_was_archived_but_not_made_the_newest_is_so_when_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a disk that fails between the archive and the slot
    store = archiving(tmp_path, keep=3)
    owner = store.claim("3")
    for second in (1, 2):
        store.save("3", b"%d" % second, owner=owner, point=at(second))
    rename = Path.rename

    def fail_on_slots(path: Path, target: Path) -> Path:
        if target.name.startswith("snapshot."):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", fail_on_slots)
        with pytest.raises(StoreError):
            store.save("3", b"3", owner=owner, point=at(3))

    # When it works again
    store.save("3", b"3", owner=owner, point=at(3))

    # Then the snapshot stands in each place once
    assert (store.load("3"), store.load("3", previous=True)) == (b"3", b"2")
    assert [archived.point.sequence for archived in store.archived("3")] == [1, 2, 3]


def test_damage_to_a_snapshot_leaves_its_copy_in_the_archive(tmp_path: Path, task: Path) -> None:
    store = archiving(tmp_path, keep=3)
    store.save("3", b"data", owner=store.claim("3"), point=at(1))
    [newest] = task.glob("snapshot.*")
    with newest.open("r+b") as file:
        file.write(b"!")
    assert store.load_archived("3", *store.archived("3")) == b"data"


def test_files_of_others_are_left_alone(store: FileSnapshots, task: Path) -> None:
    owner = store.claim("3")
    (task / "snapshot.of.me.and.my.dog").write_bytes(b"!")
    (task / "notes.txt").write_bytes(b"!")
    (task / "archived.1.2").write_bytes(b"!")
    store.save("3", b"data", owner=owner)
    assert store.load("3") == b"data"
    assert store.archived("3") == []
    assert (task / "archived.1.2").exists()
    assert (task / "notes.txt").exists()


def test_each_snapshot_is_on_the_disk_before_it_has_its_name(
    store: FileSnapshots, task: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = store.claim("3")
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(fd: int) -> None:
        steps.append("data" if os.fstat(fd).st_size == 12_345 else "names")
        fsync(fd)

    def noted_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    store.save("3", b"x" * 12_345, owner=owner)
    assert steps == ["data", "rename", "names"]


def test_a_directory_that_cannot_be_written_to_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = small_config({"runtime": {"snapshot_directory": str(tmp_path / "file" / "below")}})
    with pytest.raises(ConfigError, match=r"runtime\.snapshot_directory: nothing can be written to .*Not a directory"):
        open_snapshots(config)


def test_a_directory_that_is_named_is_used(tmp_path: Path) -> None:
    config = small_config({"runtime": {"snapshot_directory": str(tmp_path)}})
    assert open_snapshots(config).where == str(tmp_path / "test")
    assert list((tmp_path / "test").iterdir()) == []


def test_a_directory_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    config = small_config({"runtime": {"snapshot_directory": str(tmp_path / "volume")}})
    with pytest.raises(ConfigError, match=r"nothing can be written to .*No such file.*\n.*mount the volume"):
        open_snapshots(config)
    assert not (tmp_path / "volume").exists()


def test_a_task_is_not_claimed_in_a_directory_whose_volume_has_gone(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    store = FileSnapshots(volume, "flights")
    (volume / "flights").rmdir()
    volume.rmdir()

    with pytest.raises(StoreError, match="No such file"):
        store.claim("small.0")
    assert not volume.exists()


def test_the_archive_is_as_large_as_configured(tmp_path: Path) -> None:
    runtime = {"snapshot_directory": str(tmp_path), "snapshot_archive": {"every": "2s", "keep": 2}}
    store = open_snapshots(small_config({"runtime": runtime}))
    owner = store.claim("3")
    for second in range(1, 8):
        store.save("3", b"%d" % second, owner=owner, point=at(second))
    assert [archived.point for archived in store.archived("3")] == [at(5), at(7)]


def test_a_directory_that_goes_away_is_a_store_error_and_its_return_is_enough(
    store: FileSnapshots, tmp_path: Path
) -> None:
    owner = store.claim("3")
    gone = tmp_path / "gone"
    (tmp_path / "flights").rename(gone)
    (tmp_path / "flights").write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot be kept in .*\n.*mounted"):
        store.save("3", b"data", owner=owner)
    (tmp_path / "flights").unlink()
    gone.rename(tmp_path / "flights")
    store.save("3", b"data", owner=owner)
    assert store.load("3") == b"data"
