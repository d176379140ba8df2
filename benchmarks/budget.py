"""Whether a whole service keeps the false-alarm budget it was given.

    python benchmarks/budget.py              # 10 minutes on two cores
    python benchmarks/budget.py --runs 1     # less
    python benchmarks/budget.py --write      # and put the table into docs/alarms.md

Nothing ever changes in these streams: twelve numeric features of six laws, one in twenty values missing, four
categories, and a label that depends on two of them. The engine takes them as a service does, with detectors on errors,
features and predictions, and one budget for all of them. Counted are the alerts that tell of a drift, each of which is
a false alarm, after the events in which the first model learned and references filled.

In the first case the champion is served as it is. In the others it learns on from every label, which moves its scores.
The interval takes the number of false alarms for Poisson's.

Beside it, what people put together by hand: River's detectors at their defaults, ADWIN and PageHinkley on the errors,
KSWIN on each numeric feature.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy import stats

from bench.engines import NOW, spans
from bench.models import SPAN
from bench.processes import spread
from bench.sheets import Sheet, write
from detecting.others import River
from stream.config.model import Config
from stream.core.engine import Engine
from stream.records import Alert, Span, Swap
from stream.testing import small_config

PAGE = Path(__file__).parents[1] / "docs" / "alarms.md"
BUDGET = 20_000
WARM, EVENTS = 20_000, 400_000
BY_HAND = 10_000
"""Events that River's detectors get: KSWIN takes half a millisecond for each value."""
RIVALS = "River's detectors at their defaults"
CASES: dict[str, dict[str, Any]] = {
    "the model stays as it is": {"policy": "alert_only"},
    "the model goes on learning": {"policy": "keep_learning"},
    "the same, scores with min_effect: 0.2": {"policy": "keep_learning", "least": 0.2},
}

LAWS = ("normal", "t3", "lognormal", "uniform", "counts", "rounded")
NUMBERS = tuple(f"{law}_{which}" for law in LAWS for which in "ab")
SHARES = {"even": (0.25, 0.25, 0.25, 0.25), "skewed": (0.7, 0.2, 0.08, 0.02), "two": (0.5, 0.5), "rare": (0.97, 0.03)}
MISSING = 0.05


class Counted(NamedTuple):
    """What was told in so many events, by detector."""

    case: str
    events: int
    told: Counter[str]


def service(policy: str, least: float = 0.1) -> Config:
    """A service that watches all it has; `least` is the effect that a change of scores must have."""
    features = {name: {"type": "number"} for name in NUMBERS} | {name: {"type": "category"} for name in SHARES}
    detectors: dict[str, Any] = {
        "concept": [{"kind": "cusum"}, {"kind": "adwin"}],
        "data": [{"kind": "ks"}, {"kind": "chi_squared"}, {"kind": "missing_rate"}],
        "prediction": [{"kind": "ks", "name": "score", "min_effect": least}],
    }
    return small_config(
        {
            "events": {"features": features, "label": "label"},
            "detectors": detectors,
            "alarms": {"expected_events_per_false_alarm": BUDGET},
            "adaptation": {"policy": policy},
        }
    )


def _spans(seed: int, part: int, count: int) -> Iterator[Span]:
    """Events, a second apart, of a world in which nothing changes."""
    rng = np.random.default_rng((seed, part))
    for first in range(0, count, SPAN):
        columns = {name: _numbers(rng, name.split("_")[0]) for name in NUMBERS}
        odds = columns["normal_a"] - 0.5 * columns["uniform_a"]
        labels = rng.random(SPAN) < 1 / (1 + np.exp(-odds))
        for name in NUMBERS:
            columns[name][rng.random(SPAN) < MISSING] = np.nan
        categories = {name: rng.choice(len(shares), SPAN, p=shares) for name, shares in SHARES.items()}
        rows = []
        for n in range(SPAN):
            row: dict[str, Any] = {name: float(column[n]) for name, column in columns.items() if column[n] == column[n]}
            rows.append(row | {name: f"c{column[n]}" for name, column in categories.items()})
        yield from spans(rows, labels.tolist(), inline=True, first=first)


