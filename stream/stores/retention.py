"""Which versions are kept, and which are removed: by count and age, and never what is still needed."""

from __future__ import annotations

from collections.abc import Iterable

import redis

from stream.config.redis import RetentionConfig
from stream.stores.base import GLOBAL, UnknownVersion
from stream.stores.connection import address, as_text, redis_errors
from stream.stores.scripts import HOLD, PIN, PRUNE, UNPIN


class Retention:
    """Removes versions of an app's models, with their artifacts, in one step that nothing comes between. Safe to use
    from several threads; raises StoreError whenever Redis cannot be had.

    A version goes when it is not among the newest `keep` and was not in use for `older_than`. In use is what serves in
    any scope, what a rollback would go back to, what competes, what is pinned, and what a task holds. An artifact goes
    with the last version that has its digest.
    """

    def __init__(self, client: redis.Redis, prefix: str, config: RetentionConfig) -> None:
        self._where = address(client)
        self._redis = client
        self._prefix = prefix
        self._config = config
        self._pin = client.register_script(PIN)
        self._unpin = client.register_script(UNPIN)
        self._hold = client.register_script(HOLD)
        self._prune = client.register_script(PRUNE)

    def prune(self, name: str) -> int:
        """Remove what need not be kept; how many versions that were."""
        versions, used, digests, pins, held, scopes = (
            self._key(name, what) for what in ("versions", "used", "digests", "pins", "held", "scopes")
        )
        keys = [versions, used, digests, f"{self._prefix}challengers:{name}", pins, held, scopes]
        args: list[str | int] = [
            self._config.keep,
            round(self._config.older_than),
            f"{self._prefix}artifact:",
            f"{self._prefix}champion:{name}:",
            GLOBAL,
        ]
        with redis_errors(self._where):
            return int(self._prune(keys=keys, args=args))

    def pin(self, name: str, version: int, *, who: str) -> None:
        """Keep a version until it is unpinned. Raises UnknownVersion."""
        with redis_errors(self._where):
            known = self._pin(keys=[self._key(name, "versions"), self._key(name, "pins")], args=[version, who])
        if not known:
            raise UnknownVersion.of(name, version, self._where)

    def unpin(self, name: str, version: int) -> bool:
        """Keep a version no longer than others; whether it was pinned."""
        with redis_errors(self._where):
            return bool(self._unpin(keys=[self._key(name, "pins"), self._key(name, "used")], args=[version]))

    def pins(self, name: str) -> dict[int, str]:
        """Versions that are pinned, and who did."""
        with redis_errors(self._where):
            found = self._redis.hgetall(self._key(name, "pins"))
        return {int(version): as_text(who) for version, who in sorted(found.items())}

    def hold(self, name: str, holder: str, versions: Iterable[int]) -> None:
        """Keep these versions for this holder, and those that it held until now no longer."""
        with redis_errors(self._where):
            self._hold(
                keys=[self._key(name, "held"), self._key(name, "used")],
                args=[holder, " ".join(map(str, sorted(versions)))],
            )

    def holders(self, name: str) -> dict[str, frozenset[int]]:
        """Who holds versions, and which."""
        with redis_errors(self._where):
            found = self._redis.hgetall(self._key(name, "held"))
        return {as_text(one): frozenset(map(int, as_text(held).split())) for one, held in sorted(found.items())}

    def _key(self, name: str, what: str) -> str:
        return f"{self._prefix}model:{name}:{what}"
