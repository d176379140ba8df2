"""Snapshots of tasks in Redis: two slots each, a pointer to the newer one, and the number of the task's owner; and the
archive, a hash of snapshots by their names there.
"""

from __future__ import annotations

import redis

from stream.config.runtime import ArchiveConfig
from stream.stores.archive import NO_ARCHIVE, Archived, Point, archive_of
from stream.stores.base import Superseded
from stream.stores.connection import address, as_bytes, as_text, redis_errors
from stream.stores.scripts import CLAIM, READ, SAVE


class RedisSnapshots:
    """A `SnapshotStore` in Redis (or Valkey). A snapshot is written to the slot that does not hold the newest, and to
    the archive, by one script, which Redis runs whole or not at all.
    """

    def __init__(self, client: redis.Redis, app: str, archive: ArchiveConfig = NO_ARCHIVE) -> None:
        self._prefix = f"driftline:{app}:snapshot:"
        self._archiving = archive
        self._redis = client
        self._address = address(client)
        self._claim = client.register_script(CLAIM)
        self._save = client.register_script(SAVE)
        self._read = client.register_script(READ)

    @property
    def where(self) -> str:
        return f"Redis at {self._address}"

    def claim(self, task: str) -> int:
        with redis_errors(self._address):
            return int(self._claim(keys=[self._owner(task)]))

    def save(self, task: str, data: bytes, *, owner: int, point: Point | None = None) -> None:
        keys = [self._owner(task), *self._slots(task), self._archive(task)]
        name, taken = ("", 0) if point is None else (point.name, point.taken)
        keep, every = self._archiving.keep, self._archiving.every * 1000
        with redis_errors(self._address):
            saved = self._save(keys=keys, args=[owner, data, keep, every, name, taken])
        if not saved:
            raise Superseded(
                f"{self.where} refused the snapshot of task {task}: another worker has taken the task over.",
                "Nothing is lost: that worker goes on from what was committed.",
            )

    def load(self, task: str, *, previous: bool = False) -> bytes | None:
        with redis_errors(self._address):
            data = self._read(keys=self._slots(task), args=[int(previous)])
        return None if data is None else bytes(data)

    def archived(self, task: str) -> list[Archived]:
        with redis_errors(self._address):
            names = self._redis.hkeys(self._archive(task))
        return archive_of(map(as_text, names))

    def load_archived(self, task: str, archived: Archived) -> bytes | None:
        with redis_errors(self._address):
            data = self._redis.hget(self._archive(task), archived.name)
        return None if data is None else as_bytes(data)

    def _owner(self, task: str) -> str:
        return f"{self._prefix}{task}:owner"

    def _slots(self, task: str) -> list[str]:
        pointer = f"{self._prefix}{task}"
        return [pointer, f"{pointer}:0", f"{pointer}:1"]

    def _archive(self, task: str) -> str:
        return f"{self._prefix}{task}:archive"
