"""Which rows a reference is a sample of: as many as detectors make theirs of; where these roll, those so far back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from detectors.data.window_config import WindowedConfig
from stream.config.budget import Part
from stream.history.tables import SIZE, Table

FIRST: Final = 1000
"""Rows that the reference is a sample of where no detector says of how many it makes one."""
STRETCHES: Final = 64
"""Stretches that are kept of the way back to a reference that rolls, at most."""

T = TypeVar("T")


class Plan(NamedTuple):
    """Of what the detectors of a section make their references: their `first` rows; `rolling` features, whose
    references all move, of so many rows that came `behind` rows ago.
    """

    first: int
    rolling: frozenset[str]
    length: int
    behind: int


def plan_of(parts: Sequence[Part], section: str) -> Plan:
    """The plan of a section's detectors. Where they differ, that of the one that takes most, or reaches furthest."""
    own = [part for part in parts if part.section == section]
    lengths = [getattr(part.config, "reference", 0) for part in own]
    first = max([length for length in lengths if isinstance(length, int)], default=0) or FIRST
    windowed = [(part.watches, part.config) for part in own if isinstance(part.config, WindowedConfig)]
    moving = [(watches, one, one.rolling) for watches, one in windowed if one.rolling is not None]
    staying = {name for watches, one in windowed if one.rolling is None for name in watches}
    return Plan(
        first,
        frozenset(name for watches, *_ in moving for name in watches) - staying,
        max((one.reference for _, one, _ in moving), default=FIRST),
        max((rolling.gap + one.window for _, one, rolling in moving), default=0),
    )


class Behind(Generic[T]):
    """Samples of stretches of rows, until they are as far behind as a reference that rolls.

    Memory: at most 65 tables, and no more rows than a detector keeps of the same stretches.
    """

    def __init__(self, plan: Plan, table: Callable[[], Table]) -> None:
        self.seen = 0
        """Rows so far."""
        self._behind = plan.behind
        self._length = max(plan.length, -(-plan.behind // STRETCHES))
        self._stride = -(-self._length // SIZE)
        self._table = table
        self._open = table()
        self._waiting: deque[tuple[int, Table]] = deque()

    def take(self, rows: Sequence[T], values: Callable[[T], dict[str, object]]) -> None:
        """Take all rows of a span; `values` gives those of one."""
        while rows:
            within = self.seen % self._length
            part, rows = rows[: self._length - within], rows[self._length - within :]
            self._open.add([values(row) for row in part[-within % self._stride :: self._stride]])
            self.seen += len(part)
            if self.seen % self._length == 0:
                self._waiting.append((self.seen - self._length, self._open))
                self._open = self._table()

    def due(self) -> Iterator[tuple[int, Table]]:
        """The stretches that have come to be far enough behind, each with the number of the row that it begins with."""
        while self._waiting and self._waiting[0][0] + self._length + self._behind <= self.seen:
            yield self._waiting.popleft()
