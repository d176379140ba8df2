"""Versions that were entered from outside to compete with the champion: who competes, entering, withdrawing."""

from __future__ import annotations

import msgspec
import redis

from stream.errors import StoreError
from stream.stores.base import Conflict, Entered, UnknownVersion
from stream.stores.connection import address, as_text, redis_errors
from stream.stores.scripts import ENTER, LEAVE, MAX_CHALLENGERS


class Challengers:
    """The challengers of an app's models, in the hashes `challengers:{name}`. Safe to use from several threads; raises
    StoreError whenever Redis cannot be had.

    Changes are hinted at on the channel of swaps. Every task takes up who is entered, until it is withdrawn; a version
    that becomes the champion, itself or as what a task has made of it, competes no more.
    """

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._where = address(client)
        self._redis = client
        self._prefix = prefix
        self._enter = client.register_script(ENTER)
        self._leave = client.register_script(LEAVE)

    def enter(self, name: str, version: int, *, who: str) -> None:
        """Let a version compete; one that does already goes on. Raises UnknownVersion, and StoreError also when there
        are `MAX_CHALLENGERS` already.
        """
        model = f"{self._prefix}model:{name}:"
        keys = [f"{model}versions", self._key(name), f"{model}used", f"{self._prefix}swaps"]
        with redis_errors(self._where):
            word = as_text(
                self._enter(keys=keys, args=[version, who, f"{self._prefix}artifact:", MAX_CHALLENGERS, name])
            )
        if word == "full":
            raise Conflict(
                f"model {name} has {MAX_CHALLENGERS} challengers from outside; version {version} was not entered.",
                "Withdraw one first (`driftline models withdraw`): each is asked about every event.",
            )
        if word == "unknown":
            raise UnknownVersion.of(name, version, self._where)
        if word == "lost":
            raise UnknownVersion.without_artifact(name, version, self._where)

    def withdraw(self, name: str, version: int) -> bool:
        """Let a version compete no more; whether it did."""
        keys = [self._key(name), f"{self._prefix}model:{name}:used", f"{self._prefix}swaps"]
        with redis_errors(self._where):
            return bool(self._leave(keys=keys, args=[version, name]))

    def now(self, name: str) -> tuple[Entered, ...]:
        """Who competes, by version."""
        with redis_errors(self._where):
            found = self._redis.hgetall(self._key(name))
        try:
            entered = [_entered(int(version), data) for version, data in found.items()]
        except (ValueError, msgspec.MsgspecError) as error:
            raise StoreError(
                f"the challengers of model {name} cannot be read ({error}).",
                f"Another program wrote under Driftline's keys. Delete {self._key(name)} and enter them again.",
            ) from error
        return tuple(sorted(entered, key=lambda one: one.version))

    def _key(self, name: str) -> str:
        return f"{self._prefix}challengers:{name}"


class _Written(msgspec.Struct):
    who: str
    since: float


def _entered(version: int, data: bytes | str) -> Entered:
    written = msgspec.json.decode(data, type=_Written)
    return Entered(version, written.since, written.who)
