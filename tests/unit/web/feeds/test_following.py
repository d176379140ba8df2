"""What is asked of the history to say that a drift recovers, and how far the stream is."""

from __future__ import annotations

from typing import Any

import pytest

from stream.errors import StoreError
from stream.web.feeds.following import FRESH_SECONDS, Detectors, StreamTime
from tests.clock import Clock
from tests.unit.web.support import History


class Watched(History):
    """A history that tells of these detectors, and counts how often it is asked; it may be away."""

    def __init__(self, *rows: tuple[str, str, str]) -> None:
        super().__init__()
        self.rows = [{"detector": detector, "feature": feature, "state": state} for detector, feature, state in rows]
        self.asked = 0
        self.away = False
        self.reached = 7.0

    def drift(self, partition: int | None, since: float | None, points: int) -> Any:
        self.asked += 1
        if self.away:
            raise StoreError("Redis is away")
        return {"rows": self.rows}

    def stream_time(self) -> float | None:
        if self.away:
            raise StoreError("Redis is away")
        return self.reached


def test_states_are_told_by_detector_and_feature_and_errors_have_none() -> None:
    history = Watched(("adwin", "", "stable"), ("ks", "x", "warning"))

    assert Detectors(history)(0) == {("adwin", None): "stable", ("ks", "x"): "warning"}


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_readings_the_one_of_most_concern_counts(order: int) -> None:
    rows = [("ks", "x", "stable"), ("ks", "x", "drift")][::order]

    assert Detectors(Watched(*rows))(0) == {("ks", "x"): "drift"}


def test_each_partition_is_asked_for_once_in_a_while() -> None:
    history, clock = Watched(), Clock()
    readings = Detectors(history, clock)

    for partition in (0, 0, 1):
        readings(partition)
    assert history.asked == 2
    clock.now += FRESH_SECONDS
    readings(0)
    assert history.asked == 3


def test_nothing_is_known_while_there_is_no_history_or_it_cannot_be_read() -> None:
    away = Watched(("ks", "x", "stable"))
    away.away = True

    assert Detectors(away)(0) == {}
    assert Detectors(None)(0) == {}


def test_how_far_the_stream_is_is_looked_up_once_in_a_while_and_not_known_while_it_cannot_be() -> None:
    history, clock = Watched(), Clock()
    stream_time = StreamTime(history, clock)

    assert stream_time() == 7.0
    history.reached = 9.0
    assert stream_time() == 7.0
    clock.now += FRESH_SECONDS
    assert stream_time() == 9.0
    clock.now += FRESH_SECONDS
    history.away = True
    assert stream_time() is None
    assert StreamTime(None)() is None
