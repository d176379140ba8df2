"""How much one client may ask for: requests a minute, bytes of a body, and how long it may take to send them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.types import Message, Receive

from stream.web.errors import Refused

MINUTE: Final = 60.0
CLIENTS: Final = 4096
"""Clients whose requests are counted; beyond these, those that were longest quiet are forgotten."""
BODY_SECONDS: Final = 60.0
"""Longest time that a body may take to come."""

_ROUNDING: Final = 1e-6


class Rate:
    """For each client `most` requests at once, and `most` a minute in the long run. Not for threads.

    The generic cell rate algorithm: all that is kept of a client is when it would be done if it were served evenly.
    """

    def __init__(self, most: int, timer: Callable[[], float] = time.monotonic) -> None:
        self._each = MINUTE / most
        self._timer = timer
        self._done_at: OrderedDict[str, float] = OrderedDict()

    def take(self, client: str) -> float:
        """Count one request. 0, or the seconds after which there is room for one again; then it does not count."""
        now = self._timer()
        done_at = max(self._done_at.pop(client, now), now)
        wait = done_at + self._each - now - MINUTE
        allowed = wait <= _ROUNDING
        self._done_at[client] = done_at + self._each if allowed else done_at
        if len(self._done_at) > CLIENTS:
            self._done_at.popitem(last=False)
        return 0.0 if allowed else min(wait, MINUTE)

    @property
    def clients(self) -> int:
        """How many are counted."""
        return len(self._done_at)


def bounded(receive: Receive, most: int, seconds: float = BODY_SECONDS) -> Receive:
    """`receive` that raises Refused when a body is longer than `most` bytes (413) or takes too long (408)."""
    taken, ended = 0, False
    until = time.monotonic() + seconds

    async def take() -> Message:
        nonlocal taken, ended
        if ended:  # what comes now is that the client has gone
            return await receive()
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                message = await receive()
        except TimeoutError:
            raise Refused(
                HTTPStatus.REQUEST_TIMEOUT, f"The body did not come within {seconds:g} s.", headers=_LAST
            ) from None
        taken += len(message.get("body", b""))
        ended = message["type"] != "http.request" or not message.get("more_body", False)
        if taken > most:
            raise too_long(most)
        return message

    return take


def too_long(most: int) -> Refused:
    """A body that is not read."""
    return Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The body is longer than {most:,} bytes.",
        "Send less, or raise http.limits.",
        _LAST,
    )


_LAST: Final = {"Connection": "close"}  # the rest of the body is not read