def _numbers(rng: np.random.Generator, law: str) -> Any:
    if law == "t3":
        return rng.standard_t(3, SPAN)
    if law == "lognormal":
        return rng.lognormal(size=SPAN)
    if law == "uniform":
        return rng.random(SPAN) * 2
    if law == "counts":
        return rng.poisson(4.0, SPAN).astype(float)
    values = rng.normal(size=SPAN)
    return values.round(1) if law == "rounded" else values


def driven(case: str, seed: int) -> Counted:
    """The alerts of a service that has learned for a while, and is served as its policy says."""
    learned = Engine(service("keep_learning"), 0)
    learned.command(Swap(learned.state.champion, 1, "first"), 0.0)
    for span in _spans(seed, 0, WARM):
        learned.process(span, NOW)
    engine = Engine(service(**CASES[case]), 0)
    engine.command(Swap(learned.state.champion, 1, "first"), 0.0)
    told: Counter[str] = Counter()
    for span in _spans(seed, 1, WARM + EVENTS):
        effects = engine.process(span, NOW)
        if span.events[0].offset >= WARM:
            opened = [one for one in effects if isinstance(one, Alert) and one.state == "open"]
            told.update(one.detector or "" for one in opened if one.expected_events_per_false_alarm)
    return Counted(case, EVENTS, told)


def by_hand(seed: int) -> Counted:
    """The alarms of River's detectors at their defaults. The errors are those of a model that never says true."""
    rows = [event for span in _spans(seed, 1, BY_HAND) for event in span.events]
    told: Counter[str] = Counter()
    for kind in ("ADWIN", "PageHinkley"):
        told[kind] = len(River(kind, 1).feed(np.array([[float(row.label or 0)] for row in rows])))
    for name in NUMBERS:
        values = [[row.features[name]] for row in rows if name in row.features]
        told["KSWIN"] += len(River("KSWIN", 1).feed(np.array(values)))
    return Counted(RIVALS, BY_HAND, told)


def _measured(task: tuple[str, int]) -> Counted:
    case, seed = task
    return by_hand(seed) if case == RIVALS else driven(case, seed)


def table(found: list[Counted]) -> Sheet:
    """Stated and measured events per false alarm, by case."""
    rows = []
    for case in (*CASES, RIVALS):
        runs = [one for one in found if one.case == case]
        events, told = sum(run.events for run in runs), sum((run.told for run in runs), Counter[str]())
        count = told.total()
        low, high = stats.chi2.ppf(0.025, 2 * count) / 2, stats.chi2.ppf(0.975, 2 * count + 2) / 2
        between = f"{events / high:,.0f} to {events / low:,.0f}" if count else f"above {events / high:,.0f}"
        stated = "nothing" if case == RIVALS else f"{BUDGET:,}"
        which = ", ".join(f"{detector} {times:,}" for detector, times in told.most_common())
        measured = f"{events / count:,.0f}" if count else "none"
        rows.append((case, stated, measured, between, f"{events:,}", which))
    head = ("", "stated events per false alarm", "measured", "95% interval", "events", "false alarms of")
    return Sheet("budget", "events per false alarm, over all detectors and features", head, rows)


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4, help=f"streams of {EVENTS:,} events for each case")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="streams at a time")
    parser.add_argument("--write", action="store_true", help="put the table into docs/alarms.md")
    options = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 200)
    tasks = [(RIVALS, 0), *((case, seed) for case in CASES for seed in range(options.runs))]
    found = list(track(spread(_measured, tasks, options.jobs), total=len(tasks), console=console, transient=True))
    sheet = table(found)
    sheet.show(console)
    if options.write:
        write([sheet], PAGE)


if __name__ == "__main__":
    main()
