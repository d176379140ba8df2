"""Hints that a champion was changed, over Redis pub/sub. They may be lost: whoever listens polls as well."""

from __future__ import annotations

import time
from contextlib import suppress

import redis

from stream.stores.connection import redis_errors


class Hints:
    """A subscription to the channel of swaps. For one thread."""

    def __init__(self, client: redis.Redis, channel: str, where: str) -> None:
        self._where = where
        self._pubsub = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        with redis_errors(where):
            self._pubsub.subscribe(channel)

    def wait(self, seconds: float) -> bool:
        """Wait for a hint, no longer than `seconds`; whether one came. Raises StoreError when the server is gone."""
        until = time.monotonic() + seconds
        with redis_errors(self._where):
            while (left := until - time.monotonic()) > 0:
                # The confirmation of the subscription ends the wait without being a hint.
                if self._pubsub.get_message(timeout=left) is not None:
                    return True
        return False

    def close(self) -> None:
        """Give the connection back, whatever state it is in."""
        with suppress(redis.RedisError):
            self._pubsub.close()
