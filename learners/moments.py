"""Running mean and deviation of one number, safe against outliers, as a plain tuple that is cheap to replace."""

from __future__ import annotations

import math
from typing import Any

SPREAD = 10.0
"""Numbers are pulled in to this many standard deviations from their mean."""
CAUTIOUS_AFTER = 30
"""Values after which an outlier moves the mean and deviation no more than the bound it passed. One among the first few
can't be told from the rest: it widens the scale, and wears off with the square root of the count."""
LIMIT = 1e30
"""No number larger than this is ever used, so that squares and their sums stay finite."""
LEAST = 1e-200
"""Sums of squared differences below this count as none, so that their inverses stay finite."""

Moments = tuple[int, float, float, float]
"""Count, mean, sum of squared differences from it, and 1 / deviation (0.0 while all values were equal)."""

UNSEEN: Moments = (0, 0.0, 0.0, 0.0)


def finite(value: Any) -> float | None:
    """The value as a finite number no larger than `LIMIT`, or None where it isn't a number."""
    if not isinstance(value, (int, float)) or value != value or value in (math.inf, -math.inf):
        return None
    return float(max(-LIMIT, min(LIMIT, value)))


def pulled_in(moments: Moments, value: float) -> float:
    """A finite value, or the nearest one within `SPREAD` deviations of the mean."""
    _, mean, _, inverse = moments
    if not inverse:
        return mean
    reach = SPREAD / inverse
    return max(mean - reach, min(mean + reach, value))


def update(moments: Moments, value: float) -> Moments:
    """Take one finite value (Welford's update)."""
    n, mean, squares, inverse = moments
    if inverse and n >= CAUTIOUS_AFTER:
        value = pulled_in(moments, value)
    n += 1
    delta = value - mean
    mean += delta / n
    squares += delta * (value - mean)
    return n, mean, squares, math.sqrt(n / squares) if squares > LEAST else 0.0
