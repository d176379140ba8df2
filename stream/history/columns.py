"""From points to columns: thinned to as many as are asked for, of one partition or of all together.

Time is cut into bins. Of each partition a bin has the rates since the one before, the newest levels and scores, the
worst latencies and the largest ratios. Of all together rates, lags and what waits are added up, scores are weighted by
the labels they are of, and of the rest the worst counts. A partition that has no point in a bin is taken as it was, for
a short while. NaN stands for what is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from stream.history.answers import Warned
from stream.history.frames import STEPS, Layout, Point, Watched

Floats: TypeAlias = npt.NDArray[np.float64]
Score: TypeAlias = tuple[str, str]
"""A source and a metric."""

GONE: Final = 15.0
"""Seconds without a word after which a partition, or a worker, is taken for gone; longer where points are made seldom.
On a busy machine they come seconds late, which is no gap: what was counted meanwhile is in the next."""
SELDOM: Final = 3.0
"""The same in points, or in bins if these are longer."""

PAUSE: Final = 5
"""Bins without a warning of a detector after which the next one begins anew: some come and go from label to label."""
MOST_WARNINGS: Final = 100
"""Warnings that an answer holds, the newest."""

RATES: Final = {
    "events_per_second": "events",
    "labels_per_second": "labels",
    "dead_letters_per_second": "dead_letters",
}
"""Each with the count that it is the rate of."""
_SUMMED: Final = ("lag_events", "lag_labels", "pending", "held")
_MEAN: Final = ("join_rate",)
_LARGEST: Final = ("at", "time", "version", "label_delay_p50", "label_delay_p90")
_LATENCIES: Final = ("latency_p50_ms", "latency_p99_ms")
_WHOLE: Final = ("version", *_SUMMED)
LEVELS: Final = (*_LARGEST, *_MEAN, *_SUMMED, *_LATENCIES)
"""What columns have besides rates."""

_FIELDS: Final = (*LEVELS, *RATES.values())
_fields: Final[Callable[[Point], tuple[float | None, ...]]] = attrgetter(*_FIELDS)
_column: Final = {name: index for index, name in enumerate(_FIELDS)}


class Bins(NamedTuple):
    """`n` stretches of `width` seconds from `start` on; `step` is the least time between two points."""

    start: float
    width: float
    n: int
    step: float


class Part:
    """What the bins have of one partition, of which there is a point at least. One from before the first bin tells the
    rate in that. `loss` is the metric by which challengers are judged.
    """

    def __init__(self, points: Sequence[Point], layouts: Mapping[str, Layout], bins: Bins, loss: str) -> None:
        self.filled: npt.NDArray[np.intp]
        ordered = sorted(points, key=attrgetter("at"))
        table: Floats = np.array([_fields(point) for point in ordered], dtype=float)
        at = table[:, _column["at"]]
        before = int(np.searchsorted(at, bins.start))
        self._base = table[before - 1] if before else None
        self._points, self._table = ordered[before:], table[before:]
        where = np.minimum((at[before:] - bins.start) / bins.width, bins.n - 1).astype(np.intp)
        self.filled, self._firsts = np.unique(where, return_index=True)
        self._lasts = np.append(self._firsts[1:], len(where))[: len(self._firsts)] - 1
        self._layouts, self._bins, self._loss = layouts, bins, loss
        spacing = float(np.median(np.diff(at))) if len(at) > 1 else 0.0
        self._patience = max(GONE, SELDOM * max(bins.width, bins.step, spacing))

    @cached_property
    def values(self) -> dict[str, Floats]:
        """Rates and levels by name, and the `labels` that there were."""
        newest = self._table[self._lasts]
        if len(self._firsts):
            worst = [_column[name] for name in _LATENCIES]
            newest[:, worst] = np.fmax.reduceat(self._table[:, worst], self._firsts, axis=0)
        spread = self._spread(newest)
        values = {name: spread[:, _column[name]] for name in (*LEVELS, "labels")}
        rates = self._spread(self._rates(newest))
        return values | {name: rates[:, index] for index, name in enumerate(RATES)}

    def _rates(self, newest: Floats) -> Floats:
        """The rates in each bin that has a point, since the one before that has; not across a gap, nor where the task
        began anew.
        """
        base = np.full(len(_FIELDS), np.nan) if self._base is None else self._base
        steps = np.diff(np.vstack([base, newest]), axis=0)
        seconds = steps[:, [_column["at"]]]
        counted = steps[:, [_column[name] for name in RATES.values()]]
        known = (seconds > 0.0) & (seconds <= self._patience) & (counted >= 0.0)
        return np.where(known, counted / np.where(known, seconds, 1.0), np.nan)

    @cached_property
    def scores(self) -> dict[Score, Floats]:
        """Scores; of challengers, their mean loss."""
        found: dict[Score, Floats] = {}
        newest = [self._points[index] for index in self._lasts.tolist()]
        for layout, rows in self._by_layout(newest):
            packed = np.frombuffer(b"".join(newest[row].scores for row in rows), dtype=np.float32)
            for of, column in zip(layout.scores, packed.reshape(len(rows), -1).T, strict=True):
                found.setdefault(of, np.full(len(newest), np.nan))[rows] = column
        for row, point in enumerate(newest):
            for number, loss in point.rivals:
                of = f"challenger {number}", self._loss
                found.setdefault(of, np.full(len(newest), np.nan))[row] = loss
        return {of: self._spread(column[:, np.newaxis])[:, 0] for of, column in found.items()}

    @cached_property
    def drift(self) -> dict[Watched, Floats]:
        """Ratios of statistic over threshold."""
        found: dict[Watched, Floats] = {}
        which = np.searchsorted(self._firsts, np.arange(len(self._points)), side="right") - 1  # of the filled bins
        for layout, rows in self._by_layout(self._points):
            packed = np.frombuffer(b"".join(self._points[row].drift for row in rows), dtype=np.uint8)
            bins, firsts = np.unique(which[rows], return_index=True)
            largest = np.maximum.reduceat(packed.reshape(len(rows), -1), firsts, axis=0)
            ratios = np.full((len(self.filled), len(layout.drift)), np.nan)
            ratios[bins] = np.where(largest == 0, np.nan, (largest - 1.0) / STEPS)
            for watched, column in zip(layout.drift, self._spread(ratios).T, strict=True):
                found[watched] = np.fmax(found[watched], column) if watched in found else column
        return found

    @property
    def warned(self) -> list[tuple[int, Point]]:
        """The points at which a detector of errors warned, each with its bin."""
        start, width, n, _ = self._bins
        return [(min(int((one.at - start) / width), n - 1), one) for one in self._points if one.warned]

    def _by_layout(self, points: Sequence[Point]) -> Iterable[tuple[Layout, list[int]]]:
        """The rows that are packed alike, with the layout; those whose layout is not known are left out."""
        rows: dict[str, list[int]] = {}
        for row, point in enumerate(points):
            layout = self._layouts.get(point.layout)
            if layout is not None and layout.fits(point):
                rows.setdefault(point.layout, []).append(row)
        return [(self._layouts[id_], of_one) for id_, of_one in rows.items()]

    def _spread(self, rows: Floats) -> Floats:
        """Rows of the bins that have a point, as rows of all bins: the others are as the one before, for a while."""
        bins = self._bins
        row_of = np.full(bins.n, -1)
        row_of[self.filled] = np.arange(len(self.filled))
        row_of = np.maximum.accumulate(row_of)
        bin_of = np.where(row_of < 0, -np.inf, np.append(self.filled, 0)[row_of])
        stale = (np.arange(bins.n) - bin_of) * bins.width > self._patience
        spread: Floats = np.vstack([rows, np.full((1, rows.shape[1]), np.nan)])[np.where(stale, -1, row_of)]
        return spread


def values_of(parts: Sequence[Part], n: int) -> dict[str, Floats]:
    """Rates and levels of these partitions together, by name, in `n` bins."""
    found = {name: _sum(parts, name, n) for name in (*RATES, *_SUMMED)}
    found |= {name: _largest([part.values[name] for part in parts], n) for name in (*_LARGEST, *_LATENCIES)}
    return found | {name: _mean([(part.values[name], np.ones(n)) for part in parts], n) for name in _MEAN}


def scores_of(parts: Sequence[Part], n: int, window: int) -> dict[Score, Floats]:
    """Scores of these partitions together, in `n` bins; `window` is the number of labels that they look back on."""
    weighted: dict[Score, list[tuple[Floats, Floats]]] = {}
    for part in parts:
        weight = np.minimum(part.values["labels"], float(window))
        for of, values in part.scores.items():
            weighted.setdefault(of, []).append((values, weight))
    return {of: _mean(values, n) for of, values in weighted.items()}


def drift_of(parts: Sequence[Part], n: int) -> dict[Watched, Floats]:
    """The largest ratios of these partitions, in `n` bins."""
    watched: dict[Watched, list[Floats]] = {}
    for part in parts:
        for one, ratios in part.drift.items():
            watched.setdefault(one, []).append(ratios)
    return {one: _largest(ratios, n) for one, ratios in watched.items()}


def warnings_of(parts: Sequence[Part]) -> list[Warned]:
    """When detectors of errors began to warn, of these partitions together; not what began before the first bin."""
    found, newest = list[Warned](), dict[str, int]()
    for where, point in sorted((one for part in parts for one in part.warned), key=lambda one: one[1].at):
        for detector in point.warned:
            if where - newest.get(detector, -PAUSE if where else 0) >= PAUSE:
                found.append(Warned(detector=detector, partition=point.partition, at=point.at, time=point.time))
            newest[detector] = where
    return found[-MOST_WARNINGS:]


def listed(column: Floats, rows: Sequence[int]) -> list[float | None]:
    """These rows of a column as they are told: None where nothing is known."""
    return [value if math.isfinite(value) else None for value in column[rows].tolist()]


def told(values: Mapping[str, Floats], rows: Sequence[int]) -> dict[str, list[float | None]]:
    """These rows of rates and levels, by name; those that count something in whole numbers."""
    found = {name: listed(values[name], rows) for name in (*RATES, *LEVELS)}
    for name in _WHOLE:
        found[name] = [None if value is None else int(value) for value in found[name]]
    return found


def _sum(parts: Sequence[Part], name: str, n: int) -> Floats:
    stacked = np.array([part.values[name] for part in parts]).reshape(-1, n)
    total: Floats = np.where(np.isnan(stacked).all(axis=0), np.nan, np.nansum(stacked, axis=0))
    return total


def _largest(columns: Sequence[Floats], n: int) -> Floats:
    largest: Floats = np.fmax.reduce([np.full(n, np.nan), *columns])
    return largest


def _mean(weighted: Sequence[tuple[Floats, Floats]], n: int) -> Floats:
    """The weighted mean of what is known."""
    total, weights = np.zeros(n), np.zeros(n)
    for values, weight in weighted:
        known = ~(np.isnan(values) | np.isnan(weight))
        total += np.where(known, values * weight, 0.0)
        weights += np.where(known, weight, 0.0)
    mean: Floats = np.where(weights > 0.0, total / np.where(weights > 0.0, weights, 1.0), np.nan)
    return mean


def filled(parts: Sequence[Part]) -> list[int]:
    """The bins in which any of these partitions has a point."""
    found: list[int] = np.unique(
        np.concatenate([np.zeros(0, dtype=np.intp), *(part.filled for part in parts)])
    ).tolist()
    return found
