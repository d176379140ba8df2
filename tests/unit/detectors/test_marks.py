"""Places of the values of a stream, from a bounded memory."""

from __future__ import annotations

import pickle

import pytest

from detectors.marks import Marks


def marks(n: int, cut: int = 1000, *, step: int = 32, bound: int = 64) -> Marks[int]:
    """After n values, the k-th of which has the place 10 k."""
    made = Marks[int](step, bound)
    for start in range(0, n, cut):
        places = range(10 * (start + 1), 10 * (n + 1), 10)
        made.note(min(cut, n - start), places.__getitem__)
    return made


def test_before_the_first_value_there_is_no_place() -> None:
    assert Marks[int]().place(1) is None


@pytest.mark.parametrize("cut", [1, 7, 100_000])
def test_the_place_of_a_new_value_is_that_of_one_at_most_a_step_before(cut: int) -> None:
    made = marks(10_000, cut)

    for position in (9_999, 9_000, 8_500):
        place = made.place(position)
        assert place is not None
        assert 10 * (position - 32) < place <= 10 * position


def test_the_first_value_is_remembered_however_long_the_stream() -> None:
    assert marks(3_000_000, 50_000).place(1) == 10


@pytest.mark.parametrize("position", [1_000, 20_000, 700_000, 2_000_000])
def test_the_place_of_an_old_value_is_known_to_a_small_part_of_the_stream(position: int) -> None:
    place = marks(3_000_000, 50_000).place(position)

    assert place is not None
    assert 10 * (position - 3_000_000 // 200) <= place <= 10 * position


def test_memory_does_not_grow_with_the_stream() -> None:
    short, long = (len(pickle.dumps(marks(n, 50_000))) for n in (300_000, 3_000_000))

    assert long < 1.5 * short
