"""What the consumer gives, handed to the tasks it is for: no faster than they take it, and from where they go on."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

from stream.kafka.client import Batches, Consumer, Partition
from stream.kafka.task import Task
from stream.telemetry import Telemetry, Topic

NAMES: Final[Sequence[Topic]] = ("events", "labels")
"""What the input topics are called, in the order in which they are given."""


class Intake:
    """The records of the partitions that are assigned. `tasks` are those that are open, as the worker has them."""

    def __init__(
        self, consumer: Consumer, tasks: Mapping[int, Task], topics: Sequence[str], telemetry: Telemetry
    ) -> None:
        self._consumer = consumer
        self._tasks = tasks
        self._topics = topics
        self._telemetry = telemetry
        self._begins: dict[Partition, int] = {}  # where reading began, of what was assigned

    def take(self, records: Batches) -> None:
        """Decode records and put them into their tasks; those of a task that is not open yet are to come again."""
        for (topic, partition), batch in records.items():
            task = self._tasks.get(partition)
            self._begins.setdefault((topic, partition), batch[0].offset)
            if task is None:
                self._consumer.pause(topic, partition)
                self._consumer.seek(topic, partition, batch[0].offset)
                continue
            started = time.perf_counter()
            task.add(topic, batch)
            facts = partial(dict[str, int], partition=partition, records=len(batch))
            self._telemetry.observe_span("decode", time.perf_counter() - started, facts)

    def hold_back(self) -> None:
        """Pause what comes faster than it can be taken, so that memory stays bounded."""
        for task in self._tasks.values():
            pause, resume = task.pressure()
            for topic in pause:
                self._consumer.pause(topic, task.partition)
            for topic in resume:
                self._consumer.resume(topic, task.partition)

    def begin(self, task: Task) -> None:
        """A task is open: read on from its positions, and where it has none from where reading began."""
        positions = task.positions()
        for topic in self._topics:
            where = topic, task.partition
            at = positions.get(where)
            offset = self._begins.get(where) if at is None else at.offset
            if offset is not None:
                self._consumer.seek(*where, offset)
            self._consumer.resume(*where)

    def lags(self, task: Task) -> dict[Topic, int]:
        """How many records a task has yet to take of each topic, where that is known. Where it has taken none, as while
        the service is paused, those count that are there from where reading began.
        """
        found: dict[Topic, int] = {}
        positions = task.positions()
        for name, topic in zip(NAMES, self._topics, strict=False):
            where = topic, task.partition
            at, end = positions.get(where), self._consumer.end(*where)
            begin = self._begins.get(where) if at is None else at.offset
            if begin is not None and end is not None:
                found[name] = max(0, end - begin)
        return found

    def forget(self, partitions: Collection[int]) -> None:
        """These are others' now."""
        self._begins = {where: offset for where, offset in self._begins.items() if where[1] not in partitions}
