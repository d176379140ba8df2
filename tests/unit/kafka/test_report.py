"""Whose turn it is to be reported."""

from __future__ import annotations

from stream.kafka.report import BURST, INTERVAL, SHARE, Rota
from tests.clock import Clock


def reported(rota: Rota, clock: Clock, partitions: int, seconds: float, cost: float, turn: float = 0.02) -> list[int]:
    """The partitions that are reported within a time, in their order, if each report takes as long as `cost`."""
    found, until = list[int](), clock.now + seconds
    while clock.now < until:
        while (partition := rota.next(range(partitions))) is not None:
            started = clock.now
            clock.now += cost
            rota.done(partition, started)
            found.append(partition)
        clock.now += turn
    return found


def test_each_partition_has_its_turn_once_per_interval() -> None:
    clock = Clock()
    found = reported(Rota(clock), clock, 4, 10 * INTERVAL, 0.001)

    assert [found.count(partition) for partition in range(4)] == [10] * 4


def test_reports_that_take_long_come_more_seldom_and_everybody_waits_as_long() -> None:
    clock = Clock()
    found = reported(Rota(clock), clock, 50, 60.0, 0.015)
    counts = [found.count(partition) for partition in range(50)]

    assert 0.9 * SHARE <= len(found) * 0.015 / 60.0 <= 1.1 * SHARE
    assert max(counts) - min(counts) <= 1


def test_a_partition_that_comes_is_reported_at_once_and_one_that_goes_no_more() -> None:
    clock = Clock()
    rota = Rota(clock)
    reported(rota, clock, 3, 0.5, 0.001)

    assert rota.next([0, 7]) == 7
    rota.done(7, clock.now)
    clock.now += 2.0
    assert rota.next([]) is None


def test_after_a_rest_reports_take_no_more_at_once_than_they_may() -> None:
    clock = Clock()
    rota = Rota(clock)
    clock.now += 1000.0

    assert len(reported(rota, clock, 50, 0.0001, 0.01)) <= BURST / 0.01 + 1
