"""Looking up what tables hold between their points."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence


def place(points: Sequence[float], value: float) -> tuple[int, float]:
    """The interval of `points` that holds `value`, or is nearest, and how far across it that is, from 0 to 1."""
    index = min(max(bisect_right(points, value) - 1, 0), len(points) - 2)
    return index, min(max((value - points[index]) / (points[index + 1] - points[index]), 0.0), 1.0)
