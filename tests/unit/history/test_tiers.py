"""Which points are kept for longer, and what they stand for."""

from __future__ import annotations

from stream.history.frames import Point
from stream.history.tiers import TIERS, Thinning, Tier
from tests.unit.history.made import point

FINE, MIDDLE, COARSE = TIERS


def all_kept(points: list[Point], thinning: Thinning) -> list[tuple[Tier, Point]]:
    return [kept for one in points for kept in thinning.add(one)]


def test_every_point_is_kept_in_the_finest_series_and_one_of_each_stretch_in_the_others() -> None:
    kept = all_kept([point(1000.0 * 600 + second) for second in range(1201)], Thinning(1.0))

    assert [sum(tier is which for tier, _ in kept) for which in TIERS] == [1201, 40, 1]


def test_a_stretch_begins_at_a_multiple_of_its_length_whenever_the_worker_began() -> None:
    kept = all_kept([point(at) for at in (25.0, 29.0, 31.0, 59.5, 60.0)], Thinning(1.0))

    assert [one.at for tier, one in kept if tier is MIDDLE] == [29.0, 59.5]


def test_the_point_of_a_stretch_is_its_last_with_the_worst_of_all() -> None:
    first = point(1.0, latency_p99_ms=80.0, drift=(1.2, None), events=10, warned=("ddm",))
    last = point(2.0, latency_p99_ms=5.0, drift=(0.1, 0.5), events=30)
    kept = all_kept([first, last, point(31.0)], Thinning(1.0))

    ((_, of_stretch),) = [told for told in kept if told[0] is MIDDLE]
    assert (of_stretch.at, of_stretch.events, of_stretch.latency_p99_ms) == (2.0, 30, 80.0)
    assert of_stretch.drift == point(0.0, drift=(1.2, 0.5)).drift
    assert of_stretch.warned == ("ddm",)


def test_partitions_do_not_mix() -> None:
    kept = all_kept([point(1.0, 0), point(2.0, 1), point(31.0, 0)], Thinning(1.0))

    assert [(tier.name, one.partition) for tier, one in kept if tier is not FINE] == [("middle", 0)]


def test_what_stretches_are_not_over_is_kept_when_a_partition_goes() -> None:
    thinning = Thinning(1.0)
    all_kept([point(at, partition) for at in (1.0, 31.0) for partition in (0, 1)], thinning)

    kept = thinning.end(0)

    assert [(tier, one.partition, one.at) for tier, one in kept] == [(MIDDLE, 0, 31.0), (COARSE, 0, 31.0)]
    assert thinning.end(0) == []
    assert [one.partition for _, one in thinning.end()] == [1, 1]
