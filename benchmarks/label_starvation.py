"""How soon starved labels are told of, and how often without a cause.

    python -m benchmarks.label_starvation     # a minute

Events come at random, by day four times as often as at night, and their labels as each case says: how late, in batches
or one by one, of which share of events. In each of the runs labels come for a while, then stop; an alert before that is
a false one. The delay is that from the moment after which no label came to the alert, and the labels that would have
come in that time.

The second table has labels of two classes, independent of each other, of which one stops coming.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from stream.config.health import StarvationConfig
from stream.core.alerts import AlertMaker
from stream.core.pending import Joined, Waiting
from stream.core.starvation import Starvation
from stream.records import Alert
from stream.testing import small_config

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
MAKER = AlertMaker(small_config(), 0)


class Case(NamedTuple):
    """How labels come: when (of an event at a time), of which share of events, and over how long a time."""

    name: str
    due: Callable[[random.Random, float], float]
    joined: float
    days: float
    gap: float  # mean seconds between events


CASES = [
    Case("at once", lambda _, at: at, 0.95, 2, 5),
    Case("30 s late", lambda rng, at: at + rng.expovariate(1 / 30), 0.95, 2, 5),
    Case("hours late", lambda rng, at: at + rng.lognormvariate(math.log(3 * HOUR), 0.5), 0.95, 10, 30),
    Case("hours late, one event in ten", lambda rng, at: at + rng.lognormvariate(math.log(3 * HOUR), 0.5), 0.1, 10, 30),
    Case("one to four weeks late", lambda rng, at: at + rng.uniform(7, 28) * DAY, 0.5, 200, 600),
    Case("each night", lambda _, at: math.ceil(at / DAY) * DAY, 0.95, 20, 60),
    Case("each night, of the day before", lambda _, at: math.ceil(at / DAY + 1) * DAY, 0.95, 20, 60),
    Case("few events, a day late", lambda rng, at: at + rng.expovariate(1 / DAY), 0.8, 200, HOUR),
]


class Told(NamedTuple):
    """An alert, its time, and the labels that would have come since they stopped."""

    alert: Alert
    missed: int


def arrivals(rng: random.Random, gap: float, until: float) -> Iterator[float]:
    """Times of events, four times as often by day as at night."""
    at = 0.0
    while at < until:
        at += rng.expovariate((1.6 if at % DAY < DAY / 2 else 0.4) / gap)
        yield at


def run(case: Case, config: StarvationConfig, seed: int, stop: float, until: float) -> list[Told]:
    """What is told of a stream whose labels stop at a time."""
    rng = random.Random(seed)
    starvation = Starvation(config, classes=False)
    due: list[tuple[float, float]] = []
    told: list[Told] = []
    missed = 0
    for offset, at in enumerate(arrivals(rng, case.gap, until)):
        while due and due[0][0] <= at:
            when, arrived = heapq.heappop(due)
            if when < stop:
                starvation.came(Joined([Waiting({}, 1, arrived, 0)], [1.0], [when], [0]))
            else:
                missed += 1
        starvation.arrived([Waiting({}, 1, at, offset)])
        told += [Told(alert, missed) for alert in starvation.told(MAKER, 1)]
        if rng.random() < case.joined:
            heapq.heappush(due, (case.due(rng, at), at))
    return told


def classes(share: float, seed: int, labels: int, stop: int) -> tuple[int, int | None]:
    """False alerts before a class stops, and labels from then on until it is told."""
    rng = random.Random(seed)
    starvation = Starvation(StarvationConfig(after=0.0), classes=True)
    false, found = 0, None
    for n in range(labels):
        event = Waiting({}, 1, float(n), n)
        starvation.arrived([event])
        for alert in starvation.told(MAKER, 1):
            if n < stop:
                false += alert.state == "open"
            elif found is None and alert.state == "open" and alert.detail == "rare":
                found = n - stop
        rare = rng.random() < share and n < stop
        starvation.came(Joined([event], ["rare" if rare else "other"], [float(n)], [n]))
    return false, found


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="How soon starved labels are told of, and how often without a cause.")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    console, config = Console(width=160), StarvationConfig()
    table = Table("labels come", "events", "false alerts", "not found", "hours to the alert (median)", "labels missed")
    for case in CASES:
        events, false, delays, missed, lost = 0, 0, list[float](), list[int](), 0
        for seed in range(options.runs):
            stop = case.days * DAY * 0.75 + seed * HOUR
            opened = [one for one in run(case, config, seed, stop, case.days * DAY) if one.alert.state == "open"]
            false += sum(one.alert.ts < stop for one in opened)
            events += round(stop / case.gap)
            found = next((one for one in opened if one.alert.ts >= stop), None)
            if found is None:
                lost += 1
            else:
                delays.append(found.alert.ts - stop)
                missed.append(found.missed)
        hours = f"{median(delays) / HOUR:.1f}" if delays else "-"
        table.add_row(
            case.name, f"{events:,}", str(false), str(lost), hours, f"{median(missed):.0f}" if missed else "-"
        )
    console.print(table)
    table = Table("share of the class", "labels", "false alerts", "not found", "labels to the alert (median)")
    for share, labels in ((0.5, 20_000), (0.1, 20_000), (0.01, 40_000), (0.001, 200_000)):
        results = [classes(share, seed, labels, labels * 3 // 4) for seed in range(options.runs)]
        found_after = [found for _, found in results if found is not None]
        lost = len(results) - len(found_after)
        after = f"{median(found_after):,.0f}" if found_after else "-"
        false = sum(wrong for wrong, _ in results)
        table.add_row(f"{share:g}", f"{labels * options.runs:,}", str(false), str(lost), after)
    console.print(table)


if __name__ == "__main__":
    main()
