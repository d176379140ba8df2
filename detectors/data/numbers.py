"""Numeric features: their values out of rows, and what is said of how they changed."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Sequence
from itertools import starmap
from operator import itemgetter
from typing import Any, TypeAlias, TypeVar

import numpy as np

from detectors.base import Direction, Row, State
from detectors.data.blocks import plain
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import Bools, Cells, Floats, Slots, WindowedDetector

Moments: TypeAlias = tuple[float, float]
"""Mean and standard deviation."""

W = TypeVar("W", bound=WindowedConfig)


class NumericDetector(WindowedDetector[W]):
    """Keeps the values of the windows, which tell how a feature has changed."""

    def __init__(self, config: W, features: Sequence[str]) -> None:
        self._values = np.zeros((len(features), config.window))
        super().__init__(config, features)

    def _columns(self, block: Sequence[Row]) -> tuple[Floats, Bools]:
        return numeric_columns(block, self.features)

    def _exchange(self, cells: Cells, going: Slots, coming: Slots, values: Floats) -> None:
        super()._exchange(cells, going, coming, values)
        self._values[cells] = values


def numeric_columns(block: Sequence[Row], features: Sequence[str]) -> tuple[Floats, Bools]:
    """The values of a block, features by rows, and which of them are usable; 0 for those that are not."""
    values = _numbers(block, features).reshape(len(block), len(features)).T.copy()
    usable: Bools = np.isfinite(values)
    if np.count_nonzero(usable) < usable.size:
        values[~usable] = 0.0
    return values, usable


def _numbers(block: Sequence[Row], features: Sequence[str]) -> Floats:
    """The values of a block, row by row; NaN for what is no number."""
    n, get = len(features), itemgetter(*features)
    try:  # packing takes numbers only, where NumPy would read them out of text
        if n == 1:
            return np.frombuffer(struct.pack(f"{len(block)}d", *map(get, block)))
        return np.frombuffer(b"".join(starmap(struct.Struct(f"{n}d").pack, map(get, block))))
    except (KeyError, struct.error):
        flat = [row.get(name) for row in block for name in features]
        return np.array([value if type(value) is float else number(value) for value in flat])


def number(value: Any) -> float:
    """The value as a float; NaN if it is no number or beyond the range of a float."""
    if type(value) is float:  # as most are
        return value
    if value is None:
        return math.nan
    known = plain(value)
    try:
        return math.nan if known is None or isinstance(known, str) else float(known)
    except OverflowError:
        return math.nan


def moments(values: Floats) -> Moments:
    """Mean and deviation, also of values whose sum is beyond the range of a float."""
    mean = float((values / len(values)).sum())
    apart = np.abs(values / 2.0 - mean / 2.0)
    largest = float(apart.max())
    if not largest:
        return mean, 0.0
    return mean, min(2.0 * largest * math.sqrt(float(np.mean((apart / largest) ** 2))), sys.float_info.max)


def distance_of(reference: Floats, values: Floats) -> float:
    """The Kolmogorov-Smirnov distance of two samples, the first of which is in order."""
    ordered = np.sort(values)
    points = np.concatenate([reference, ordered])
    known = reference.searchsorted(points, side="right") / len(reference)
    return float(np.abs(known - ordered.searchsorted(points, side="right") / len(ordered)).max())


def least_move(distance: float, before: Moments, after: Moments) -> float:
    """The least move of the mean, or of the deviation, that a KS distance of this size can consist of.

    Values that merely move are further apart, in deviations, than their KS distance: for a normal distribution 2.5
    times, for the share of ones among zeros and ones at least twice. A smaller move is not what was found.
    """
    return distance * max(before[1], after[1])


def change_of(state: State, before: Moments, after: Moments, least: float) -> tuple[Direction | None, float, float]:
    """What moved by more than `least`, the mean or else the deviation, and the two numbers that show it. Of a feature
    that is STABLE, nothing.
    """
    (mean, deviation), (new_mean, new_deviation) = before, after
    if state is State.STABLE:
        return None, mean, new_mean
    if abs(new_mean - mean) > least:
        return ("up" if new_mean > mean else "down"), mean, new_mean
    if abs(new_deviation - deviation) > least:
        return ("wider" if new_deviation > deviation else "narrower"), deviation, new_deviation
    return None, mean, new_mean
