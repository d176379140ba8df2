"""Snapshots of tasks in Redis: two slots each, and a pointer to the newer one."""

from __future__ import annotations

import uuid

import redis

from stream.errors import StoreError
from stream.stores.connection import address, redis_errors
from stream.stores.scripts import FLIP, READ

STAGED_FOR = 3600
"""Seconds after which Redis itself removes what a writer staged and, being killed, never flipped to."""


class SnapshotStore:
    """Keeps the newest snapshot of each task, and the one before it.

    Data is staged under a key of the writer's own and becomes a snapshot in one step. Killed between the two, a writer
    leaves the pointer and both slots as they were; two writers at once cannot mix their data.
    """

    def __init__(self, client: redis.Redis, app: str) -> None:
        self._redis = client
        self._prefix = f"driftline:{app}:snapshot:"
        self._where = address(client)
        self._flip = client.register_script(FLIP)
        self._read = client.register_script(READ)

    def save(self, task: str, data: bytes) -> None:
        """Make `data` the newest snapshot of `task`. Raises StoreError; the newest is then still the one it was."""
        staged = f"{self._prefix}{task}:staged:{uuid.uuid4().hex}"
        with redis_errors(self._where):
            self._redis.set(staged, data, ex=STAGED_FOR)
            flipped = self._flip(keys=[*self._keys(task), staged])
        if not flipped:
            raise StoreError(
                f"Redis at {self._where} lost the snapshot of {task} while it was being written.",
                "See whether it was wiped or evicts keys (maxmemory-policy must be noeviction).",
            )

    def load(self, task: str, *, previous: bool = False) -> bytes | None:
        """The newest snapshot of `task`, or the one before it; None if there is none. Raises StoreError."""
        with redis_errors(self._where):
            data = self._read(keys=self._keys(task), args=[int(previous)])
        return None if data is None else bytes(data)

    def _keys(self, task: str) -> list[str]:
        pointer = f"{self._prefix}{task}"
        return [pointer, f"{pointer}:0", f"{pointer}:1"]
