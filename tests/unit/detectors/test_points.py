"""Points of a stream: which are kept, and where they say that its mean changed."""

from __future__ import annotations

from itertools import accumulate, pairwise

import pytest

from detectors.concept.points import ALIKE, APART, Point, Points, clearest


def trail_of(errors: list[float]) -> tuple[Points, Point]:
    """The points that a detector keeps of these errors, and their end."""
    points = Points(ALIKE)
    end = (0, 0.0)
    for end in enumerate(accumulate(errors), 1):
        if end[0] % APART == 0:
            points.add(end)
    return points, end


def test_the_points_are_in_order_and_the_older_the_further_apart() -> None:
    kept = [n for n, _ in trail_of([1.0] * 100_000)[0]]
    distances = [after - before for before, after in pairwise(kept)]
    assert distances == sorted(distances, reverse=True)
    assert (kept[-1], distances[-1]) == (100_000, APART)
    assert len(kept) < 150
    assert all(distance <= max(APART, 0.25 * (100_000 - n)) for n, distance in zip(kept, distances, strict=False))


def test_each_point_has_the_sum_up_to_it() -> None:
    assert all(total == n * (n + 1) / 2 for n, total in trail_of([float(n) for n in range(1, 3001)])[0])


@pytest.mark.parametrize("scale", [1.0, -1.0, 1e100, 1e-100])
def test_the_clearest_change_is_found_on_any_scale(scale: float) -> None:
    points, end = trail_of([scale * error for error in [0.1] * 800 + [0.3] * 80 + [0.2] * 8])
    point = clearest(points, end, rise=scale > 0.0)
    assert point is not None
    assert point[0] == 800


def test_a_change_in_the_other_direction_is_not_what_is_asked_for() -> None:
    points, end = trail_of([0.5] * 400 + [0.1] * 400 + [0.9] * 80)
    up, down = clearest(points, end, rise=True), clearest(points, end, rise=False)
    assert down is not None
    assert down[0] == pytest.approx(400, abs=32)
    assert up is not None
    assert up[0] == 800
    assert clearest(*trail_of([0.25] * 400), rise=True) is None


def test_a_point_at_the_beginning_or_beyond_the_end_splits_nothing() -> None:
    assert clearest([(0, 0.0), (8, 8.0), (16, 9.0)], (8, 8.0), rise=True) is None
