"""Make the table behind the run lengths of the KS detector, and hold what they promise against simulation.

    python scripts/calibrate_ks.py table            # writes detectors/calibration/ks.json (two minutes)
    python scripts/calibrate_ks.py check            # asked against simulated run lengths (three minutes)
    python scripts/calibrate_ks.py tails            # exact against modelled chances of very rare alarms (five seconds)
    python scripts/calibrate_ks.py check --small    # the same with a tenth of the values

Each part is kept in build/calibrate_ks.json as soon as it is done, so that a run that was stopped goes on where it was;
`--anew` forgets what is there. Seeds are fixed: the same parts come out whatever was done before.

The table holds, by window / reference and distance, how far random references are off. The chance that a window reaches
the distance is exact for each reference: the values of a window below the points of a reference are a Poisson process
on condition of their number, and its paths are followed from point to point as long as they stay within the distance
(Steck, "The Smirnov two sample tests as rank tests", Annals of Mathematical Statistics 40, 1969).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeAlias

import numpy as np
import typer
from kept import Anew, Kept
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import special

from detectors.calibration import ks
from detectors.data.excess import Excess
from detectors.data.ranks import Ranks
from detectors.data.windowed import Floats, Ints

KEPT = Path("build/calibrate_ks.json")
CLASSES = (0.01, 0.02, 0.03, 0.06, 0.12, 0.16, 0.20, 0.16, 0.12, 0.06, 0.03, 0.02, 0.01)
LEVELS = (0.8, 1.1, 1.4, 1.8, 2.2, 2.6, 3.0)
SAMPLES = (
    (961, 60, 400),
    (487, 60, 800),
    (413, 100, 1600),
    (213, 100, 2400),
    (107, 100, 2400),
    (100, 213, 2000),
    (100, 413, 1200),
    (50, 817, 400),
)
"""Values in a reference and in a window, and how many references are drawn.

