"""The reading of every detector that compares what came before a point with what came since."""

from __future__ import annotations

from typing import TypeAlias

from detectors.base import Direction, Reading, State

Point: TypeAlias = tuple[int, float]
"""A point in a stream of errors: how many came up to it, and their sum."""


def split_reading(
    state: State,
    point: Point,
    end: Point,
    *,
    statistic: float,
    threshold: float,
    p_value: float | None = None,
    direction: Direction | None = None,
) -> Reading:
    """A reading whose `before` is the mean error up to `point`, and whose `after` is the mean from there to `end`."""
    before_n, after_n = point[0], end[0] - point[0]
    return Reading(
        state,
        statistic=statistic,
        threshold=threshold,
        p_value=p_value,
        before=point[1] / before_n if before_n else None,
        after=(end[1] - point[1]) / after_n if after_n else None,
        direction=direction,
        reference_n=before_n,
        current_n=after_n,
    )
