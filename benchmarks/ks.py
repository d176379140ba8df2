"""The Kolmogorov-Smirnov detector against SciPy: the time per feature-event, and whether the distances are equal.

    python benchmarks/ks.py                # two minutes
    python benchmarks/ks.py --rounds 3

Rows of standard normal features come in spans of 100, and every so many events each feature's newest 500 values are
compared with its first 1,000: by `scipy.stats.ks_2samp`, by two calls of `numpy.searchsorted` on sorted values, and by
the detector, which takes the rows as the service gives them to it. All keep their windows themselves, and take turns in
one thread; a figure is the least of all rounds. The first two compare feature by feature, so they are given 20 features
at most.

Where a distance is far from the threshold, the detector leaves out checks that could find nothing. In the last case it
cannot: all features have moved, evenly, by a little less than what makes an alarm.
"""

from __future__ import annotations

import argparse
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from itertools import islice
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats

from detectors.data.ks import KolmogorovSmirnov, KsConfig

REFERENCE, WINDOW, SPAN = 1000, 500, 100
AT_MOST = 20
"""Features given to those who take them one by one."""
ENOUGH = 10_000
"""Feature-events of a turn of the detector, which has several in each round."""
TURNS = 10

Rows = list[dict[str, float]]


class Case(NamedTuple):
    """A schedule, how many features, and by how much they move after the reference was taken."""

    every: int
    features: int
    shift: float = 0.0


CASES = [Case(every, features) for every in (100, 50, 1) for features in (10, 20, 1000)]
CASES.append(Case(1, 20, shift=0.45))


class OneByOne(ABC):
    """Compares feature by feature, as one would write it."""

    def __init__(self, names: list[str], every: int, first: Rows) -> None:
        self.names, self.every, self.seen = names, every, 0
        self.references = [np.sort([row[name] for row in first[:REFERENCE]]) for name in names]
        self.windows = [deque((row[name] for row in first[REFERENCE:]), maxlen=WINDOW) for name in names]
        self.statistics: list[float] = []

    def follow(self, rows: Rows) -> None:
        """Take rows, and compare nothing."""
        for name, window in zip(self.names, self.windows, strict=True):
            window.extend(row[name] for row in rows)

    def observe(self, rows: Rows) -> None:
        """Take rows, and compare when it is time."""
        for row in rows:
            self.follow([row])
            self.seen += 1
            if self.seen % self.every == 0:
                pairs = zip(self.references, self.windows, strict=True)
                self.statistics = [self.distance(reference, np.array(window)) for reference, window in pairs]

    @abstractmethod
    def distance(self, reference: np.ndarray, window: np.ndarray) -> float:
        """The KS distance of the two; the reference is sorted."""


class SciPy(OneByOne):
    """The function that everybody knows."""

    def distance(self, reference: np.ndarray, window: np.ndarray) -> float:
        return float(stats.ks_2samp(reference, window).statistic)


class Searched(OneByOne):
    """Only what is needed of it."""

    def distance(self, reference: np.ndarray, window: np.ndarray) -> float:
        window.sort()
        steps = np.arange(WINDOW + 1) / WINDOW
        below = np.searchsorted(reference, window, "left") / REFERENCE - steps[:-1]
        above = steps[1:] - np.searchsorted(reference, window, "right") / REFERENCE
        return float(max(below.max(), above.max()))


class Ours:
    """The detector."""

    def __init__(self, names: list[str], every: int, first: Rows, alpha: float) -> None:
        self.detector = KolmogorovSmirnov(KsConfig(reference=REFERENCE, window=WINDOW, every=every, alpha=alpha), names)
        self.observe(first)

    def observe(self, rows: Rows) -> None:
        """Take rows; there is nothing to find."""
        if self.detector.observe(rows):
            sys.exit("An alarm came where none was expected; its feature's figures would be of another window.")

    @property
    def statistics(self) -> list[float]:
        """The distances of the first features at the last check."""
        return [reading.statistic or 0.0 for reading in islice(self.detector.readings().values(), AT_MOST)]


def rows_of(rng: np.random.Generator, names: list[str], n: int, case: Case, *, moved: bool = True) -> Rows:
    """`n` rows of normal values; each row has floats of its own, as decoded ones have.

    Where features move, any 100 rows have the same values in another order, so that distances hardly change.
    """
    values = rng.normal(size=(n, len(names)))
    if case.shift:
        quantiles = case.shift * moved + stats.norm.ppf((np.arange(SPAN) + 0.5) / SPAN)
        block = np.repeat(quantiles[:, np.newaxis], len(names), axis=1)
        values = np.concatenate([rng.permuted(block, axis=0) for _ in range(0, n, SPAN)])
    return [dict(zip(names, row, strict=True)) for row in values.tolist()]


def timed(contender: OneByOne | Ours, rows: Rows) -> float:
    """Seconds to take the rows, span by span."""
    started = time.perf_counter()
    for start in range(0, len(rows), SPAN):
        contender.observe(rows[start : start + SPAN])
    return time.perf_counter() - started


def measure(case: Case, rounds: int) -> tuple[float, float, float, bool]:
    """Microseconds per feature-event of SciPy, of searching and of the detector, and whether they agree."""
    rng = np.random.default_rng(1)
    names = [f"f{n}" for n in range(case.features)]
    few = names[:AT_MOST]
    first = rows_of(rng, names, REFERENCE, case, moved=False) + rows_of(rng, names, WINDOW, case)
    ours = Ours(names, case.every, first, 1e-12 if case.shift else 1e-6)
    others = [kind(few, case.every, first) for kind in (SciPy, Searched)]
    n = SPAN * max(1, ENOUGH // case.features // SPAN)
    figures: list[list[float]] = [[], [], []]
    agree = True
    for _ in range(rounds):
        for _ in range(TURNS):
            rows = rows_of(rng, names, n, case)
            figures[2].append(timed(ours, rows) / n / case.features)
            for other in others:  # not looked at: they only have to have the same windows
                other.follow(rows)
        rows = rows_of(rng, names, SPAN, case)
        ours.observe(rows)
        for other, found in zip(others, figures, strict=False):
            found.append(timed(other, rows) / SPAN / len(few))
            agree = agree and np.allclose(ours.statistics, other.statistics, rtol=0, atol=1e-12)
    scipy, searched, detector = (min(found) * 1e6 for found in figures)
    return scipy, searched, detector, agree


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each; the least time of all counts")
    options = parser.parse_args()
    console = Console()
    table = Table(title="us per feature-event", caption=f"reference {REFERENCE:,}, window {WINDOW}, one thread")
    for head in ("every", "features", "SciPy", "search", "ours", "an event", "SciPy/ours", "equal"):
        table.add_column(head, justify="right")
    for case in track(CASES, description="ks", console=console):
        scipy, searched, detector, agree = measure(case, options.rounds)
        table.add_row(
            *(f"{case.every}{', moved' if case.shift else ''}", f"{case.features:,}"),
            *(f"{scipy:,.2f}", f"{searched:.2f}", f"{detector:.3f}", f"{detector * case.features:,.2f}"),
            *(f"{scipy / detector:,.0f}", "yes" if agree else "NO"),
        )
    console.print(table)


if __name__ == "__main__":
    main()
