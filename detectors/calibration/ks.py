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
2. A sliding window. Alarms come in clumps, as windows share values. With u^2 = 2 ln(2 / q), windows that are checked
   after every e values begin u^2 v(u sqrt(2 e / m)) clumps per window length and q, where v is Siegmund's correction
   for a process that is looked at now and then, less a share of order 1 / u^2 for frequent checks, which is fitted.
   This is `_clumps`.
3. Renewal. After an alarm the reference is learnt anew, so that a bad one is soon gone and a good one stays: what is
   called the run length is the mean, over references, of mean runs, from the first full window to the alarm. In the
   long run there is one false alarm in as many values, and those that make up the next reference and window. A new
   feature is worse off: its alarms come at the mean of the rates at first, which is higher the larger the window is
   beside its reference, five times as high with half its size and a run length of a million. Windows larger than their
   reference promise little: many references alarm at once, and the few that never do make up the mean. Those who count
   alarms over all of a shorter stretch give its length as `horizon`.

`scripts/calibrate_ks.py check` simulates it. Runs are 0.95 to 1.11 times as long as stated, for run lengths from half a
window to 10,000 windows, windows from a tenth to 32 times the reference, and checks of every value to every window.
Longer runs, up to 1e9, are not simulated: step 2 is the better the rarer alarms are, and the chances of step 1 are held
against exact ones by `scripts/calibrate_ks.py tails`, where runs are 0.89 to 1.28 times as long. Runs shorter than half
a window are not validated. Sizes that are nearly, but not quite, multiples of each other (1,000 and
999) can be 20% off, as possible distances come in groups. With missing values the run length, in events, is no shorter.

