"""Playing at a chosen speed, on a clock that the test winds by hand."""

from __future__ import annotations

import pytest

from stream.simulate.player import Pacer
from stream.simulate.source import SourceError


class Clock:
    """Time passes only by waiting, and by `busy`."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def busy(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_first_record_is_not_waited_for(clock: Clock) -> None:
    Pacer(1.0, clock.wait, clock).until(5_000_000.0)

    assert clock.waits == []


def test_simulated_time_is_divided_by_the_speed(clock: Clock) -> None:
    pacer = Pacer(1000.0, clock.wait, clock)
    pacer.until(0.0)

    pacer.until(60_000.0)

    assert clock.waits == pytest.approx([60.0])


def test_work_between_records_is_not_waited_for_again(clock: Clock) -> None:
    pacer = Pacer(1.0, clock.wait, clock)
    pacer.until(0.0)
    clock.busy(7.0)

    pacer.until(10.0)

    assert clock.waits == pytest.approx([3.0])


def test_who_is_behind_catches_up_without_waiting(clock: Clock) -> None:
    pacer = Pacer(1.0, clock.wait, clock)
    pacer.until(0.0)
    clock.busy(30.0)

    pacer.until(10.0)
    pacer.until(20.0)

    assert clock.waits == []


def test_short_waits_add_up_to_the_whole_time(clock: Clock) -> None:
    pacer = Pacer(1000.0, clock.wait, clock)
    for second in range(1001):
        pacer.until(float(second))

    assert clock.now == pytest.approx(101.0, abs=0.002)


def test_as_fast_as_possible_never_waits(clock: Clock) -> None:
    pacer = Pacer(None, clock.wait, clock)
    pacer.until(0.0)
    pacer.until(1e9)

    assert clock.waits == []


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_that_is_not_above_zero_is_refused(speed: float) -> None:
    with pytest.raises(SourceError, match="expected a number above 0"):
        Pacer(speed)
