"""The history as it is written: one more column about once a second."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Final

from stream.errors import StoreError
from stream.history import columns
from stream.history.answers import Column, LivePoint, Scores
from stream.history.columns import GONE, SELDOM, Bins, Floats, Part
from stream.history.frames import Layout, Point
from stream.history.store import HistoryStore, point_of
from stream.history.tiers import TIERS

RECENT: Final = 6
"""Points of a partition that are remembered: they tell how often new ones come."""
_PAUSE: Final = 1.0  # between two tries while the store is away
_LISTEN: Final = 0.25  # how long a point is waited for before `stop` is looked at


class Live:
    """Follows the points that workers write. For one thread."""

    def __init__(
        self,
        store: HistoryStore,
        layouts: Callable[[Iterable[str]], Mapping[str, Layout]],
        window: int,
        loss: str,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`layouts` fetches layouts by their ids; `window` and `loss` are as columns want them."""
        self._store = store
        self._layouts_of = layouts
        self._window = window
        self._loss = loss
        self._timer = timer
        self._interval = store.config.interval
        self._patience = max(GONE, SELDOM * self._interval)
        self._recent: dict[int, deque[Point]] = {}
        self._heard: dict[int, float] = {}
        self._new: set[int] = set()

    def columns(self, stop: threading.Event) -> Iterator[Column]:
        """New columns of each partition, then of all together, until `stop` is set."""
        while not stop.is_set():
            try:
                yield from self._follow(stop)
            except StoreError:
                stop.wait(_PAUSE)

    def _follow(self, stop: threading.Event) -> Iterator[Column]:
        """Raises StoreError when the store is gone."""
        with closing(self._store.listen()) as channel:
            self._begin()
            due = self._timer() + self._interval
            while not stop.is_set():
                message = channel.receive(max(0.0, min(_LISTEN, due - self._timer())))
                if message is not None and (point := point_of(message)) is not None:
                    self._take(point)
                if self._timer() >= due:
                    due = self._timer() + self._interval
                    yield from self._told()

    def _begin(self) -> None:
        """Take the newest points that there are, so that the first columns are of all partitions."""
        found = self._store.points({(TIERS[0], partition): RECENT for partition in self._store.partitions()})
        newest = max((points[-1].at for points in found.values() if points), default=0.0)
        for (_, partition), points in found.items():
            if points and newest - points[-1].at <= self._patience:
                self._recent[partition] = deque(points, maxlen=RECENT)
                self._heard[partition] = self._timer()

    def _take(self, point: Point) -> None:
        recent = self._recent.setdefault(point.partition, deque(maxlen=RECENT))
        if not recent or point.at > recent[-1].at:
            recent.append(point)
        self._heard[point.partition] = self._timer()
        self._new.add(point.partition)

    def _told(self) -> Iterator[Column]:
        """What is new since it was last told."""
        if not self._new:
            return
        new, self._new = sorted(self._new), set()
        there = [where for where, heard in self._heard.items() if self._timer() - heard <= self._patience]
        layouts = self._layouts_of({self._recent[where][-1].layout for where in there})
        parts = {where: self._part(self._recent[where], layouts) for where in there}
        for partition in new:
            if partition in parts:
                yield Column(partition, self._point([parts[partition]]))
        yield Column(None, self._point(list(parts.values())))

    def _part(self, points: Sequence[Point], layouts: Mapping[str, Layout]) -> Part:
        """A single bin that the newest point is in."""
        return Part(points, layouts, Bins(points[-1].at, self._interval, 1, self._interval), self._loss)

    def _point(self, parts: Sequence[Part]) -> LivePoint:
        found = columns.told(columns.values_of(parts, 1), [0])
        values: dict[str, float | Scores | None] = {name: value for name, (value,) in found.items()}
        scores: Scores = {}
        for (source, metric), column in columns.scores_of(parts, 1, self._window).items():
            if (value := _only(column)) is not None:
                scores.setdefault(source, {})[metric] = value
        drift = {
            f"{detector}/{feature}": ratio
            for (detector, feature), column in columns.drift_of(parts, 1).items()
            if (ratio := _only(column)) is not None
        }
        (at,), (stream_time,) = found["at"], found["time"]
        return LivePoint(at=at, time=stream_time, values={**values, "scores": scores}, drift=drift)


def _only(column: Floats) -> float | None:
    return columns.listed(column, [0])[0]
