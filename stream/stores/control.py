"""Whether an app's workers take records, or were told to pause."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import msgspec
import redis

from stream.errors import StoreError
from stream.stores.base import StaleWriter
from stream.stores.connection import address, as_text, redis_errors
from stream.stores.scripts import CONTROL

_FIELDS = ("state", "epoch", "who", "reason", "since")
_PAUSED, _ON = "paused", "on"


class Pause(msgspec.Struct, frozen=True):
    """Somebody had all workers take no more records. `since` is seconds since the epoch, by the store."""

    who: str
    reason: str
    since: float


class Standing(msgspec.Struct, frozen=True):
    """Whether workers pause. `epoch` grows by one with every change; 0: nobody ever said anything."""

    epoch: int
    pause: Pause | None = None


class Control:
    """The word to pause or go on, in the hash `control`, changed by compare-and-set. Safe to use from several threads;
    raises StoreError whenever Redis cannot be had. Changes are hinted at on the channel of swaps.
    """

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._where = address(client)
        self._redis = client
        self._keys = [f"{prefix}control", f"{prefix}swaps"]
        self._change = client.register_script(CONTROL)

    def now(self) -> Standing:
        """What was said last."""
        with redis_errors(self._where):
            return self._read(self._redis.hmget(self._keys[0], list(_FIELDS)))

    def pause(self, *, expected_epoch: int, who: str, reason: str) -> Standing:
        """Have all workers take no more records, if nobody has said anything since `expected_epoch`.

        Raises StaleWriter when somebody has.
        """
        return self._say(_PAUSED, expected_epoch, who, reason)

    def resume(self, *, expected_epoch: int, who: str, reason: str) -> Standing:
        """Have them go on, on the same condition."""
        return self._say(_ON, expected_epoch, who, reason)

    def _say(self, state: str, expected_epoch: int, who: str, reason: str) -> Standing:
        with redis_errors(self._where):
            word, *fields = self._change(keys=self._keys, args=[state, expected_epoch, who, reason, uuid.uuid4().hex])
        standing = self._read(fields)
        if word == b"stale":
            raise StaleWriter(
                f"somebody else has said {_PAUSED if standing.pause else _ON} meanwhile (epoch {standing.epoch}).",
                "Look again and decide anew.",
            )
        return standing

    def _read(self, fields: Sequence[bytes | str | None]) -> Standing:
        state, epoch, who, reason, since = (as_text(field or b"") for field in fields)
        try:
            pause = Pause(who, reason, float(since)) if state == _PAUSED else None
            return Standing(int(epoch or 0), pause)
        except ValueError as error:
            raise StoreError(
                f"whether workers pause cannot be read ({error}).",
                f"Another program wrote under Driftline's keys. Delete {self._keys[0]}.",
            ) from error
