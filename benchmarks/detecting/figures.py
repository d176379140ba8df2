"""What the cells say of each contender: run lengths with their confidence, delays beside the limit, cost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import mean, median
from typing import NamedTuple

from scipy import special

from bench.store import Store
from detecting.cells import Cell, Cost, Delay, RunLength
from detecting.contenders import Contender
from detecting.plan import CHANGES, STATIONARY
from detecting.streams import LAWS, Change

_FEW = 10
"""Alarms below which a measured run length says little."""
_FEWEST = 2
_CLEAN = 1 / 3
"""Share of runs without an alarm before the change from which on only these count."""
_CONFIDENCE = 0.95


class Measured(NamedTuple):
    """Alarms among events. Their number is Poisson's, as they are rare; `low` and `high` are of 95% confidence."""

    events: int
    alarms: int

    @property
    def run_length(self) -> float:
        """Events per alarm; all events, where there was none."""
        return self.events / max(1, self.alarms)

    @property
    def low(self) -> float:
        """The least run length that these alarms do not contradict."""
        return self.events / float(special.chdtri(2 * self.alarms + 2, (1.0 - _CONFIDENCE) / 2.0) / 2.0)

    @property
    def high(self) -> float | None:
        """The largest; None where there was no alarm."""
        if not self.alarms:
            return None
        return self.events / float(special.chdtri(2 * self.alarms, (1.0 + _CONFIDENCE) / 2.0) / 2.0)


class Delayed(NamedTuple):
    """How soon the runs with a change ended in an alarm. Those that ended in none are not in mean and median."""

    runs: int
    missed: int
    mean: float | None
    median: float | None
    early: bool  # most runs had alarmed before the change, and all of them count


class Row(NamedTuple):
    """All that was measured of a contender, by what it watches. Keys are laws and changes with numbers of features."""

    contender: Contender
    watched: str
    run_lengths: dict[tuple[str, int], Measured]
    delays: dict[tuple[Change, int], Delayed]
    cost: float | None  # per value, of that of River's ADWIN
    microseconds: float | None
    refused: str | None

    def length_for(self, features: int) -> float | None:
        """Its run length where nothing changes and all is independent, as well as that is known."""
        found = self.usual(features) or self.usual()
        if found is None:
            return self.contender.stated
        if found.alarms >= _FEW:
            return found.run_length
        return self.contender.stated or found.low

    def usual(self, features: int = 1) -> Measured | None:
        """What was measured on the stream of independent values of its kind."""
        laws = [law for law, _ in self.run_lengths]
        first = STATIONARY[self.watched][0]
        return self.run_lengths.get((first if first in laws or not laws else laws[0], features))

    def over_limit(self, change: Change, features: int = 1) -> float | None:
        """Its mean delay over the least that is possible at its run length; None where that says nothing."""
        delayed, length = self.delays.get((change, features)), self.length_for(features)
        if delayed is None or delayed.mean is None or length is None or length < _FEW:
            return None
        limit = change.limit(length)
        return delayed.mean / limit if limit else None


def best(change: Change, run_length: float) -> float | None:
    """The mean delay, from scratch, of the best detector of a sudden change: a CUSUM that is told both distributions.

    By the diffusion approximation, in which a CUSUM with the threshold h has the run length (exp(h) - h - 1) / D and
    the delay (exp(-h) + h - 1) / D, with the divergence D (Siegmund, "Sequential Analysis", 1985; that it is the best:
    Moustakides, "Optimal stopping times for detecting changes in distributions", Annals of Statistics 14, 1986). None
    for gradual changes and for those that a single event gives away.
    """
    divergence = LAWS[change.law].information(change.size)
    if change.ramp or math.isinf(divergence):
        return None
    height = math.log(run_length * divergence + 1.0)
    for _ in range(50):  # a contraction
        height = math.log(run_length * divergence + 1.0 + height)
    return (math.exp(-height) + height - 1.0) / divergence


def rows(cells: Iterable[Cell], store: Store) -> list[Row]:
    """A row for each contender of what has a result so far; one for a detector that refuses all run lengths."""
    gathered: dict[tuple[str, Contender], list[Cell]] = {}
    for cell in cells:
        if cell.key in store:
            watched = cell.watched
            gathered.setdefault((watched, cell.contender), []).append(cell)
    found = [_row(watched, contender, own, store) for (watched, contender), own in gathered.items()]
    costs = {(row.watched, row.contender.name): row for row in found if row.cost is not None}
    order = list(CHANGES)
    filled = [_with_cost(row, costs.get((row.watched, row.contender.name))) for row in found]
    ordered = sorted(filled, key=lambda row: (order.index(row.watched), _rank(row.contender)))
    refused = {(row.watched, row.contender.name): row for row in reversed(ordered) if row.refused}
    return [row for row in ordered if not row.refused or row is refused[row.watched, row.contender.name]]


def _with_cost(row: Row, measured: Row | None) -> Row:
    return row if measured is None else row._replace(cost=measured.cost, microseconds=measured.microseconds)


def _rank(contender: Contender) -> tuple[int, float, str]:
    libraries = ("driftline", "river", "scipy", "frouros", "capymoa", "baseline")
    return libraries.index(contender.library), contender.stated or 0.0, contender.kind


def _row(watched: str, contender: Contender, own: list[Cell], store: Store) -> Row:
    row = Row(contender, watched, {}, {}, None, None, None)
    for cell in own:
        result = store[cell.key]
        if "refused" in result:
            row = row._replace(refused=result["refused"])
        elif isinstance(cell, RunLength):
            row.run_lengths[cell.law, _many(cell)] = Measured(result["events"], result["alarms"])
        elif isinstance(cell, Delay):
            row.delays[cell.change, _many(cell)] = _delayed(result["delays"], result["early"])
        elif isinstance(cell, Cost):
            row = row._replace(cost=result["seconds"] / result["adwin"], microseconds=1e6 * result["seconds"])
    return row


def _many(cell: Cell) -> int:
    """The features of a cell; two count as one, as they are what a change of both together takes."""
    return 1 if cell.features <= _FEWEST else cell.features


def _delayed(delays: list[int | None], early: list[bool]) -> Delayed:
    clean = [delay for delay, alarmed in zip(delays, early, strict=True) if not alarmed]
    counted = clean if len(clean) >= _CLEAN * len(delays) else delays
    found = [delay for delay in counted if delay is not None]
    middle, mid = (mean(found), median(found)) if found else (None, None)
    return Delayed(len(counted), len(counted) - len(found), middle, mid, counted is delays and any(early))
