"""Finding a past prediction while somebody waits for the answer: a few at once, each for a bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Final

from stream.config.model import Config
from stream.errors import InfrastructureError
from stream.kafka.client import LogReader, make_log_reader
from stream.kafka.finding import Found, find

AT_ONCE: Final = 2
"""Searches at the same time: each reads the topic from its end back."""
SECONDS: Final = 10.0
"""Longest time that a search may take."""


class TooMany(InfrastructureError):
    """More is asked for at once than there is room for. Asking again soon may help."""


class TookTooLong(InfrastructureError):
    """The answer did not come in time; it may be there all the same."""


class Lookup:
    """Looks for predictions on a service's topic. Safe to use from several threads."""

    def __init__(
        self,
        config: Config,
        connect: Callable[[], LogReader] | None = None,
        clock: Callable[[], float] = time.monotonic,
        seconds: float = SECONDS,
    ) -> None:
        self._topic = config.topics.predictions
        self._connect = connect or partial(make_log_reader, config.kafka)
        self._clock = clock
        self._seconds = seconds
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def find(self, id_: str, partition: int | None = None) -> Found:
        """The newest prediction of an event's id, on one partition of the topic or all of them.

        Raises UnknownPrediction, TooMany, TookTooLong, ConfigError for a partition that is not there, BrokerError.
        """
        if not self._room.acquire(blocking=False):
            raise TooMany(f"{AT_ONCE} searches for predictions are under way.", "Ask again in a few seconds.")
        deadline = self._clock() + self._seconds

        def look_at_the_time(progress: str) -> None:
            if self._clock() > deadline:
                raise TookTooLong(
                    f"The prediction of {id_!r} was not found within {self._seconds:g} s ({progress}).",
                    "Name its partition, or ask `driftline explain`, which takes its time.",
                )

        try:
            with closing(self._connect()) as reader:
                return find(reader, self._topic, id_, partition, look_at_the_time)
        finally:
            self._room.release()
