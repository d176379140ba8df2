"""Saving a task's state whole, signed, and taking it up again where its partition goes next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import structlog

from learners.artifacts import ArtifactError, Place, Trust
from stream.basis import Basis
from stream.core.state import FORMAT, TaskState
from stream.faultpoints import passing
from stream.kafka.task import Task
from stream.stores.archive import Point
from stream.stores.base import SnapshotStore
from stream.stores.writer import SnapshotWriter
from stream.telemetry import Telemetry

log = structlog.get_logger()

ARCHIVED = "archived"
"""Which snapshot one is that is neither the newest nor the previous."""

PATIENCE = 20
"""A snapshot is taken no oftener than this many times its own cost, whatever the interval: at most 5 % of the time."""


class Resumed(NamedTuple):
    """A task's state as it was saved: after the commit `sequence`, whose journal entry stands before offset `journal`.

    `positions` are the next offsets to read of its input topics.
    """

    state: TaskState
    journal: int
    sequence: int
    positions: Mapping[str, int]


class Stored(NamedTuple):
    """A snapshot as its store has it: which it is, in words, the digest of the configuration it was made with, when it
    was taken (seconds since the epoch), its size in bytes, and what is in it.
    """

    which: str
    config: str
    taken: float
    size: int
    resumed: Resumed


def snapshots_of(
    store: SnapshotStore, trust: Trust, app: str, partition: int, before: int | None = None
) -> Iterator[Stored]:
    """The snapshots of a partition that open, newest first, each read when it is asked for: the two newest, then those
    of the archive; of these only such as were taken before the event at offset `before`, if it is given. A line in the
    log tells of one that does not open, is not the one that its place is for, or was saved by a version whose states
    are made otherwise. Raises StoreError.

    An older snapshot of the same task in the place of the newest is genuine and opens: the journal makes up for it.
    """
    for which, point, data in _read(store, _name(partition), before):
        try:
            metadata, state = trust.open(data, _place(app, partition))
            if not isinstance(state, TaskState):
                raise ArtifactError(f"it holds a {type(state).__name__}")
            if (found := metadata.get("format", 0)) != FORMAT:
                raise ArtifactError(f"it holds a state of format {found}; this version takes up format {FORMAT}")
            if point is not None and metadata["sequence"] != point.sequence:
                raise ArtifactError(f"it is of entry {metadata['sequence']}, in the place of {point.sequence}")
        except ArtifactError as error:
            log.error("snapshot_not_used", partition=partition, snapshot=which, error=str(error))
            continue
        resumed = Resumed(state, metadata["journal"], metadata["sequence"], metadata["positions"])
        yield Stored(which, metadata["config"], metadata["taken"], len(data), resumed)


def _read(store: SnapshotStore, task: str, before: int | None) -> Iterator[tuple[str, Point | None, bytes]]:
    """What is stored of a task, newest first: which it is, and the point that its name in the archive tells of. What is
    removed while we look is not missed.
    """
    for which, previous in (("newest", False), ("previous", True)):
        if (data := store.load(task, previous=previous)) is not None:
            yield which, None, data
    archive = [archived for archived in store.archived(task) if before is None or archived.point.events <= before]
    for archived in reversed(archive):
        if (data := store.load_archived(task, archived)) is not None:
            yield ARCHIVED, archived.point, data


class Snapshots:
    """Snapshots of this worker's tasks in their store. Sealing is the only cost to the caller; writing is a thread's.

    A store that is away costs a log line, never the task: the newest snapshot of each waits until it is back.
    """

    def __init__(
        self,
        basis: Basis,
        store: SnapshotStore,
        trust: Trust,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.monotonic,
        calendar: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives seconds that never go back, `calendar` seconds since the epoch."""
        self._basis = basis
        self._app = basis.config.app
        self._interval = basis.config.runtime.snapshot_interval
        self._events = basis.config.runtime.snapshot_events
        self._store = store
        self._trust = trust
        self._telemetry = telemetry
        self._clock = clock
        self._calendar = calendar
        self._writer = SnapshotWriter(store, telemetry.add_snapshot_failure)
        self._due: dict[int, float] = {}
        self._rested: dict[int, float] = {}  # partition -> when the cost of its last snapshot is worked off
        self._counted: dict[int, int] = {}  # partition -> events at its last snapshot
        self._stored: dict[int, float] = {}  # partition -> when its newest stored snapshot was taken

    @property
    def trouble(self) -> str:
        """What keeps snapshots from being stored, for /readyz; empty when all is well."""
        return self._writer.trouble

    def stored(self, partition: int) -> float | None:
        """When the newest stored snapshot of a partition was taken, in seconds since the epoch; None: not known."""
        return self._stored.get(partition)

    def due(self, task: Task) -> bool:
        """Whether to save now: the interval has passed, or enough events, and the last one's cost is worked off."""
        partition, now = task.partition, self._clock()
        if partition not in self._due:
            self._due[partition] = now + self._interval
            self._counted[partition] = task.engine.state.events.count
        many = task.engine.state.events.count - self._counted.get(partition, 0) >= self._events
        return (many or now >= self._due[partition]) and now >= self._rested.get(partition, now)

    def save_soon(self, partition: int) -> None:
        """Have a partition be due."""
        self._due[partition] = self._clock()

    def save(self, task: Task, *, journal: int, sequence: int) -> None:
        """Save the state as it is now: after the commit `sequence`, with `journal` the next journal offset to read.

        Returns when the state is sealed. A state that can't be is logged and counted.
        """
        partition, state, started = task.partition, task.engine.state, self._clock()
        taken = self._calendar()
        metadata: dict[str, Any] = {
            "format": FORMAT,
            "config": self._basis.digest,
            "positions": dict(state.positions),
            "journal": journal,
            "sequence": sequence,
            "taken": taken,
        }
        try:
            data = self._trust.seal(state, _place(self._app, partition), metadata)
        except ArtifactError as error:
            log.error("snapshot_not_saved", partition=partition, error=str(error))
            self._telemetry.add_snapshot_failure()
        else:
            passing("snapshot_sealed")
            point = Point(sequence, state.positions.get("events", 0), round(taken * 1000))
            self._writer.put(_name(partition), data, point, partial(self._written, partition, taken, len(data)))
        now = self._clock()
        self._due[partition] = now + self._interval
        self._rested[partition] = now + PATIENCE * (now - started)
        self._counted[partition] = state.events.count

    def flush(self, timeout: float) -> bool:
        """Wait until what was saved is stored, no longer than `timeout` seconds; whether it is."""
        return self._writer.flush(timeout)

    def close(self, timeout: float) -> None:
        """Store what was saved, no longer than `timeout` seconds, and stop."""
        self._writer.close(timeout)

    def claim(self, partition: int) -> None:
        """Become the owner of a partition's snapshots: from here on nobody else's are stored. Call it before `load`.

        Raises StoreError when the store is away. Whoever goes on without claims with the first snapshot that is stored.
        """
        for known in (self._due, self._rested, self._counted, self._stored):
            known.pop(partition, None)
        self._writer.claim(_name(partition))

    def load(self, partition: int) -> Resumed | None:
        """The newest snapshot of a partition that can be used.

        Where the newest does not open, that is the one before it, or else the newest in the archive; a line in the log
        says why. None when there is none, or the newest was made with another configuration. Raises StoreError when the
        store is away: what it holds is then not known.
        """
        for stored in snapshots_of(self._store, self._trust, self._app, partition):
            if stored.config != self._basis.digest:
                log.warning("snapshot_not_used", partition=partition, error="it was made with another configuration")
                return None
            if stored.which == ARCHIVED:
                log.warning("archived_snapshot_used", partition=partition, sequence=stored.resumed.sequence)
            self._show(partition, stored.taken, stored.size)
            return stored.resumed
        return None

    def _written(self, partition: int, taken: float, size: int) -> None:
        passing("snapshot_saved")
        self._show(partition, taken, size)

    def _show(self, partition: int, taken: float, size: int) -> None:
        self._stored[partition] = taken
        self._telemetry.set_snapshot(partition, taken=taken, size=size)


def _name(partition: int) -> str:
    return str(partition)


def _place(app: str, partition: int) -> Place:
    return Place("snapshot", app, _name(partition))
