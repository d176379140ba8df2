"""The share of rejected values: found when it rises, told once until it has fallen, and seldom without a cause."""

from __future__ import annotations

import pickle
import random

import numpy as np
import pytest
from pydantic import ValidationError

from detectors.base import Reading, State
from detectors.rejected import RejectedConfig, RejectedShare


def share(run_length: float = 1e6, usual: float = 0.01) -> RejectedShare:
    return RejectedShare(RejectedConfig(run_length=run_length, usual=usual))


def first_alarm(watch: RejectedShare, rate: float, seed: int, most: int = 1_000_000) -> tuple[int, Reading | None]:
    """How many values it took to an alarm, each rejected with a probability of `rate`."""
    gaps = np.random.default_rng(seed)
    n = 0
    while n < most:
        gap = int(gaps.geometric(rate)) - 1
        watch.accepted(gap)
        n += gap + 1
        reading = watch.rejected()
        if reading is not None:
            return n, reading
    return most, None


def test_values_that_are_all_rejected_from_the_first_are_told_of_within_a_few() -> None:
    n, reading = first_alarm(share(), 1.0, seed=1)

    assert n <= 5
    assert reading is not None
    assert (reading.state, reading.direction, reading.before, reading.after) == (State.DRIFT, "up", 0.01, 1.0)
    assert reading.current_n == reading.changed_n == n


@pytest.mark.parametrize("rate", [0.03, 0.1, 0.5])
def test_a_rise_is_told_with_the_share_since_it_began(rate: float) -> None:
    watch = share()
    watch.accepted(50_000)

    n, reading = first_alarm(watch, rate, seed=2)

    limit = np.log(1e6) / (rate * np.log(rate / 0.01) + (1 - rate) * np.log((1 - rate) / 0.99))
    assert n < 2.5 * limit
    assert reading is not None
    assert rate / 2 < (reading.after or 0) < rate * 2
    assert reading.current_n <= n


def test_runs_are_at_least_as_long_as_stated_where_as_many_are_rejected_as_may_be() -> None:
    runs = [first_alarm(share(run_length=2000), 0.01, seed)[0] for seed in range(200)]

    assert np.mean(runs) > 2000


def test_fewer_than_usual_hardly_ever_raise_an_alarm() -> None:
    assert first_alarm(share(), 0.003, seed=3, most=3_000_000)[1] is None


def test_it_speaks_once_until_the_share_has_fallen_and_then_again() -> None:
    watch = share()
    first_alarm(watch, 1.0, seed=1)

    again, during = [watch.rejected() for _ in range(1000)], watch.reading
    watch.accepted(100_000)
    after = watch.reading

    assert again == [None] * 1000
    assert (during.state, after.state) == (State.DRIFT, State.STABLE)
    assert first_alarm(watch, 1.0, seed=1)[0] <= 5


def test_a_share_that_stays_above_the_usual_one_is_not_told_of_again() -> None:
    watch = share()
    first_alarm(watch, 0.03, seed=4)

    assert first_alarm(watch, 0.03, seed=5, most=300_000)[1] is None


def test_a_share_that_rises_further_is_told_of_again_with_what_was_usual_meanwhile() -> None:
    watch = share()
    first_alarm(watch, 0.03, seed=4)
    first_alarm(watch, 0.03, seed=5, most=10_000)

    n, reading = first_alarm(watch, 0.3, seed=6)

    assert n < 100
    assert reading is not None
    assert 0.03 < (reading.before or 0) < 0.06
    assert 0.15 < (reading.after or 0) < 0.6


@pytest.mark.parametrize("between", [0.1, 0.005])
def test_a_raised_share_that_has_fallen_is_told_of_when_it_rises_again(between: float) -> None:
    watch = share()
    first_alarm(watch, 0.5, seed=0)
    assert first_alarm(watch, 0.5, seed=1, most=10_000)[1] is None
    first_alarm(watch, between, seed=2, most=10_000)
    first_alarm(watch, between, seed=3, most=10_000)

    n, reading = first_alarm(watch, 0.5, seed=4)

    assert n < 100
    assert reading is not None


def test_where_all_are_rejected_for_good_there_is_one_alarm() -> None:
    watch = share()

    assert sum(watch.rejected() is not None for _ in range(100_000)) == 1


def test_where_hardly_more_are_rejected_than_usual_once_nothing_is_taken_to_be_usual() -> None:
    watch = share()
    for _ in range(6):
        watch.rejected()
    watch.accepted(2500)

    n, reading = first_alarm(watch, 0.05, seed=9)

    assert n < 1000
    assert reading is not None
    assert reading.before == 0.01


def test_how_accepted_values_are_counted_together_does_not_matter() -> None:
    rng = random.Random(6)
    one, other = share(), share()
    for turn in range(600):
        gap = rng.randrange(400 if 200 < turn < 250 else 40)
        one.accepted(gap)
        for _ in range(gap):
            other.accepted(1)
        assert one.rejected() == other.rejected()
        assert one.reading == other.reading


def test_saved_it_goes_on_as_it_would_have() -> None:
    lived, saved = share(), share()
    for watch in (lived, saved):
        watch.accepted(70)
        watch.rejected()
        watch.accepted(9)

    restored = pickle.loads(pickle.dumps(saved))

    assert first_alarm(restored, 0.2, seed=7) == first_alarm(lived, 0.2, seed=7)


def test_before_the_first_rejection_there_is_nothing_to_show() -> None:
    watch = share()
    watch.accepted(10)

    assert watch.reading == Reading(State.STABLE)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"usual": 0}, "usual"),
        ({"usual": 0.6}, "usual"),
        ({"run_length": 1}, "run_length"),
        ({"segments": {"by": "country"}}, "has no features to tell segments by. Remove it"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        RejectedConfig.model_validate(wrong)
