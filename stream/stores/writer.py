"""Writes snapshots from a thread of its own, so that a store that is slow, hanging or away holds up no prediction."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from stream.errors import StoreError
from stream.stores.archive import Point
from stream.stores.base import SnapshotStore, Superseded

log = structlog.get_logger()

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
"""Pauses between two tries while the store is away, in seconds: how late a snapshot may be once it is back."""


class _Ownership:
    """One ownership of a task; `number` is the store's, None while the store could not be asked for it."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.superseded = False


class _Waiting(NamedTuple):
    data: bytes
    point: Point
    owner: _Ownership
    written: Callable[[], None]


class SnapshotWriter:
    """Holds the newest snapshot of each task that waits to be written: memory is bounded by one for each.

    While the store is away, what waits is tried again with growing pauses; what comes meanwhile takes its place. Going
    away and coming back is one log line each. A task that a newer owner has claimed is written no more.
    """

    def __init__(self, store: SnapshotStore, failed: Callable[[], None], first_pause: float = FIRST_PAUSE) -> None:
        """`failed` is called for each write that did not succeed, from the writer's thread."""
        self._store = store
        self._failed = failed
        self._claiming = threading.Lock()  # so that none of our own ownerships outbids a later one of ours
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        # Guarded by _changed:
        self._waiting: dict[str, _Waiting] = {}
        self._owners: dict[str, _Ownership] = {}
        self._busy = False
        self._closing = False
        self._trouble = ""
        # The thread's own:
        self._pause = self._first_pause = first_pause
        self._away_since = 0.0

    @property
    def trouble(self) -> str:
        """What keeps snapshots from being written; empty when all is well."""
        with self._changed:
            return self._trouble

    def claim(self, task: str) -> None:
        """Become the owner of a task; what waits of an earlier ownership is dropped. Raises StoreError; the task is
        then claimed with its first snapshot.
        """
        owner = _Ownership()
        with self._changed:
            self._owners[task] = owner
            self._waiting.pop(task, None)
        with self._claiming:
            owner.number = self._store.claim(task)

    def put(self, task: str, data: bytes, point: Point, written: Callable[[], None]) -> None:
        """Write `data`, which was taken at `point`, as soon as may be, in place of what of this task still waits; then
        call `written`, from the writer's thread.
        """
        with self._changed:
            owner = self._owners.setdefault(task, _Ownership())
            if owner.superseded:
                return
            self._waiting[task] = _Waiting(data, point, owner, written)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="driftline-snapshots", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until all is written, no longer than `timeout` seconds; whether it is. Nothing is after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._idle(), timeout)
            return self._idle()

    def close(self, timeout: float) -> None:
        """Write what waits, no longer than `timeout` seconds, and stop."""
        self.flush(timeout)
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _idle(self) -> bool:
        return not self._waiting and not self._busy

    # the thread

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            task, waiting = taken
            try:
                self._write(task, waiting)
            except Superseded as error:
                log.warning("snapshot_refused", task=task, error=error.message)
                self._superseded(task, waiting.owner)
            except StoreError as error:
                self._unwritten(task, waiting, error.message)
            except Exception:  # nothing may end the thread: no snapshot would be written any more
                log.exception("snapshot_write_failed", task=task)
                self._unwritten(task, waiting, "a fault of Driftline: the log has it under snapshot_write_failed.")
            else:
                self._back()
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _take(self) -> tuple[str, _Waiting] | None:
        """The task that has waited longest; None when it is time to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            if self._closing:
                return None
            task = next(iter(self._waiting))
            self._busy = True
            return task, self._waiting.pop(task)

    def _write(self, task: str, waiting: _Waiting) -> None:
        owner = waiting.owner
        with self._claiming:
            if not self._owns(task, owner):
                return
            if owner.number is None:
                owner.number = self._store.claim(task)
        self._store.save(task, waiting.data, owner=owner.number, point=waiting.point)
        waiting.written()

    def _owns(self, task: str, owner: _Ownership) -> bool:
        with self._changed:
            return self._owners.get(task) is owner

    def _superseded(self, task: str, owner: _Ownership) -> None:
        self._failed()
        self._back()
        with self._changed:
            owner.superseded = True
            if self._owns(task, owner):
                self._waiting.pop(task, None)

    def _unwritten(self, task: str, waiting: _Waiting, error: str) -> None:
        """It waits on, unless something newer does; nothing is tried for a while."""
        self._failed()
        with self._changed:
            if not self._trouble:
                self._away_since = time.monotonic()
                log.error("snapshot_not_saved", store=self._store.where, error=error, retry_seconds=self._pause)
            self._trouble = error
            if self._owns(task, waiting.owner):
                self._waiting.setdefault(task, waiting)
            self._busy = False
            self._changed.wait_for(lambda: self._closing, self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _back(self) -> None:
        self._pause = self._first_pause
        with self._changed:
            if self._trouble:
                away = round(time.monotonic() - self._away_since, 1)
                log.info("snapshots_saved_again", store=self._store.where, away_seconds=away)
            self._trouble = ""
