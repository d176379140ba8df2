"""From a partition that was assigned to a task that runs: several are opened at once, a stretch of each in turn.

What cannot be opened yet (the store is away, the last owner's transaction is still open) waits and is tried again with
growing pauses, while the tasks that run go on.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import structlog

from stream.errors import BrokerError, StoreError
from stream.kafka.client import Consumer, Fenced, Regrouped
from stream.kafka.opening import Opener
from stream.kafka.task import Task

log = structlog.get_logger()

ASK_TIMEOUT = 0.5
"""Longest wait, in seconds, for committed positions; those of a transaction that is open come when that has ended."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
"""Pauses between two tries to open a task, in seconds."""


class _Waiting(NamedTuple):
    until: float
    pause: float
    reason: str


class Admission:
    """Opens tasks for a worker."""

    def __init__(self, opener: Opener, topics: Sequence[str]) -> None:
        """`topics` are the input topics."""
        self._opener = opener
        self._topics = topics
        self._opening: dict[int, Iterator[Task | None]] = {}
        self._waiting: dict[int, _Waiting] = {}

    @property
    def busy(self) -> bool:
        """Whether any task is being opened, and could be gone on with at once."""
        return bool(self._opening)

    @property
    def reason(self) -> str:
        """What tasks wait for, for /readyz; empty when none does."""
        return next((waiting.reason for waiting in list(self._waiting.values())), "")

    def due(self, wanted: Collection[int]) -> bool:
        """Whether there is anything to do for the partitions that are `wanted`."""
        now = time.monotonic()
        return any(p in self._opening or p not in self._waiting or self._waiting[p].until <= now for p in wanted)

    def forget(self, partition: int) -> None:
        """The partition is not wanted any more."""
        self._opening.pop(partition, None)
        self._waiting.pop(partition, None)

    def advance(self, consumer: Consumer, wanted: Collection[int], seconds: float) -> Iterator[Task]:
        """Open what is `wanted`, for so many seconds or a little more; yields the tasks that are ready.

        Nothing may be left to commit: a transaction of our own would hold up its own positions. Raises Fenced when
        another consumer has our name.
        """
        until = time.monotonic() + seconds
        for partition in sorted(wanted):
            if self._waiting.get(partition, _READY).until > time.monotonic():
                continue
            try:
                task = self._advance(consumer, partition, until)
            except Fenced as error:
                if not isinstance(error, Regrouped):
                    raise
                self._wait(partition, error)
            except (BrokerError, StoreError) as error:
                self._wait(partition, error)
            else:
                if task is not None:
                    self.forget(partition)
                    yield task

    def _advance(self, consumer: Consumer, partition: int, until: float) -> Task | None:
        if partition not in self._opening:
            for topic in self._topics:
                consumer.pause(topic, partition)
            committed = {topic: consumer.committed(topic, partition, ASK_TIMEOUT) for topic in self._topics}
            self._opening[partition] = self._opener.open(partition, committed)
        return next(step for step in self._opening[partition] if step is not None or time.monotonic() >= until)

    def _wait(self, partition: int, error: BrokerError | StoreError) -> None:
        before = self._waiting.get(partition, _READY)
        pause = min(2 * before.pause, LONGEST_PAUSE) if before.pause else FIRST_PAUSE
        self.forget(partition)
        self._waiting[partition] = _Waiting(time.monotonic() + pause, pause, error.message)
        log.warning("task_waits", partition=partition, error=error.message, retry_s=pause)


_READY = _Waiting(0.0, 0.0, "")
