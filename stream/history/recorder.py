"""What a worker's loop calls, so that others can see how its tasks and itself are doing."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from stream.basis import Basis
from stream.core.state import TaskState
from stream.history.frames import Layout, PartNow, WorkerNow
from stream.history.samples import VALUES, Samples
from stream.history.store import HistoryStore
from stream.history.taking import extended, now_of, point_of
from stream.history.writer import HistoryWriter
from stream.kafka.report import Report
from stream.kafka.task import Task
from stream.records import Effect
from stream.telemetry import Telemetry
from stream.web.status import Status

log = structlog.get_logger()

FEATURES_INTERVAL: Final = 10.0
"""Least seconds between two looks at what the features of a task are like."""
FEATURES_COST: Final = 0.005
"""The same for each feature of each task, where they are many."""


class Recorder:
    """Makes frames of the tasks of one worker and hands them to a thread that writes them.

    Nothing here waits for anything, and nothing is raised: a fault is a line in the log, once.
    """

    def __init__(
        self,
        basis: Basis,
        store: HistoryStore,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds since the epoch, `timer` seconds that never go back."""
        self.address = ""
        """Where the worker answers over HTTP."""
        self._basis = basis
        self._interval = store.config.interval
        self._writer = HistoryWriter(store, telemetry.add_history_dropped)
        self._clock = clock
        self._timer = timer
        self._host, self._started = socket.gethostname(), clock()
        self._id = f"{self._host}:{os.getpid()}"
        self._layout = Layout((), ())
        self._samples: dict[int, Samples] = {}
        self._due: dict[int, float] = {}
        self._features_due: dict[int, float] = {}
        self._worker_due = 0.0
        self._failed = False

    def opened(self, task: Task) -> None:
        """A task starts here."""
        with self._careful():
            config, is_new = self._basis.config, task.engine.state.events.count == 0
            profile = self._basis.profile if is_new else None
            self._samples[task.partition] = Samples(config, profile, is_new=is_new)

    def forget(self, partitions: Collection[int]) -> None:
        """These are other workers' now."""
        for partition in partitions:
            if self._samples.pop(partition, None) is not None:
                self._writer.forget(partition)
            self._due.pop(partition, None)
            self._features_due.pop(partition, None)

    def took(self, task: Task, effects: Sequence[Effect]) -> None:
        """A task has taken a span, with these effects."""
        samples, events = self._samples.get(task.partition), task.taken.events
        if samples is not None and events:
            with self._careful():
                values = len(self._basis.config.events.features) * len(self._samples)
                samples.take(events, effects, self._timer(), values / VALUES)

    def record(self, task: Task, report: Report, snapshot: float | None) -> None:
        """A task was reported; its newest stored snapshot was taken at `snapshot`. Tells of it if it is due."""
        partition, now = task.partition, self._timer()
        with self._careful():
            self._note_drifts(task, report)
            due = self._due.get(partition, now)
            if now < due:
                return
            self._due[partition] = max(due, now - self._interval) + self._interval
            told = now_of(partition, task.engine.state, report, worker=self._id, at=self._clock(), snapshot=snapshot)
            self._layout = extended(self._layout, told)
            self._tell_of_features(partition, task.engine.state, now)
            self._writer.put(point_of(told, report, self._layout), self._layout, told)

    def worker(self, status: Status, partitions: Collection[int]) -> None:
        """How the worker is, if that is due."""
        now = self._timer()
        if now < self._worker_due:
            return
        self._worker_due = now + self._interval
        with self._careful():
            self._writer.put_worker(
                WorkerNow(
                    id=self._id,
                    host=self._host,
                    pid=os.getpid(),
                    started=self._started,
                    seen=self._clock(),
                    address=self.address,
                    partitions=tuple(sorted(partitions)),
                    state=status.state,
                    parts={name: PartNow(part.state, part.reason) for name, part in status.parts.items()},
                    memory=_memory(),
                )
            )

    def close(self, timeout: float) -> None:
        """Write what waits, no longer than `timeout` seconds, and stop."""
        self._writer.close(timeout, self._id)

    def _note_drifts(self, task: Task, report: Report) -> None:
        samples = self._samples.get(task.partition)
        if samples is None:
            return
        open_ = {
            one.alert.id: frozenset(feature for feature, _ in one.members if feature is not None)
            for one in task.engine.state.incidents.open
        }
        settled = {one.incident for one in report.alerts if one.state == "settled" and one.incident is not None}
        samples.drifts(open_, frozenset(settled))

    def _tell_of_features(self, partition: int, state: TaskState, now: float) -> None:
        samples = self._samples.get(partition)
        if samples is None or now < self._features_due.get(partition, 0.0):
            return
        if not (makes := samples.due(state.stream_time)):
            return
        features = len(self._basis.config.events.features)
        self._features_due[partition] = now + max(FEATURES_INTERVAL, FEATURES_COST * features * len(self._samples))
        self._writer.put_features(partition, makes)

    @contextmanager
    def _careful(self) -> Iterator[None]:
        try:
            yield
        except Exception:  # what is told of the work must never end it
            if not self._failed:
                log.exception("history_failed")
            self._failed = True


def _memory() -> int | None:
    """Resident memory of this process, in bytes; its largest so far where the present one is not told."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
