"""From the chance of a false alarm at one check to the values that pass, on average, before a false alarm.

What it takes beside that chance is the same for all detectors that slide a window along and compare it with a fixed
reference of a feature's own values, and stands here once.

1. Clumps. Alarms come in clumps, as windows share values: two windows of m values that lie h apart have a correlation
   of 1 - h / m. A statistic whose chance falls off at the rate v (by which, in standard deviations of the window, the
   chance beyond a level becomes smaller) and whose pull back is p begins v p / m clumps per value and chance of an
   alarm; checks after every e values see a share of them, by Siegmund's correction for a process that is looked at now
   and then, and for frequent checks less by a share of order 1 / (v p), which is fitted. Both v and p are about u where
   u is the level in standard deviations. This is `clumps`.
2. Renewal. The reference is itself a matter of chance, and the chance of an alarm depends on it. After an alarm it is
   learnt anew, so that a bad one is soon gone and a good one stays: what is called the run length is the mean, over
   references, of mean runs, from the first full window to the alarm. In the long run there is one false alarm in as
   many values, and those that make up the next reference and window. A new feature is worse off: its alarms come at the
   mean of the rates at first, which is higher the larger the window is beside its reference, five times as high with
   half its size and a run length of a million. Windows larger than their reference promise little: many references
   alarm at once, and the few that never do make up the mean. Those who count alarms over all of a shorter stretch give
   its length as `horizon`. This is `mean_run`.

Values that depend on each other alarm more, and nothing here holds for them.

Sources: Aldous, "Probability Approximations via the Poisson Clumping Heuristic" (1989), and Siegmund, "Sequential
Analysis" (1985), for step 1; Brown, "Bounds, inequalities, and monotonicity properties for some specialized renewal
processes", Annals of Probability 8 (1980), for step 2: alarms of a mixture of references are most frequent at first.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import special

Floats: TypeAlias = npt.NDArray[np.float64]

_SELDOM = 25.0
"""By how soon clumps near each other are one only for frequent checks: fitted to simulated alarms."""
_AT_FIRST = 0.35
"""Windows by which a run is shorter than the mean, as it begins with a window of chance: fitted for short runs."""

SHORTEST, LONGEST = 1e3, 1e12
"""Run lengths that can be asked for."""
LARGEST = 100_000
"""Values in a reference or window for which thresholds are known."""
RARE = 1e-280
"""Smaller chances are as good as none, and beyond what can be divided by."""


class Sizes(NamedTuple):
    """What a detector compares: values in a reference and in a window, and between two checks."""

    reference: int
    window: int
    every: int


def checked(reference: int, window: int, every: int, horizon: float) -> Sizes:
    """The sizes. Raises ValueError for those that `WindowedConfig` refuses too, and for a horizon of nothing."""
    for name, value, least, most in (
        ("reference", reference, 100, LARGEST),
        ("window", window, 30, LARGEST),
        ("every", every, 1, window),
    ):
        if not least <= value <= most:
            raise ValueError(f"{name}: got {value}; expected {least:,} to {most:,}, for which thresholds are known")
    if not horizon > 0.0:
        raise ValueError(f"horizon: got {horizon:g}; expected more than 0 values. Leave it out for the long run")
    return Sizes(reference, window, every)


def possible(run_length: float) -> float:
    """The run length. Raises ValueError for one that cannot be asked for."""
    if not SHORTEST <= run_length <= LONGEST:
        raise ValueError(f"run_length: got {run_length:g}; expected {SHORTEST:,.0f} to {LONGEST:,.0f} values")
    return run_length


def clumps(squares: Floats, sizes: Sizes, joined: float = 0.0) -> Floats:
    """The clumps of alarms a value begins, over the chance of an alarm; `squares` are v p, more than 0."""
    _, window, every = sizes
    half = np.sqrt(squares * (every / window / 2.0))
    below = special.ndtr(half)
    seen = (below - 0.5) / half / (half * below + np.exp(-half * half / 2.0) / math.sqrt(2.0 * math.pi))
    fewer = 1.0 + joined * math.exp(-_SELDOM * every / window) / squares
    found: Floats = np.minimum(squares * seen / fewer / window, 1.0 / every)
    return found


@lru_cache(maxsize=10_000)
def safe_chance(window: int, every: int, run_length: float) -> float:
    """The chance of an alarm at one check with which a run is as long at least, whatever the statistic.

    Alarms are taken to come as they do at first with a new feature, however long it is watched, and in no fewer clumps
    than those of a normal statistic. Simulated runs of detectors on shares are 3 to 70 times as long as stated, more
    where next to nothing is unusual, as their counts are few (`scripts/calibrate_windows.py check`). Raises ValueError
    as `checked` and `possible` do.
    """
    sizes = checked(100, window, every, math.inf)
    possible(run_length)
    low, high = math.log(RARE), 0.0  # logarithms of chances
    while high - low > 1e-6:
        middle = (low + high) / 2.0
        squares = np.array([2.0 * (math.log(2.0) - middle)])
        if math.exp(middle) * float(clumps(squares, sizes)[0]) * run_length > 1.0:
            high = middle
        else:
            low = middle
    return math.exp(low)


def rates(chances: Floats, squares: Floats, sizes: Sizes, joined: float = 0.0) -> Floats:
    """How many false alarms a value leads to with references with which a check raises one with these `chances`."""
    lengths = (1.0 - chances) / (chances * clumps(squares, sizes, joined))
    found: Floats = 1.0 / np.maximum(lengths - _AT_FIRST * sizes.window, lengths / 2.0)
    return found


def mean_run(weights: Floats, rates: Floats, horizon: float) -> float:
    """The run length of classes of references, by their shares and `rates`.

    Over a finite `horizon` it is that over the false alarms expected in as many values of a new feature.
    """
    if horizon == math.inf:
        return float(np.sum(weights / rates))
    return horizon / _alarms(weights, rates, horizon)


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
