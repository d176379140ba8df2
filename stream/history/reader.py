"""Reads the history back, for the page and the API, without any worker."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, get_args

from learners.base import Problem
from stream.config.model import Config
from stream.history import columns
from stream.history.answers import Column, Drift, Feature, Labels, Overview, WarnedSeries, Watched, Watcher, Workers
from stream.history.columns import GONE, SELDOM, Bins, Part
from stream.history.distributions import sources, together
from stream.history.frames import Concern, Distribution, Layout, Now, Point, Reading
from stream.history.live import Live
from stream.history.standing import Rates, labels_of, overview_of, workers_of
from stream.history.store import HistoryStore, Reach, Which
from stream.history.tiers import TIERS, Tier

FEWEST: Final = 2
MOST: Final = 2000
"""Columns that may be asked for."""
RECENT: Final = 6
"""Newest points of a partition that rates of now are taken from."""
LOSS: Final[Mapping[Problem, str]] = {Problem.BINARY: "brier", Problem.MULTICLASS: "brier", Problem.REGRESSION: "mae"}
"""The metric by which models are compared: the smaller, the better."""

_SLACK: Final = 10  # more points than there should be: two workers may write while a partition changes hands
_LAYOUTS: Final = 256  # that are remembered
_CONCERN: Final[tuple[Concern, ...]] = get_args(Concern)


class _Found(NamedTuple):
    """What there is of the time that was asked for: parts of partitions, bins, and which of these have a point."""

    parts: list[Part]
    bins: Bins
    rows: list[int]


class Reader:
    """Answers what is asked of the history of one app. Safe to use from several threads.

    `partition` None stands for all of them together, `since` None for as far back as there is something. No wait for an
    answer of Redis is longer than `redis.timeout`. All but `watch` raise StoreError.
    """

    def __init__(self, store: HistoryStore, config: Config, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._interval = store.config.interval
        self._alive = max(GONE, SELDOM * self._interval)
        self._loss = LOSS[config.model.problem]
        self._layouts: dict[str, Layout] = {}

    def series(self, partition: int | None, since: float | None, points: int) -> WarnedSeries:
        """Rates, levels and scores since a time, in at most so many columns, and what was warned of meanwhile."""
        parts, bins, rows = self._find(partition, since, points)
        values = columns.values_of(parts, bins.n)
        scores: dict[str, dict[str, list[float | None]]] = {}
        for (source, metric), column in columns.scores_of(parts, bins.n, self._config.scores.window).items():
            scores.setdefault(source, {})[metric] = columns.listed(column, rows)
        return WarnedSeries(**columns.told(values, rows), scores=scores, warnings=columns.warnings_of(parts))

    def drift(self, partition: int | None, since: float | None, points: int) -> Drift:
        """Statistics over thresholds since a time, in at most so many columns."""
        parts, bins, rows = self._find(partition, since, points)
        values, ratios = columns.values_of(parts, bins.n), columns.drift_of(parts, bins.n)
        newest = {where: reading for where, (_, reading) in _gravest(self._nows(partition).values()).items()}
        watched = []
        for detector, feature in dict.fromkeys([*newest, *ratios]):
            reading, column = newest.get((detector, feature)), ratios.get((detector, feature))
            watched.append(
                Watched(
                    detector=detector,
                    feature=feature,
                    state=_CONCERN[0] if reading is None else reading.state,
                    statistic=None if reading is None else reading.statistic,
                    threshold=None if reading is None else reading.threshold,
                    ratio=[None] * len(rows) if column is None else columns.listed(column, rows),
                )
            )
        return Drift(at=columns.listed(values["at"], rows), time=columns.listed(values["time"], rows), rows=watched)

    def feature(self, name: str, partition: int | None) -> Feature | None:
        """What is known of a feature, or of the `score` or `class` of predictions; None for another name."""
        numbers, categories = self._config.model.outputs
        known = {one: feature.type for one, feature in self._config.events.features.items()}
        type_ = known.get(name, "number" if name in numbers else "category" if name in categories else None)
        if type_ is None:
            return None
        nows = self._nows(partition)
        watched = [
            Watcher(
                detector=detector,
                state=reading.state,
                statistic=reading.statistic,
                threshold=reading.threshold,
                ratio=reading.ratio,
                segment=reading.segment,
                partition=where,
            )
            for (detector, of), (where, reading) in _gravest(nows.values()).items()
            if of == name
        ]
        told = self._store.feature(name, list(nows))
        found: dict[Which, list[Distribution]] = {"reference": [], "current": []}
        for of_one in told.values():
            for which, distribution in of_one.items():
                found[which].append(distribution)
        numeric = type_ == "number"
        return Feature(
            name=name,
            type=type_,
            watched_by=watched,
            reference=together(found["reference"], numeric=numeric),
            current=together(found["current"], numeric=numeric),
            source=sources(found["reference"]),
        )

    def labels(self) -> Labels:
        """How labels come."""
        return labels_of(self._store.nows())

    def workers(self) -> Workers:
        """Who does the work, and what of it."""
        nows, now = self._store.nows(), self._clock()
        return workers_of(nows, self._store.workers(), self._rates(list(nows), now), now=now, alive=self._alive)

    def overview(self) -> Overview:
        """How the service does."""
        nows, now = self._store.nows(), self._clock()
        rates = self._rates(list(nows), now)
        return overview_of(
            self._config, nows, self._store.workers(), rates, now=now, alive=self._alive, loss=self._loss
        )

    def partitions(self) -> list[int]:
        """The partitions that were told of."""
        return self._store.partitions()

    def stream_time(self) -> float | None:
        """The time of the newest record that a worker has taken; None where none has told of one."""
        return max((one.time for one in self._store.nows().values() if one.time is not None), default=None)

    def now(self) -> dict[int, Now]:
        """The newest details of each partition."""
        return self._store.nows()

    def watch(self, stop: threading.Event) -> Iterator[Column]:
        """New points as they come, of each partition and of all together, until `stop` is set (which is noticed within
        a second). Goes on by itself after the store was away. For one thread.
        """
        live = Live(self._store, self._layouts_of, self._config.scores.window, self._loss)
        return live.columns(stop)

    # helpers

    def _nows(self, partition: int | None) -> dict[int, Now]:
        nows = self._store.nows()
        return nows if partition is None else {where: now for where, now in nows.items() if where == partition}

    def _rates(self, partitions: list[int], now: float) -> Rates:
        found = self._store.points({(TIERS[0], partition): RECENT for partition in partitions})
        return Rates({partition: points for (_, partition), points in found.items()}, now, self._alive)

    def _find(self, partition: int | None, since: float | None, points: int) -> _Found:
        """The points since a time, out of the finest series that reach back to it, in bins."""
        now = self._clock()
        partitions = self._store.partitions() if partition is None else [partition]
        reach = self._store.reach(partitions)
        oldest = min((one.oldest for one in reach.values()), default=now)
        since = min(now - 1.0, max(oldest, since or 0.0))
        level = next(
            (level for level in range(len(TIERS)) if _reaches(reach, TIERS[level], since)),
            len(TIERS) - 1,
        )
        step = TIERS[level].every * self._interval
        width = max((now - since) / (min(max(points, FEWEST), MOST) - 1), step)
        bins = Bins(since, width, int((now - since) / width + 1e-6) + 1, step)  # the newest begins its own
        found = self._read(partitions, level, math.ceil((now - since) / step) + _SLACK)
        layouts = self._layouts_of({point.layout for of_one in found.values() for point in of_one})
        parts = [Part(of_one, layouts, bins, self._loss) for of_one in found.values() if of_one]
        return _Found(parts, bins, columns.filled(parts))

    def _read(self, partitions: list[int], level: int, count: int) -> dict[int, list[Point]]:
        """The newest points of a series and, of the finer ones, those that came since its last, by partition."""
        wanted: dict[tuple[Tier, int], int] = {}
        for at in range(level, -1, -1):
            tail = TIERS[at + 1].every // TIERS[at].every if at < level else count
            for partition in partitions:
                wanted[TIERS[at], partition] = min(tail + _SLACK, self._store.config.points)
        read = self._store.points(wanted)
        found: dict[int, list[Point]] = {partition: [] for partition in partitions}
        for (_, partition), points in read.items():  # the coarsest come first
            last = found[partition][-1].at if found[partition] else -math.inf
            found[partition] += [point for point in points if point.at > last]
        return found

    def _layouts_of(self, ids: Iterable[str]) -> Mapping[str, Layout]:
        """The layouts of these ids, as far as they are known."""
        if unknown := set(ids) - self._layouts.keys():
            found = self._store.layouts(unknown)
            self._layouts = {**(self._layouts if len(self._layouts) < _LAYOUTS else {}), **found}
        return self._layouts


def _reaches(reach: Mapping[tuple[Tier, int], Reach], tier: Tier, since: float) -> bool:
    """Whether a series holds all since a time, of all partitions."""
    return all(one.whole or one.oldest <= since for (of, _), one in reach.items() if of is tier)


def _gravest(nows: Iterable[Now]) -> dict[tuple[str, str], tuple[int, Reading]]:
    """By detector and feature, the reading in the state of most concern and of these with the largest ratio, with its
    partition.
    """
    found: dict[tuple[str, str], tuple[int, Reading]] = {}
    for now in nows:
        for one in now.readings:
            where = one.detector, one.feature
            if where not in found or _concern(one) > _concern(found[where][1]):
                found[where] = now.partition, one
    return found


def _concern(reading: Reading) -> tuple[int, float]:
    return _CONCERN.index(reading.state), -1.0 if reading.ratio is None else reading.ratio