Sources: Smirnov (1948) and Hodges, "The significance probability of the Smirnov two-sample test", Arkiv foer Matematik
3 (1957), for step 1; Bahadur, "Rates of convergence of estimates and test statistics", Annals of Mathematical
Statistics 38 (1967); Aldous, "Probability Approximations via the Poisson Clumping Heuristic" (1989), and Siegmund,
"Sequential Analysis" (1985), for step 2; Brown, "Bounds, inequalities, and monotonicity properties for some
specialized renewal processes", Annals of Probability 8 (1980), for step 3: alarms of a mixture of references are most
frequent at first.
"""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import special

from detectors.data.windowed import Floats

TABLE = Path(__file__).with_name("ks.json")
"""Written by `scripts/calibrate_ks.py`. A data file, as it is made by a script, not by hand."""

_JOINED, _SELDOM = 3.0, 25.0
"""Of clumps near each other that are one, for low thresholds and frequent checks: fitted to simulated alarms."""
_AT_FIRST = 0.35
"""Windows by which a run is shorter than the mean, as it begins with a window of chance: fitted for short runs."""

_RARE = 1e-280
"""Smaller chances are as good as none, and beyond what can be divided by."""


class Sizes(NamedTuple):
    """What a detector compares: values in a reference and in a window, and between two checks."""

    reference: int
    window: int
    every: int


class _Table(NamedTuple):
    weights: Floats  # of classes of references, from those that are least off; they sum to 1
    ratios: Floats  # log2 of window / reference, rising
    levels: Floats  # distances in units of Kolmogorov's distribution, rising
    off: Floats  # s: ratios by levels by classes


def threshold(reference: int, window: int, every: int, run_length: float, *, horizon: float = math.inf) -> float:
    """The least KS distance whose run length is at least `run_length` values; a possible distance.

    Small sizes with a large common divisor have few possible distances, so that the run length can be up to four times
    that asked for: `run_length_of` says. With a `horizon`, alarms over as many values of a new feature are in the ratio
    asked for. Raises ValueError as `run_length_of` does, and for run lengths outside 1e3 to 1e9.
    """
    sizes = _checked(reference, window, every, horizon)
    if not 1e3 <= run_length <= 1e9:
        raise ValueError(
            f"run_length: got {run_length:g}; expected 1,000 to 1,000,000,000 values. Beyond that nothing was validated"
        )
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
    sizes = _checked(reference, window, every, horizon)
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
    return table.weights, np.clip(chances, _RARE, 1.0 - 1e-6)


def off_of(chances: Floats, reference: int, window: int, steps: int) -> Floats:
    """How far off (s) references are with which windows reach a distance of `steps` / lcm with these chances."""
    curve = 4.0 / (9.0 * window)
    exponent = np.maximum(-0.5 * np.log(chances / 2.0), 0.0)
    own = np.sqrt((np.sqrt(1.0 + 2.0 * curve * exponent) - 1.0) / curve)
    off: Floats = (height(reference, window, steps) - own) * math.sqrt(reference / window)
    return off


def _run_length(sizes: Sizes, steps: int, horizon: float) -> float:
    weights, rates = _rates(sizes, steps)
    if horizon == math.inf:
        return float(np.sum(weights / rates))
    return horizon / _alarms(weights, rates, horizon)


def _rates(sizes: Sizes, steps: int) -> tuple[Floats, Floats]:
    """Classes of references: their shares, and how many false alarms a value leads to with each."""
    reference, window, every = sizes
    weights, chances = chances_of(reference, window, steps)
    lengths = (1.0 - chances) / (chances * _clumps(chances, window, every))
    return weights, 1.0 / np.maximum(lengths - _AT_FIRST * window, lengths / 2.0)


def _clumps(chances: Floats, window: int, every: int) -> Floats:
    """The clumps of alarms a value begins, over the chance of an alarm."""
    squares = 2.0 * np.log(2.0 / chances)
    half = np.sqrt(squares * (every / window / 2.0))
    below = special.ndtr(half)
    seen = (below - 0.5) / half / (half * below + np.exp(-half * half / 2.0) / math.sqrt(2.0 * math.pi))
    joined = 1.0 + _JOINED * math.exp(-_SELDOM * every / window) / squares
    clumps: Floats = np.minimum(squares * seen / joined / window, 1.0 / every)
    return clumps


def _alarms(weights: Floats, rates: Floats, values: float) -> float:
    """The false alarms expected in the first `values` values of a feature, each followed by a new reference.

    The classes are the states of a Markov process that is left at `rates` and entered by `weights`, which is symmetric
    in coordinates of sqrt(weights / rates).
    """
    scale = np.sqrt(weights * rates)
    speeds, modes = np.linalg.eigh(np.diag(rates) - np.outer(scale, scale))
    parts = (scale @ modes) ** 2
    times = np.maximum(speeds, 0.0) * values
    shares = np.where(times > 1e-9, -np.expm1(-times) / np.where(times > 1e-9, times, 1.0), 1.0)
    return float(values * np.sum(parts * shares))


def _between(table: _Table, ratio: float, level: float) -> Floats:
    """How far off (s) each class is, between the points of the table; beyond them, as at the nearest."""
    row, right = _place(table.ratios, ratio)
    column, further = _place(table.levels, level)
    part = table.off[row : row + 2, column : column + 2]
    by_level = part[:, 0] * (1.0 - further) + part[:, 1] * further
    off: Floats = by_level[0] * (1.0 - right) + by_level[1] * right
    return off


def _place(points: Floats, value: float) -> tuple[int, float]:
    """The interval of `points` that holds `value`, or is nearest, and how far across it that is, from 0 to 1."""
    index = min(max(int(np.searchsorted(points, value)) - 1, 0), len(points) - 2)
    return index, float(np.clip((value - points[index]) / (points[index + 1] - points[index]), 0.0, 1.0))


@cache
def _table() -> _Table:
    content = json.loads(TABLE.read_text(encoding="ascii"))
    return _Table(*(np.array(content[name], dtype=np.float64) for name in _Table._fields))


def _checked(reference: int, window: int, every: int, horizon: float) -> Sizes:
    for name, value, least, most in (
        ("reference", reference, 100, 100_000),
        ("window", window, 30, 100_000),
        ("every", every, 1, window),
    ):
        if not least <= value <= most:
            raise ValueError(f"{name}: got {value}; expected {least:,} to {most:,}, for which thresholds are known")
    if not horizon > 0.0:
        raise ValueError(f"horizon: got {horizon:g}; expected more than 0 values. Leave it out for the long run")
    return Sizes(reference, window, every)