No size is nearly a multiple of the other: possible distances would come in groups, which cannot be corrected for.
"""
LARGER = (64, 1024)
"""Windows over references beyond those: how far references are off nears its limit as one over the root of this."""
AT_ONCE = 200
LEAST_CHANCE = 1e-12
"""Smaller chances are lost in rounding: a reference that has one is taken to be off as at the level before."""

Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, int]], Floats]

DRAWS: dict[str, Draw] = {
    "continuous": lambda rng, shape: rng.random(shape),
    "200 values": lambda rng, shape: np.floor(200.0 * rng.random(shape)),
    "10 values": lambda rng, shape: np.floor(10.0 * rng.random(shape)),
    "two values": lambda rng, shape: np.floor(2.0 * rng.random(shape)),
}


class Case(NamedTuple):
    """What is simulated: sizes, the run length asked for, for how many times as long, and what values look like."""

    reference: int
    window: int
    every: int
    run_length: int
    times: int = 10
    features: int = 200
    draw: str = "continuous"


CASES = (
    Case(1000, 100, 1, 10_000, times=4, features=200),
    Case(1000, 100, 100, 10_000, times=4, features=400),
    Case(200, 100, 1, 3_000, times=40, features=100),
    Case(200, 100, 10, 100_000, times=4, features=150),
    Case(200, 100, 100, 1_000_000, times=1, features=400),
    Case(1000, 500, 50, 20_000, times=10, features=100),
    Case(1000, 500, 50, 20_000, times=1, features=1000),
    Case(1000, 500, 500, 200_000, times=1, features=200),
    Case(500, 500, 100, 20_000, times=10, features=100),
    Case(100, 30, 1, 10_000, times=4, features=250),
    Case(100, 30, 30, 100_000, times=2, features=150),
    Case(100, 400, 40, 20_000, times=4, features=300),
    Case(100, 3200, 320, 100_000, times=1, features=150),
    Case(5000, 2000, 200, 1_000, times=20, features=40),
    Case(1000, 500, 1, 2_000, times=10, features=60),
    Case(200, 100, 10, 10_000, draw="200 values"),
    Case(200, 100, 10, 10_000, draw="10 values"),
    Case(200, 100, 10, 10_000, draw="two values"),
)

TAILS = ((1000, 100, 400, 2.7), (430, 200, 400, 2.3), (300, 60, 800, 2.6), (160, 150, 1500, 2.0), (700, 30, 400, 2.9))
"""Values in a reference and in a window, how many references are drawn, and the level."""


class Stream:
    """Features that never change, watched as the detector does it. Slots come from `Ranks`, distances from `Excess`."""

    def __init__(self, case: Case) -> None:
        self._case, self._draw = case, DRAWS[case.draw]
        self._rng = np.random.default_rng([*case[:6], sum(case.draw.encode())])
        self._ranks = Ranks(case.features, case.reference)
        self._excess = Excess(case.features, case.reference, case.window, self._ranks.width)
        self._all = np.arange(case.features)
        self._windows = np.zeros((case.features, case.window), dtype=np.int64)
        self._start(self._all)

    def alarms(self, least: int, values: int) -> int:
        """False alarms at an excess of `least` in the next `values` values of each feature. Each starts it anew.

        What comes after an alarm in its block is passed over; a block is short beside a run.
        """
        every, window = self._case.every, self._case.window
        ahead = every * max(1, 25 // every)
        next_, alarms = 0, 0
        for _ in range(0, values, ahead):
            cells = (next_ + np.arange(ahead)) % window
            coming = self._ranks.slots(self._draw(self._rng, (self._case.features, ahead)))
            if ahead <= min(window, 100):
                found = self._excess.during(self._all, self._windows, self._windows[:, cells], coming, every).max(
                    axis=0
                )
                self._windows[:, cells] = coming
            else:
                self._windows[:, cells] = coming
                found = self._excess.of(self._windows)
            next_ = (next_ + ahead) % window
            over = np.flatnonzero(found >= least)
            if len(over):
                alarms += len(over)
                self._start(over)
        return alarms

    def _start(self, features: Ints) -> None:
        for feature, values in zip(features, self._draw(self._rng, (len(features), self._case.reference)), strict=True):
            points, counts = np.unique(values, return_counts=True)
            self._ranks.learn(feature, points)
            self._excess.learn(feature, counts)
        values = np.zeros((self._case.features, self._case.window))
        values[features] = self._draw(self._rng, (len(features), self._case.window))
        self._windows[features] = self._ranks.slots(values)[features]


def chances(references: Floats, window: int, need: int) -> Floats:
    """The chance, for each of some references in (0, 1), that a window's excess is `need` or more.

    `references` are in order, one a row. The state is how many values of a window are below the present point, from
    the fewest allowed on.
    """
    rows, n = references.shape
    points = np.arange(1, n + 1)
    most = np.minimum(-(-(need + window * (points - 1)) // n) - 1, window)
    fewest = np.maximum((window * points - need) // n + 1, 0)
    gaps = np.diff(references, axis=1, prepend=0.0) * window
    width = int((most - fewest).max()) + 1
    paths, first = np.zeros((rows, width)), 0
    paths[:, 0] = 1.0
    for gap, low, high in zip(gaps.T, fewest.tolist(), most.tolist(), strict=True):
        new = np.zeros_like(paths)
        share = np.exp(-gap)[:, np.newaxis]
        largest = float(gap.max())
        for more in range(min(int(largest + 9.0 * math.sqrt(largest) + 12.0), window) + 1):
            shift = first + more - low
            if 0 <= shift < width:
                new[:, shift:] += share * paths[:, : width - shift]
            elif -width < shift < 0:
                new[:, :shift] += share * paths[:, -shift:]
            share = share * gap[:, np.newaxis] / (more + 1)
        new[:, max(high - low + 1, 0) :] = 0.0
        paths, first = new, low
    left = window - first - np.arange(width)
    rest = (1.0 - references[:, -1:]) * window
    with np.errstate(divide="ignore"):
        ends = np.exp(special.xlogy(left, rest) - rest - special.gammaln(np.maximum(left, 0) + 1.0))
    stay = (paths * np.where(left >= 0, ends, 0.0)).sum(axis=1)
    total = math.exp(window * math.log(window) - window - math.lgamma(window + 1))
    found: Floats = 1.0 - stay / total
    return found


def steps_at(reference: int, window: int, level: float) -> int:
    """The distance of a level of Kolmogorov's distribution, in steps of 1 / lcm."""
    return math.ceil(level * math.sqrt(1.0 / reference + 1.0 / window) * math.lcm(reference, window))


def exact(references: Floats, window: int, steps: int) -> Floats:
    """The chance, for each of some references, that a window reaches `steps` / lcm."""
    count, reference = references.shape
    parts = np.array_split(references, math.ceil(count / AT_ONCE))
    return np.concatenate([chances(part, window, steps * math.gcd(reference, window)) for part in parts])


def off(reference: int, window: int, count: int) -> list[list[float]]:
    """How far references are off: levels by classes."""
    rng = np.random.default_rng([5, reference, window])
    references = np.sort(rng.random((count, reference)), axis=1)
    ends = np.rint(np.cumsum((0.0, *CLASSES)) * count).astype(int).tolist()
    rows: list[list[float]] = []
    for level in LEVELS:
        steps = steps_at(reference, window, level)
        found = exact(references, window, steps)
        lost = int(np.count_nonzero(found < LEAST_CHANCE))
        own = np.sort(ks.off_of(np.clip(found, LEAST_CHANCE, 1.0), reference, window, steps))
        row = [round(float(own[start:end].mean()), 4) for start, end in pairwise(ends)]
        rows.append([rows[-1][index] if ends[index] < lost else value for index, value in enumerate(row)])
    return rows


