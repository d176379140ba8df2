"""Snapshots of tasks as files, for a site without a Redis to spare, or whose models are too large for one.

    {directory}/{app}/{task}/
        owner.{number}              the task's owner; the largest number if there are several
        snapshot.{number}.{count}   what that owner wrote; the newest two are kept
        archived.{name}             what is kept for longer; the name is that of `Archived`
        writing.{number}            on its way; what a killed writer left is removed by the next owner

Every change is one step of the file system: an owner is a file that nobody else could create, a snapshot is renamed to
its name when all of it is on the disk. Nothing is locked, so that nobody waits for a worker that stands still. One that
wakes up in the middle of writing leaves its snapshot under its own, older number, where it is not the newest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stream.config.runtime import ArchiveConfig
from stream.errors import ConfigError, StoreError
from stream.stores.archive import NO_ARCHIVE, Archived, Point, archive_of, next_in
from stream.stores.base import Superseded

KEPT = 2
"""The newest snapshot and the one before it."""

_ARCHIVED = "archived."

TRIES = 100
"""How often a step is begun anew because another worker came between."""


class FileSnapshots:
    """A `SnapshotStore` in a directory. Raises ConfigError when it is to be written to, and that cannot be done.

    All workers of an app that may take over each other's partitions have to see the same directory. Owners are told
    apart however their clocks differ; only after the directory was wiped are clocks what says who is newer.
    """

    def __init__(
        self, directory: Path, app: str, archive: ArchiveConfig = NO_ARCHIVE, *, to_write: bool = True
    ) -> None:
        self._root = directory / app
        self._archiving = archive
        if to_write:
            self._try_to_write()

    @property
    def where(self) -> str:
        return str(self._root)

    def claim(self, task: str) -> int:
        with self._errors(task):
            for _ in range(TRIES):
                number = max(time.time_ns() // 1_000, self._owner_of(task) + 1)
                with suppress(FileExistsError):
                    self._create(task, number)
                    if self._owner_of(task) == number:
                        self._tidy(task, number)
                        return number
        raise self._busy(task)

    def save(self, task: str, data: bytes, *, owner: int, point: Point | None = None) -> None:
        with self._errors(task):
            self._refuse_superseded(task, owner)
            if not self._path(task, f"owner.{owner}").exists():  # wiped
                self._create(task, owner)
            # The archive first, and a copy of its own there: whoever has to begin again when it could not be written
            # does not push the previous snapshot out, and what damages one of the two leaves the other.
            archived = None if point is None else next_in(self.archived(task), point, self._archiving)
            if archived is not None:
                self._write(task, f"{_ARCHIVED}{archived.name}", data, owner)
            count = max((count for number, count in self._snapshots(task) if number == owner), default=0) + 1
            self._write(task, f"snapshot.{owner}.{count}", data, owner)
            self._tidy(task, owner)

    def load(self, task: str, *, previous: bool = False) -> bytes | None:
        with self._errors(task):
            for _ in range(TRIES):
                found = self._snapshots(task)
                if len(found) <= previous:
                    return None
                number, count = found[-1 - previous]
                with suppress(FileNotFoundError):  # another worker wrote two since we looked
                    return self._path(task, f"snapshot.{number}.{count}").read_bytes()
        raise self._busy(task)

    def archived(self, task: str) -> list[Archived]:
        with self._errors(task):
            names = self._listed(task)
        return archive_of(name.removeprefix(_ARCHIVED) for name in names if name.startswith(_ARCHIVED))

    def load_archived(self, task: str, archived: Archived) -> bytes | None:
        with self._errors(task), suppress(FileNotFoundError):
            return self._path(task, f"{_ARCHIVED}{archived.name}").read_bytes()
        return None

    def files(self) -> Iterator[Path]:
        """All snapshots of all tasks, the archived ones too. Raises StoreError."""
        try:
            tasks = sorted(path.name for path in self._root.iterdir() if path.is_dir())
        except FileNotFoundError:  # no snapshot has been written yet
            return
        except OSError as error:
            raise StoreError(
                f"The snapshots in {self.where} cannot be listed: {error.strerror}.", "Correct the path, or mount it."
            ) from error
        for task in tasks:
            for name in sorted(self._listed(task)):
                if name.startswith(("snapshot.", _ARCHIVED)):
                    yield self._path(task, name)

    # names

    def _path(self, task: str, name: str) -> Path:
        return self._root / task / name

    def _numbers(self, task: str, kind: str) -> list[tuple[int, ...]]:
        """The numbers in the names of one kind, in order."""
        named = (name.split(".") for name in self._listed(task))
        return sorted(
            tuple(map(int, numbers)) for first, *numbers in named if first == kind and all(map(str.isdigit, numbers))
        )

    def _listed(self, task: str) -> list[str]:
        try:
            return [path.name for path in (self._root / task).iterdir()]
        except FileNotFoundError:
            return []

    def _snapshots(self, task: str) -> list[tuple[int, ...]]:
        return self._numbers(task, "snapshot")

    def _owner_of(self, task: str) -> int:
        return max((number for number, *_ in [*self._numbers(task, "owner"), *self._snapshots(task)]), default=0)

    # steps

    def _try_to_write(self) -> None:
        probe = self._root / f".probe.{os.getpid()}"
        try:
            self._root.mkdir(exist_ok=True)  # not its parents: what is missing there may be a volume
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise ConfigError(
                f"runtime.snapshot_directory: nothing can be written to {self._root} ({error.strerror}).",
                "Name a directory that is there and that this user may write to, mount the volume it belongs to, or "
                "remove the field to keep snapshots in Redis.",
            ) from error

    def _create(self, task: str, number: int) -> None:
        """Raises FileExistsError when somebody else has that number."""
        for directory in (self._root, self._root / task):
            directory.mkdir(exist_ok=True)
        self._path(task, f"owner.{number}").touch(exist_ok=False)
        self._sync(self._root)
        self._sync(self._root / task)

    def _refuse_superseded(self, task: str, owner: int) -> None:
        if self._owner_of(task) > owner:
            raise Superseded(
                f"The snapshot of task {task} was not written to {self.where}: another worker has taken the task over.",
                "Nothing is lost: that worker goes on from what was committed.",
            )

    def _write(self, task: str, name: str, data: bytes, owner: int) -> None:
        """Have a file of that name with that content. Raises Superseded."""
        writing = self._path(task, f"writing.{owner}")
        writing.unlink(missing_ok=True)
        try:
            with writing.open("xb") as file:  # never through a link that somebody has put there
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._refuse_superseded(task, owner)
            writing.rename(self._path(task, name))
            self._sync(self._root / task)
        finally:
            writing.unlink(missing_ok=True)

    def _sync(self, directory: Path) -> None:
        """Names, too, are on the disk only when their directory is."""
        opened = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)

    def _tidy(self, task: str, owner: int) -> None:
        """Remove what older owners left, and snapshots but for the newest ones, also in the archive."""
        old = [f"snapshot.{number}.{count}" for number, count in self._snapshots(task)[:-KEPT]]
        archive = self.archived(task)
        old += [f"{_ARCHIVED}{archived.name}" for archived in archive[: max(0, len(archive) - self._archiving.keep)]]
        for kind in ("owner", "writing"):
            old += [f"{kind}.{number}" for number, *_ in self._numbers(task, kind) if number < owner]
        for name in old:
            self._path(task, name).unlink(missing_ok=True)

    # errors

    @contextmanager
    def _errors(self, task: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"Snapshots of task {task} cannot be kept in {self.where}: {error.strerror}.",
                "See whether the disk is full, mounted, and may be written to.",
            ) from error

    def _busy(self, task: str) -> StoreError:
        return StoreError(
            f"The snapshots of task {task} in {self.where} kept changing while they were looked at.",
            "See which workers write there; each app needs a directory of its own.",
        )
