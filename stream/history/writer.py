"""Writes the history from a thread of its own, so that a store that is slow, hanging or away holds up no prediction."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import structlog

from stream.errors import StoreError
from stream.history.frames import Distribution, Layout, Now, Point, WorkerNow
from stream.history.store import Batch, HistoryStore, Told
from stream.history.tables import Make
from stream.history.tiers import TIERS, Thinning, Tier

log = structlog.get_logger()

WAITING: Final = 3000
"""Most points that come while one write is under way, and half as many as wait for a store that is away; the oldest
give way to more."""
LINGER: Final = 0.2
"""Seconds that a write waits for more to go with it."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 5.0
"""Pauses between two tries while the store is away, in seconds."""


class _News(NamedTuple):
    """What has come since the thread last looked. A partition alone: it is another worker's now."""

    points: deque[tuple[Point, Layout] | int]
    nows: dict[int, Now]
    makes: deque[tuple[int, Make]]
    workers: deque[WorkerNow]

    @classmethod
    def none(cls) -> _News:
        return cls(deque(), {}, deque(maxlen=WAITING), deque(maxlen=1))


class HistoryWriter:
    """Holds what waits to be written: a bounded number of points, and of all else the newest.

    What cannot be written is tried again. Points that give way meanwhile are counted: `dropped` is called for them,
    from any thread. The store's going away and coming back is one log line each.
    """

    def __init__(
        self,
        store: HistoryStore,
        dropped: Callable[[int], None],
        linger: float = LINGER,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        self._store = store
        self._dropped = dropped
        self._linger = linger
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        # Guarded by _changed:
        self._news = _News.none()
        self._lost = 0  # since the last write
        self._closing = False
        self._leave: str | None = None
        # The thread's own:
        self._waits = _Waits(Thinning(store.config.interval), self._lose)
        self._pause = self._first_pause = first_pause
        self._away_since: float | None = None

    def put(self, point: Point, layout: Layout, now: Now) -> None:
        """Write a point of a task, and its newest details."""
        with self._changed:
            if len(self._news.points) >= WAITING:
                self._news.points.popleft()
                self._lose(1)
            self._news.points.append((point, layout))
            self._news.nows[now.partition] = now
            self._wake()

    def put_features(self, partition: int, makes: Sequence[Make]) -> None:
        """Write distributions of features, which the thread reckons, with what comes next."""
        with self._changed:
            self._news.makes.extend((partition, make) for make in makes)

    def put_worker(self, worker: WorkerNow) -> None:
        """Write how the worker is."""
        with self._changed:
            self._news.workers.append(worker)
            self._wake()

    def forget(self, partition: int) -> None:
        """A partition is another worker's now."""
        with self._changed:
            self._news.points.append(partition)
            self._wake()

    def close(self, timeout: float, leave: str) -> None:
        """Write what waits, tell no more of the worker `leave`, and stop, all within `timeout` seconds."""
        with self._changed:
            self._closing, self._leave = True, leave
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout)

    def _wake(self) -> None:
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._run, name="driftline-history", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _lose(self, n: int) -> None:
        with self._changed:
            self._lost += n
        self._dropped(n)

    # the thread

    def _run(self) -> None:
        while True:
            news, closing = self._take()
            try:
                self._waits.add(news, last=closing)
                self._store.write(self._waits.batch())
                if closing and self._leave is not None:
                    self._store.leave(self._leave)
            except StoreError as error:
                self._unwritten(error.message)
            except Exception:  # nothing may end the thread: nothing would be told any more
                log.exception("history_failed")
                self._unwritten("a fault of Driftline: the log has it under history_failed")
                self._waits.clear()
            else:
                self._waits.clear()
                self._written()
            if closing:
                return

    def _take(self) -> tuple[_News, bool]:
        """What is to be written, once there is something; and whether it is the last."""
        with self._changed:
            if self._away_since is None:
                self._changed.wait_for(lambda: self._closing or self._news.points or self._news.workers)
                self._changed.wait_for(lambda: self._closing, self._linger)
            else:
                self._changed.wait_for(lambda: self._closing, self._pause)
            news, self._news = self._news, _News.none()
            return news, self._closing

    def _unwritten(self, error: str) -> None:
        self._waits.told.clear()  # it may come back empty
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._pause = self._first_pause
            log.warning("history_not_written", store=self._store.where, error=error, retry_seconds=self._pause)
        else:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _written(self) -> None:
        with self._changed:
            lost, self._lost = self._lost, 0
        if self._away_since is None:
            return
        away = round(time.monotonic() - self._away_since, 1)
        log.info("history_written_again", store=self._store.where, away_seconds=away, dropped=lost)
        self._away_since = None


class _Waits:
    """What is to be written with the next try."""

    def __init__(self, thinning: Thinning, lose: Callable[[int], None]) -> None:
        self.told: set[str] = set()
        """Ids of layouts that the store has."""
        self._thinning = thinning
        self._lose = lose
        self.clear()

    def clear(self) -> None:
        """It was written."""
        self._points: deque[tuple[Tier, Point]] = deque()
        self._layouts: dict[str, Layout] = {}
        self._nows: dict[int, Now] = {}
        self._features: dict[int, dict[Told, Distribution]] = {}
        self._worker: WorkerNow | None = None

    def add(self, news: _News, *, last: bool) -> None:
        """Take what has come. `last`: nothing more will."""
        for one in news.points:
            if isinstance(one, int):
                self._points.extend(self._thinning.end(one))
                continue
            point, layout = one
            kept = self._thinning.add(point)
            self._points.extend(kept)
            if layout.id not in self.told or len(kept) > 1:  # now and then again: it has a time to live
                self._layouts[layout.id] = layout
        if last:
            self._points.extend(self._thinning.end())
        while len(self._points) > 2 * WAITING:
            tier, _ = self._points.popleft()
            if tier is TIERS[0]:
                self._lose(1)
        self._nows |= news.nows
        for partition, make in news.makes:
            self._features.setdefault(partition, {}).update(make())
        self._worker = news.workers[-1] if news.workers else self._worker

    def batch(self) -> Batch:
        """All of it."""
        self.told |= self._layouts.keys()
        return Batch(
            tuple(self._points), tuple(self._layouts.values()), tuple(self._nows.values()), self._features, self._worker
        )