def limit() -> Floats:
    """How far references are off if windows are much larger: as far as from the truth. Levels by classes."""
    ends = np.cumsum((0.0, *CLASSES))
    inside = np.linspace(ends[:-1], ends[1:], 41)[1::2]
    furthest = special.kolmogi(1.0 - inside).mean(axis=0)
    found: Floats = np.minimum(furthest, np.array(LEVELS)[:, np.newaxis])
    return found


def write_table(kept: Kept) -> None:
    """Write the file that is shipped."""
    found = [kept.get("off", sample, partial(off, *sample)) for sample in track(SAMPLES, "references")]
    ratios = [window / reference for reference, window, _ in SAMPLES]
    last, end = np.array(found[-1]), limit()
    for ratio in LARGER:
        found.append((end - (end - last) * math.sqrt(ratios[len(SAMPLES) - 1] / ratio)).round(4).tolist())
        ratios.append(ratio)
    rows = ",\n  ".join(json.dumps(row) for row in found)
    head = {"weights": CLASSES, "ratios": [round(math.log2(ratio), 6) for ratio in ratios], "levels": LEVELS}
    text = "".join(f' "{name}": {json.dumps(values)},\n' for name, values in head.items())
    ks.TABLE.write_text(f'{{\n{text} "off": [\n  {rows}\n ]\n}}\n', encoding="ascii")


def simulate(case: Case, distance: float) -> int:
    """The false alarms of all features of a case."""
    return Stream(case).alarms(round(distance * case.reference * case.window), case.run_length * case.times)


def windows_until(reference: int, window: int, count: int, level: float) -> list[float]:
    """Independent windows until one reaches a level, in the mean over references, and its standard error."""
    rng = np.random.default_rng([6, reference, window])
    references = np.sort(rng.random((count, reference)), axis=1)
    windows = 1.0 / np.maximum(exact(references, window, steps_at(reference, window, level)), LEAST_CHANCE)
    return [float(windows.mean()), float(windows.std() / math.sqrt(count))]


def tails(kept: Kept) -> Table:
    """Exact and modelled run lengths of independent windows, where they are too long to be simulated."""
    table = Table(title="independent windows until an alarm")
    for name in ("reference", "window", "threshold", "exact", "modelled", "exact / modelled"):
        table.add_column(name, justify="right")
    for tail in track(TAILS, "tails"):
        reference, window, _, level = tail
        mean, error = kept.get("tail", tail, partial(windows_until, *tail))
        steps = steps_at(reference, window, level)
        weights, modelled = ks.chances_of(reference, window, steps)
        windows = float(np.sum(weights / modelled))
        table.add_row(
            f"{reference:,}",
            f"{window:,}",
            f"{steps / math.lcm(reference, window):.4f}",
            f"{mean:.3g}",
            f"{windows:.3g}",
            f"{mean / windows:.2f} +- {error / windows:.2f}",
        )
    return table


def check(kept: Kept, small: bool) -> Table:
    """Asked and simulated run lengths, each with the standard error of the simulation."""
    table = Table(title="run lengths of the KS detector, in values of a feature")
    for name in ("reference", "window", "every", "values are", "asked", "threshold", "mean", "over", "stated there"):
        table.add_column(name, justify="right")
    table.add_column("simulated", justify="right")
    table.add_column("simulated / stated", justify="right")
    cases = [case._replace(features=math.ceil(case.features / 10)) for case in CASES] if small else CASES
    for case in track(cases, "cases"):
        sizes, values = case[:3], case.run_length * case.times
        distance = ks.threshold(*sizes, case.run_length)
        alarms = kept.get("check", (*case, distance), partial(simulate, case, distance))
        stated, seen = ks.run_length_of(*sizes, distance, horizon=values), case.features * values / max(alarms, 1)
        table.add_row(
            *(f"{size:,}" for size in sizes),
            case.draw,
            f"{case.run_length:,}",
            f"{distance:.4f}",
            f"{ks.run_length_of(*sizes, distance):,.0f}",
            f"{values:,}",
            f"{stated:,.0f}",
            f"{seen:,.0f}",
            f"{seen / stated:.2f} +- {seen / stated / math.sqrt(max(alarms, 1)):.2f}",
        )
    return table


def main(
    part: Annotated[Literal["table", "check", "tails"], typer.Argument(help="what to make, or to check")],
    small: Annotated[bool, typer.Option(help="simulate a tenth of the features")] = False,
    anew: Anew = False,
) -> None:
    """Make the table of the KS detector's run lengths, or check it."""
    kept = Kept(KEPT, anew)
    if part == "table":
        write_table(kept)
    else:
        Console().print(check(kept, small) if part == "check" else tails(kept))


if __name__ == "__main__":
    typer.run(main)
