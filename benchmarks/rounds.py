"""Shares of categories and of missing values that go round with the day: alarms with and without a season.

    python benchmarks/rounds.py                     # two minutes
    python benchmarks/rounds.py --events 100000

A thousand events a day; the share of one category, or of missing values, swings between 0.1 and 0.5 with the hour, or
stays at 0.3. In the last of the cases it rises by 0.1 halfway. Detectors are given a run length; the events from which
a season is learnt are among those counted, without an alarm.
"""

from __future__ import annotations

import argparse
import math
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detectors.base import Row, State
from detectors.registry import DataConfig
from detectors.watch import watch_features

PER_DAY: Final = 1000
RUN_LENGTH: Final = 100_000
SIZES: Final = {"reference": 2000, "window": 500, "every": 50, "run_length": RUN_LENGTH, "min_effect": 0.0}
CYCLES: Final = 14
"""Days from which a season is learnt."""
SPAN: Final = 1000
CASES: Final = {"stays as it is": (0.0, 0.0), "goes round": (0.2, 0.0), "goes round, and rises": (0.2, 0.1)}
"""By how much a share swings, and by how much it rises halfway."""


def stream(kind: str, events: int, swing: float, rise: float) -> list[Row]:
    """Rows of one feature, with categories or with gaps."""
    rng, at = np.random.default_rng(1), np.arange(events)
    share = 0.3 + swing * np.sin(2 * math.pi * at / PER_DAY) + np.where(at >= events // 2, rise, 0.0)
    chosen, other = rng.random(events) < share, rng.random(events) < 0.5
    if kind == "missing_rate":
        return [{"x": None if gone else 1.0} for gone in chosen.tolist()]
    return [
        {"x": "a" if one else "b" if two else "c"} for one, two in zip(chosen.tolist(), other.tolist(), strict=True)
    ]


def alarms(kind: str, rows: list[Row], *, season: bool) -> list[int]:
    """The events at which a detector of this kind alarms."""
    settings: dict[str, Any] = {"kind": kind, **SIZES}
    if season:
        settings["season"] = {"period": "day", "cycles": CYCLES}
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    of_numbers = kind == "missing_rate"
    watch = watch_features(adapter.validate_python(settings), ["x"] * of_numbers, ["x"] * (not of_numbers))
    assert watch is not None
    found: list[int] = []
    for first in range(0, len(rows), SPAN):
        span = rows[first : first + SPAN]
        times = [(first + index) * 86_400 / PER_DAY for index in range(len(span))]
        signals = watch.observe(span, times)
        found += [first + signal.index for signal in signals if signal.reading.state is State.DRIFT]
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Alarms at shares that go round, with and without a season.")
    parser.add_argument("--events", type=int, default=600_000)
    events = parser.parse_args().events
    console = Console()
    table = Table(
        "detector", "share", "alarms", "with a season", title=f"{events:,} events, one alarm in {RUN_LENGTH:,}"
    )
    kinds = ("chi_squared", "missing_rate")
    for kind, what in track([(kind, what) for kind in kinds for what in CASES], "cases", console=console):
        rows = stream(kind, events, *CASES[what])
        cells = []
        for season in (False, True):
            found = alarms(kind, rows, season=season)
            late = next((at - events // 2 for at in found if at >= events // 2), None) if CASES[what][1] else None
            cells.append(f"{len(found)}" + ("" if late is None else f", first {late} events after the rise"))
        table.add_row(kind, what, *cells)
    console.print(table)


if __name__ == "__main__":
    main()
