"""Who has taken note of which alert: kept in Redis, so that it survives restarts and every page shows the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

import msgspec
import redis
import structlog

from stream.errors import StoreError
from stream.stores.connection import address, as_text, redis_errors

log = structlog.get_logger()

FRESH_SECONDS: Final = 1.0
"""Age up to which what was read last is good enough."""


class Note(msgspec.Struct, frozen=True):
    """That somebody has taken note: who, when (seconds since the epoch), and what they had to say."""

    who: str
    when: float
    note: str = ""


class Notes(Protocol):
    """What people have taken note of, by id of the incident. Safe to use from several threads."""

    def notes(self) -> Mapping[str, Note]:
        """All notes, as of a second ago at most; older while their store is away."""

    def set(self, id_: str, note: Note, keep: Collection[str], most: int) -> None:
        """Write that somebody has taken note of an incident. Of more than `most` notes those go whose incidents are not
        among those to `keep`. Raises StoreError.
        """

    def remove(self, id_: str) -> None:
        """Take back that somebody has taken note. Raises StoreError."""


class Acknowledged:
    """Notes in the hash `driftline:{app}:acknowledged` of Redis. See `Notes`."""

    def __init__(self, client: redis.Redis, app: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = client
        self._where = address(client)
        self._key = f"driftline:{app}:acknowledged"
        self._clock = clock
        self._lock = threading.Lock()
        self._notes: Mapping[str, Note] = {}
        self._read_at = float("-inf")
        self._decode = msgspec.json.Decoder(Note).decode

    def notes(self) -> Mapping[str, Note]:
        with self._lock:
            if self._clock() - self._read_at >= FRESH_SECONDS:
                try:
                    self._notes = self._read()
                except StoreError as error:
                    log.debug("acknowledged_not_read", error=error.message)
                self._read_at = self._clock()
            return self._notes

    def set(self, id_: str, note: Note, keep: Collection[str], most: int) -> None:
        with redis_errors(self._where):
            self._redis.hset(self._key, id_, msgspec.json.encode(note))
            if self._redis.hlen(self._key) > most:
                fields = map(as_text, self._redis.hkeys(self._key))
                if gone := [field for field in fields if field not in keep and field != id_]:
                    self._redis.hdel(self._key, *gone)
        self._forget_what_was_read()

    def remove(self, id_: str) -> None:
        with redis_errors(self._where):
            self._redis.hdel(self._key, id_)
        self._forget_what_was_read()

    def _read(self) -> dict[str, Note]:
        with redis_errors(self._where):
            found = self._redis.hgetall(self._key)
        notes = {}
        for id_, data in found.items():
            try:
                notes[as_text(id_)] = self._decode(data)
            except msgspec.MsgspecError:  # written by others
                continue
        return notes

    def _forget_what_was_read(self) -> None:
        with self._lock:
            self._read_at = float("-inf")
