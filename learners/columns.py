"""Rows of a span as columns, and River's `StandardScaler` over them: what a loop over rows gives, in half the time.

Most rows hold a float for every feature. A span of such rows is turned into one sequence per feature, each worked off
in a loop of its own with its state in local variables. No feature of a scaler depends on another, so the results are
River's to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

from river.preprocessing import StandardScaler

from learners.base import Row
from learners.moments import LIMIT

Values: TypeAlias = tuple[float, ...]
"""The features of a row, in the order of their names."""
Columns: TypeAlias = list[Sequence[float]]

FEWEST_ROWS = 8
"""Shorter spans are quicker taken row by row."""

_FLOAT = frozenset((float,))


def values_of(rows: Sequence[Row], names: Sequence[str]) -> list[Values] | None:
    """The values of these features, one tuple per row.

    None for spans not worth it, and unless each value is there as a float within ±`LIMIT`.
    """
    if len(rows) < FEWEST_ROWS or len(names) < 2:  # of one name, `itemgetter` would give no tuples
        return None
    try:
        values: list[Values] = list(map(itemgetter(*names), rows))
    except KeyError:
        return None
    flat = list(chain.from_iterable(values))
    if not (_FLOAT.issuperset(map(type, flat)) and math.hypot(*flat) < LIMIT):
        return None
    return values


def columns_of(values: Iterable[Values]) -> Columns:
    """The same values, one sequence per feature."""
    return list(zip(*values, strict=True))


def rows_of(values: Iterable[Values], names: Sequence[str]) -> Iterator[dict[str, float]]:
    """The rows that these values stand for."""
    return (dict(zip(names, row, strict=True)) for row in values)


def is_common_scaler(step: Any) -> bool:
    """Whether a step is a scaler over all the past that divides by the deviation."""
    return type(step) is StandardScaler and step.with_std and step.window_size is None


class ColumnScaler:
    """Drives a `StandardScaler`, which keeps the state, over columns of its features."""

    def __init__(self, scaler: StandardScaler, names: Sequence[str]) -> None:
        self._scaler = scaler
        self._names = tuple(names)

    @classmethod
    def of(cls, steps: Sequence[Any], names: Sequence[str]) -> ColumnScaler | None:
        """A driver for these steps if they are one scaler of the common sort."""
        return cls(steps[0], names) if len(steps) == 1 and is_common_scaler(steps[0]) else None

    def transform(self, values: Iterable[Values]) -> Iterator[Values]:
        """As `transform_one` for each row in turn. Changes nothing."""
        means, variances = self._scaler.means, self._scaler.vars
        scaled: Columns = []
        for name, column in zip(self._names, columns_of(values), strict=True):
            mean, deviation = means.get(name, 0.0), variances.get(name, 0.0) ** 0.5
            scaled.append([(x - mean) / deviation for x in column] if deviation else [0.0] * len(column))
        return zip(*scaled, strict=True)

    def learn(self, values: Iterable[Values]) -> Iterator[Values]:
        """As `learn_one` and then `transform_one` for each row in turn."""
        scaler = self._scaler
        counts, means, variances = scaler.counts, scaler.means, scaler.vars
        scaled: Columns = []
        for name, column in zip(self._names, columns_of(values), strict=True):
            n, mean, variance = counts[name], means[name], variances[name]
            out: list[float] = []
            add = out.append
            for x in column:
                n += 1
                delta = x - mean
                mean += delta / n
                rest = x - mean
                variance += (delta * rest - variance) / n
                add(rest / variance**0.5 if variance else 0.0)
            counts[name], means[name], variances[name] = n, mean, variance
            scaled.append(out)
        return zip(*scaled, strict=True)
