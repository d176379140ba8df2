"""What a worker tells of its tasks and of itself, beside their outputs: to the metrics, the history and the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from stream.history.recorder import Recorder
from stream.kafka.publisher import Publisher
from stream.kafka.report import INTERVAL, Rota
from stream.kafka.snapshots import Snapshots
from stream.kafka.task import Task
from stream.records import Effect
from stream.telemetry import Telemetry, Topic
from stream.web.status import Status


class Telling:
    """Tells of each task about once a second, and of the worker. `history` None: none is kept."""

    def __init__(self, telemetry: Telemetry, snapshots: Snapshots, history: Recorder | None) -> None:
        self._telemetry = telemetry
        self._snapshots = snapshots
        self._history = history
        self._rota = Rota()
        self._told_at = time.monotonic()

    def opened(self, task: Task) -> None:
        """A task starts here."""
        if self._history is not None:
            self._history.opened(task)

    def took(self, task: Task, effects: Sequence[Effect]) -> None:
        """A task has taken a span, with these effects."""
        if self._history is not None:
            self._history.took(task, effects)

    def forget(self, partitions: Collection[int]) -> None:
        """These are told of no more."""
        for partition in partitions:
            self._telemetry.forget(partition)
        if self._history is not None:
            self._history.forget(partitions)

    def go_round(
        self,
        publisher: Publisher,
        tasks: Mapping[int, Task],
        lags: Callable[[Task], Mapping[Topic, int]],
        status: Callable[[], Status],
    ) -> None:
        """Tell of the tasks whose turn it is and, now and then, of what is not a task's. `lags` says how far a task is
        behind the end of its topics, as far as that is known.
        """
        while (partition := self._rota.next(tasks)) is not None:
            started = time.monotonic()
            report = publisher.report(tasks[partition], lags(tasks[partition]))
            if self._history is not None:
                self._history.record(tasks[partition], report, self._snapshots.stored(partition))
            self._rota.done(partition, started)
        if time.monotonic() - self._told_at >= INTERVAL:
            self._told_at = time.monotonic()
            self._telemetry.set_turned(time.time())
            publisher.tell_the_rest()
            if self._history is not None:
                self._history.worker(status(), tasks)
