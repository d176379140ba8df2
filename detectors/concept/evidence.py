"""The reading of every detector that compares what came before a point with what came since."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.base import Direction, Reading, State
from detectors.concept.points import Point, clearest


def split_reading(
    state: State,
    point: Point,
    end: Point,
    *,
    statistic: float,
    threshold: float,
    p_value: float | None = None,
    direction: Direction | None = None,
    points: Iterable[Point] = (),
) -> Reading:
    """A reading whose `before` is the mean error up to `point`, and whose `after` is the mean from there to `end`.

    `points` are others at which its change may have begun.
    """
    before_n, after_n = point[0], end[0] - point[0]
    reading = Reading(
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
    return with_change(reading, (point, *points), end)


def with_change(reading: Reading, points: Iterable[Point], end: Point) -> Reading:
    """The reading with its change, if it has a direction: it began at the point where the mean changed most clearly."""
    if reading.direction is None:
        return reading
    point = clearest(points, end, rise=reading.direction == "worse")
    if point is None:
        return reading
    changed_n = end[0] - point[0]
    effect = abs((end[1] - point[1]) / changed_n - point[1] / point[0])
    return reading._replace(effect=effect, changed_n=changed_n)
