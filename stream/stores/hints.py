"""What others tell over Redis pub/sub. It may be lost: whoever must not miss anything polls as well."""

from __future__ import annotations

import time
from contextlib import suppress

import redis

from stream.stores.connection import as_bytes, redis_errors


class Hints:
    """A subscription to a channel. For one thread."""

    def __init__(self, client: redis.Redis, channel: str, where: str) -> None:
        self._where = where
        self._pubsub = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        with redis_errors(where):
            self._pubsub.subscribe(channel)

    def wait(self, seconds: float) -> bool:
        """Wait for a hint, no longer than `seconds`; whether one came. Raises StoreError when the server is gone."""
        return self.receive(seconds) is not None

    def receive(self, seconds: float) -> bytes | None:
        """Wait for a message, no longer than `seconds`; what it says, if one came. Raises as `wait` does."""
        until = time.monotonic() + seconds
        with redis_errors(self._where):
            while (left := until - time.monotonic()) > 0:
                # The confirmation of the subscription ends the wait without being a message.
                message = self._pubsub.get_message(timeout=left)
                if message is not None:
                    return as_bytes(message["data"])
        return None

    def close(self) -> None:
        """Give the connection back, whatever state it is in."""
        with suppress(redis.RedisError):
            self._pubsub.close()
