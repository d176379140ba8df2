"""How often the KS distance of a sliding window to a fixed reference reaches a threshold when nothing has changed.

The distance of continuous values does not depend on their distribution, so its false alarms are a matter of sizes
alone. Values with ties keep the distance of the continuous values they could have been rounded from, or a smaller
one: they alarm less. Values that depend on each other alarm more, and nothing here holds for them.

The account is in three steps, each for windows of m values, references of n and a threshold d.

1. A given reference. The chance q that a window not seen before reaches d is that of a Brownian bridge to leave a band
   whose edges the errors of the reference have moved: q = 2 exp(-2 y^2 (1 + 2 y^2 / 9m)) with y = h - s sqrt(m / n) and
   h = d sqrt(m). The term in 1/m is the next of Bahadur's large deviation 2 d^2 + 4 d^4 / 9. s says how far a reference
   is off, and hardly depends on anything else: `ks.json` holds its quantiles by m / n and d, from exact chances of
   random references. As distances are multiples of 1 / lcm(n, m), d is taken half of that lower, and sizes are
   corrected for as Hodges does.
2. A sliding window, and 3. renewal: see `detectors.calibration.renewal`, with u^2 = 2 ln(2 / q).

`scripts/calibrate_ks.py check` simulates it. Runs are 0.95 to 1.11 times as long as stated, for run lengths from half a
window to 10,000 windows, windows from a tenth to 32 times the reference, and checks of every value to every window.
Longer runs are not simulated: step 2 is the better the rarer alarms are, and up to 1e9 the chances of step 1 are held
against exact ones by `scripts/calibrate_ks.py tails`, where runs are 0.89 to 1.28 times as long. From there to
1e12, where chances are lost in rounding, step 1 rests on its being a large deviation alone. Runs shorter than half a
window are not validated. Sizes that are nearly, but not quite, multiples of each other (1,000 and
999) can be 20% off, as possible distances come in groups. With missing values the run length, in events, is no shorter.

Sources: Smirnov (1948) and Hodges, "The significance probability of the Smirnov two-sample test", Arkiv foer Matematik
3 (1957); Bahadur, "Rates of convergence of estimates and test statistics", Annals of Mathematical Statistics 38 (1967).
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from detectors.calibration.renewal import RARE, Floats, Sizes, checked, mean_run, possible, rates
from detectors.calibration.tables import place

TABLE = Path(__file__).with_name("ks.json")
"""Written by `scripts/calibrate_ks.py`. A data file, as it is made by a script, not by hand."""

_JOINED = 3.0
"""Of clumps near each other that are one, for low thresholds: fitted to simulated alarms."""


class _Table(NamedTuple):
    weights: Floats  # of classes of references, from those that are least off; they sum to 1
    ratios: list[float]  # log2 of window / reference, rising
    levels: list[float]  # distances in units of Kolmogorov's distribution, rising
    off: Floats  # s: ratios by levels by classes


def threshold(reference: int, window: int, every: int, run_length: float, *, horizon: float = math.inf) -> float:
    """The least KS distance whose run length is at least `run_length` values; a possible distance.

    Small sizes with a large common divisor have few possible distances, so that the run length can be up to four times
    that asked for: `run_length_of` says. With a `horizon`, alarms over as many values of a new feature are in the ratio
    asked for. Raises ValueError as `run_length_of` does, and for run lengths outside 1e3 to 1e12.
    """
    sizes = checked(reference, window, every, horizon)
    possible(run_length)
    steps = math.lcm(reference, window)
    low, high = 0, steps  # the first is too little
    while high - low > 1:
        middle = (low + high) // 2
        if _run_length(sizes, middle, horizon) < run_length:
            low = middle
        else:
            high = middle
    return high / steps


def run_length_of(reference: int, window: int, every: int, distance: float, *, horizon: float = math.inf) -> float:
    """The values of a feature that pass on average before a false alarm, at this threshold of the KS distance.

    Counted from the first full window. Over a finite `horizon`, in values, it is that over the false alarms expected
    in as many values of a new feature; never more than over a longer one. Raises ValueError for sizes that `KsConfig`
    refuses too, and for distances outside 0 to 1.
    """
    sizes = checked(reference, window, every, horizon)
    if not 0.0 < distance <= 1.0:
        raise ValueError(f"distance: got {distance:g}; expected more than 0 and at most 1, as a KS distance is")
    steps = math.lcm(reference, window)
    return _run_length(sizes, math.ceil(distance * steps - 1e-9), horizon)


def height(reference: int, window: int, steps: int) -> float:
    """A distance of `steps` / lcm(reference, window) as that of a continuous process, times sqrt(window)."""
    distance = (steps - 0.5) / math.lcm(reference, window)
    larger, smaller = max(reference, window), min(reference, window)
    return math.sqrt(window) * distance + (larger + 2 * smaller) / (6.0 * reference * math.sqrt(window))


def chances_of(reference: int, window: int, steps: int) -> tuple[Floats, Floats]:
    """Classes of references: their shares, and the chance (q) that a window reaches `steps` / lcm with each."""
    table = _table()
    level = height(reference, window, steps)
    ratio = window / reference
    off = _between(table, math.log2(ratio), level / math.sqrt(1.0 + ratio))
    own = np.maximum(level - off * math.sqrt(ratio), 0.0)
    squares = own * own
    chances = 2.0 * np.exp(-2.0 * squares * (1.0 + 2.0 * squares / (9.0 * window)))
    return table.weights, np.clip(chances, RARE, 1.0 - 1e-6)


def off_of(chances: Floats, reference: int, window: int, steps: int) -> Floats:
    """How far off (s) references are with which windows reach a distance of `steps` / lcm with these chances."""
    curve = 4.0 / (9.0 * window)
    exponent = np.maximum(-0.5 * np.log(chances / 2.0), 0.0)
    own = np.sqrt((np.sqrt(1.0 + 2.0 * curve * exponent) - 1.0) / curve)
    off: Floats = (height(reference, window, steps) - own) * math.sqrt(reference / window)
    return off


def _run_length(sizes: Sizes, steps: int, horizon: float) -> float:
    weights, chances = chances_of(sizes.reference, sizes.window, steps)
    return mean_run(weights, rates(chances, 2.0 * np.log(2.0 / chances), sizes, _JOINED), horizon)


def _between(table: _Table, ratio: float, level: float) -> Floats:
    """How far off (s) each class is, between the points of the table; beyond them, as at the nearest."""
    row, right = place(table.ratios, ratio)
    column, further = place(table.levels, level)
    part = table.off[row : row + 2, column : column + 2]
    by_level = part[:, 0] * (1.0 - further) + part[:, 1] * further
    off: Floats = by_level[0] * (1.0 - right) + by_level[1] * right
    return off


@cache
def _table() -> _Table:
    content = json.loads(TABLE.read_text(encoding="ascii"))
    return _Table(np.array(content["weights"]), content["ratios"], content["levels"], np.array(content["off"]))
