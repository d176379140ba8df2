"""A sample of rows in columns, from which is reckoned what their values are like."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from stream.history.distributions import of_categories, of_numbers
from stream.history.frames import Distribution
from stream.history.store import Told, Which

SIZE: Final = 400
"""Rows that a sample holds."""

Make = Callable[[], dict[Told, Distribution]]
"""Reckons distributions: dear, so it is left to another thread."""


class Columns(NamedTuple):
    """The names of the numbers and of the categories in a row."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]


class Table:
    """Values of some rows in columns: the newest `SIZE`."""

    def __init__(self, columns: Columns) -> None:
        self.n = 0
        """Rows so far."""
        self._columns = columns
        self._numbers = np.full((SIZE, len(columns.numeric)), np.nan)
        self._categories: list[deque[str | None]] = [deque(maxlen=SIZE) for _ in columns.categorical]

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take more rows, no more than `SIZE` at once."""
        numeric, categorical = self._columns
        if numeric and rows:
            where = np.arange(self.n, self.n + len(rows)) % SIZE
            self._numbers[where] = np.array([[row.get(name) for name in numeric] for row in rows], dtype=float)
        for name, column in zip(categorical, self._categories, strict=True):
            column.extend(text_of(row.get(name)) for row in rows)
        self.n += len(rows)

    def make(self, which: Which, source: str, at: float, only: frozenset[str] | None = None) -> Make:
        """How to reckon the distributions of the values that are in it now, of some columns or of all."""
        columns = self._columns
        numbers = self._numbers[: min(self.n, SIZE)].copy()
        categories = [list(column) for column in self._categories]

        def made() -> dict[Told, Distribution]:
            told: dict[Told, Distribution] = {}
            for index, name in enumerate(columns.numeric):
                if only is None or name in only:
                    told[name, which] = of_numbers(numbers[:, index], source, at)
            for name, values in zip(columns.categorical, categories, strict=True):
                if only is None or name in only:
                    told[name, which] = of_categories(values, source, at)
            return told

        return made


def text_of(value: Any) -> str | None:
    """A category as it is told; None for a missing one."""
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)
