"""How many events had come by a time, and what is usual of their labels."""

from __future__ import annotations

import pickle
import random

import pytest

from stream.core.arrivals import Arrivals
from stream.core.delays import Delays, quantile


def counted(times: list[float]) -> Arrivals:
    arrivals = Arrivals()
    arrivals.add(times)
    return arrivals


def test_the_newest_are_counted_exactly() -> None:
    arrivals = counted([float(n) for n in range(10_000)])

    assert [arrivals.by(9999.0 - back) for back in range(20)] == [10_000 - back for back in range(20)]


def test_of_a_time_far_back_no_more_than_one_in_64_since_is_missing_and_none_is_too_many() -> None:
    arrivals = counted([float(n) for n in range(50_000)])

    for time in range(0, 50_000, 97):
        true = time + 1
        assert true - (50_000 - true) / 64 - 1 <= arrivals.by(float(time)) <= true


def test_before_the_first_there_are_none() -> None:
    assert counted([5.0, 6.0]).by(4.9) == 0


def test_memory_grows_with_the_logarithm_of_the_events() -> None:
    few, many = (len(pickle.dumps(counted([float(n) for n in range(events)]))) for events in (10_000, 160_000))

    assert many < 3 * few


def test_events_at_one_time_take_one_mark() -> None:
    arrivals = counted([1.0] * 1000 + [2.0] * 500)

    assert (arrivals.by(1.0), arrivals.by(2.0)) == (1000, 1500)


def learned(delay: float, share: float, *, events: int = 4000, spread: float = 0.0) -> tuple[Delays, Arrivals, float]:
    """Events a second apart, of which a share gets a label so late; what is known when the last has come."""
    rng = random.Random(3)
    arrivals, delays = Arrivals(), Delays()
    delays.restart(0.0, 0)
    arrivals.add(map(float, range(events)))
    for n in range(events):
        late = delay + rng.uniform(0, spread)
        if rng.random() < share and n + late <= events:
            delays.add([float(n)], [n + late])
    return delays, arrivals, float(events)


@pytest.mark.parametrize("delay", [0.0, 0.5, 30.0, 1800.0])
@pytest.mark.parametrize("share", [0.2, 1.0])
def test_the_share_of_events_with_a_label_is_learned_however_late_labels_are(delay: float, share: float) -> None:
    delays, arrivals, now = learned(delay, share)

    assert sum(one.share for one in delays.shares(arrivals, now)) == pytest.approx(share, abs=0.05)


def test_labels_that_are_still_to_come_are_not_taken_for_labels_that_never_come() -> None:
    delays, arrivals, now = learned(3000.0, 1.0, events=4000)  # three events in four wait for theirs

    assert sum(one.share for one in delays.shares(arrivals, now)) == pytest.approx(1.0, abs=0.15)


def test_quantiles_of_the_delay_are_known_to_within_a_fifth() -> None:
    delays, arrivals, now = learned(100.0, 0.9, spread=100.0, events=8000)

    shares = delays.shares(arrivals, now)
    assert quantile(shares, 0.5) == pytest.approx(150, rel=0.2)
    assert quantile(shares, 0.99) == pytest.approx(199, rel=0.2)


def test_nothing_is_usual_before_labels_were_watched_for_three_times_their_delay() -> None:
    early, late = learned(1000.0, 1.0, events=2500), learned(1000.0, 1.0, events=4000)

    assert not early[0].known(1000.0, early[2])
    assert late[0].known(1000.0, late[2])


def test_a_restart_forgets_the_labels_of_events_from_before() -> None:
    delays, arrivals, now = learned(30.0, 1.0)
    delays.restart(now, arrivals.n)
    delays.add([now - 10.0], [now])

    assert delays.labels == 0
    assert delays.shares(arrivals, now) == []


def test_what_is_usual_follows_what_changes() -> None:
    arrivals, delays = Arrivals(), Delays()
    delays.restart(0.0, 0)
    for n in range(45_000):
        arrivals.add([float(n)])
        if n < 12_000 or n % 2:
            delays.add([float(n)], [n + 1.0])
        if n % 1000 == 0:
            delays.move_on(1.0, float(n), arrivals.n)

    assert sum(one.share for one in delays.shares(arrivals, 45_000.0)) == pytest.approx(0.5, abs=0.03)
