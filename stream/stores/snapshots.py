"""Snapshots of tasks in Redis: two slots each, a pointer to the newer one, and the number of the task's owner."""

from __future__ import annotations

import redis

from stream.stores.base import Superseded
from stream.stores.connection import address, redis_errors
from stream.stores.scripts import CLAIM, READ, SAVE


class RedisSnapshots:
    """A `SnapshotStore` in Redis (or Valkey). A snapshot is written to the slot that does not hold the newest, by one
    script, which Redis runs whole or not at all.
    """

    def __init__(self, client: redis.Redis, app: str) -> None:
        self._prefix = f"driftline:{app}:snapshot:"
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

    def save(self, task: str, data: bytes, *, owner: int) -> None:
        with redis_errors(self._address):
            saved = self._save(keys=[self._owner(task), *self._slots(task)], args=[owner, data])
        if not saved:
            raise Superseded(
                f"{self.where} refused the snapshot of task {task}: another worker has taken the task over.",
                "Nothing is lost: that worker goes on from what was committed.",
            )

    def load(self, task: str, *, previous: bool = False) -> bytes | None:
        with redis_errors(self._address):
            data = self._read(keys=self._slots(task), args=[int(previous)])
        return None if data is None else bytes(data)

    def _owner(self, task: str) -> str:
        return f"{self._prefix}{task}:owner"

    def _slots(self, task: str) -> list[str]:
        pointer = f"{self._prefix}{task}"
        return [pointer, f"{pointer}:0", f"{pointer}:1"]
