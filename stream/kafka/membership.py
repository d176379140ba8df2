"""Why a worker has no partition, as far as it can know: the group has not answered, or has none to spare."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from stream.config.kafka import KafkaConfig

log = structlog.get_logger()

SOON: Final = 5.0
"""Seconds in which a group is shared out as a rule: a new one takes the broker 3 s."""

_SPARE: Final = "the other workers of the group have all partitions; this one takes over when one of them goes"


class Membership:
    """What a worker waits for that has no partition. For one thread; `reason` may be read by others."""

    def __init__(self, config: KafkaConfig, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._since: float | None = None
        self._unanswered = (
            "the group has given out no partition yet: it waits for members that do not answer. One that went without "
            f"leaving, as after a kill, counts for up to kafka.session_timeout ({config.session_timeout:g} s) more"
        )
        if config.instance is None:
            self._unanswered += ". With kafka.instance a worker that comes back need not wait"
        self.reason = ""

    def look(self, *, member: bool, assigned: bool) -> None:
        """How it stands now: whether the group has answered (`member`), and with any partition (`assigned`)."""
        if assigned:
            self._since, self.reason = None, ""
            return
        now = self._timer()
        if self._since is None:
            self._since = now
        if now - self._since < SOON:
            return
        if not member and self.reason != self._unanswered:
            log.warning("group_waits", reason=self._unanswered)
        self.reason = _SPARE if member else self._unanswered
