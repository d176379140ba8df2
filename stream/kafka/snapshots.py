"""Saving a task's state whole, signed, and taking it up again where its partition goes next."""

from __future__ import annotations

import time
from collections.abc import Mapping

import structlog

from learners.artifacts import ArtifactError, KeyRing, SigningKey, open_sealed, seal
from stream.config.digest import state_digest
from stream.config.model import Config
from stream.core.engine import TaskState
from stream.errors import StoreError
from stream.kafka.task import Task
from stream.stores.registry import ModelStore

log = structlog.get_logger()

PATIENCE = 20
"""A snapshot is taken no oftener than this many times its own cost, whatever the interval: at most 5 % of the time."""


class Snapshots:
    """Snapshots of this worker's tasks in the store. A store that is away costs a log line, never the task."""

    def __init__(self, config: Config, store: ModelStore, key: SigningKey, keys: KeyRing) -> None:
        self._interval = config.runtime.snapshot_interval
        self._store = store
        self._key = key
        self._keys = keys
        self._digest = state_digest(config)
        self._due: dict[int, float] = {}

    def save_if_due(self, task: Task) -> None:
        """Save when the interval has passed. Call it only when the task's offsets are committed."""
        if time.monotonic() >= self._due.setdefault(task.partition, time.monotonic() + self._interval):
            self.save(task)

    def save(self, task: Task) -> None:
        """Save now."""
        started = time.monotonic()
        state = task.engine.state
        metadata = {"config": self._digest, "partition": task.partition, "positions": dict(state.positions)}
        try:
            self._store.save_snapshot(_name(task.partition), seal(state, key=self._key, metadata=metadata))
        except (StoreError, ArtifactError) as error:
            log.error("snapshot_not_saved", partition=task.partition, error=str(error))
        now = time.monotonic()
        self._due[task.partition] = now + max(self._interval, PATIENCE * (now - started))

    def load(self, partition: int, committed: Mapping[str, int | None]) -> TaskState | None:
        """The newest snapshot of a partition; None when there is none that can be used, with a line that says why."""
        try:
            data = self._store.load_snapshot(_name(partition))
            if data is None:
                return None
            metadata, state = open_sealed(data, keys=self._keys)
        except (StoreError, ArtifactError) as error:
            log.error("snapshot_not_used", partition=partition, error=str(error))
            return None
        if metadata["config"] != self._digest or not isinstance(state, TaskState):
            log.warning("snapshot_not_used", partition=partition, error="it was made with another configuration")
            return None
        gaps = {
            topic: offset - position
            for (topic, offset), position in zip(committed.items(), _positions(state, len(committed)), strict=True)
            if offset is not None and offset != position
        }
        if gaps:
            log.warning("snapshot_gap", partition=partition, records_not_learned=gaps)
        return state


def _positions(state: TaskState, topics: int) -> list[int]:
    return [state.positions.get("events", 0), state.positions.get("labels", 0)][:topics]


def _name(partition: int) -> str:
    return str(partition)
