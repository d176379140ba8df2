"""The label join."""

from __future__ import annotations

from stream.core.pending import Pending, Remembered, Waiting
from stream.records import Label


def waiting(timestamp: float = 0.0, offset: int = 0) -> Waiting:
    return Waiting({}, 1, timestamp, offset)


def label(id_: str, timestamp: float = 0.0) -> Label:
    return Label(id_, True, timestamp, 0)


def test_a_label_finds_its_prediction_once() -> None:
    pending = Pending(ttl=10, bound=10)
    pending.add("a", waiting())

    assert pending.join("a") is not None
    assert pending.join("a") is None
    assert not pending.hold(label("a"), 0.0), "the second label of an event is a duplicate"


def test_a_label_that_comes_first_is_held_until_its_event_comes() -> None:
    pending = Pending(ttl=10, bound=10)

    assert pending.hold(label("a"), 0.0)
    assert pending.has_label_for("a")
    assert pending.take_early("a").label is True
    assert pending.held == 0


def test_a_second_early_label_is_a_duplicate() -> None:
    pending = Pending(ttl=10, bound=10)
    pending.hold(label("a"), 0.0)

    assert not pending.hold(label("a"), 0.0)
    assert pending.held == 1


def test_an_event_that_came_with_its_label_is_known_without_having_waited() -> None:
    pending = Pending(ttl=10, bound=10)

    pending.settle("a")

    assert pending.knows("a")
    assert not pending.hold(label("a"), 0.0)
    assert pending.waiting == 0


def test_predictions_and_labels_expire_after_the_ttl() -> None:
    pending = Pending(ttl=10, bound=10)
    pending.add("old", waiting(timestamp=0))
    pending.add("young", waiting(timestamp=5))
    pending.hold(label("stranger"), 0.0)

    pending.expire(10.0)
    assert pending.given_up() == (0, 0)

    pending.expire(10.1)
    assert pending.given_up() == (1, 1)
    assert pending.given_up() == (0, 0), "each is told of once"
    assert pending.waiting == 1
    assert pending.join("old") is None


def test_nothing_expires_before_the_time_it_names() -> None:
    pending = Pending(ttl=10, bound=10)
    pending.expire(0.0)
    assert pending.expires_at == 10.0, "what comes now stays until then"

    pending.add("a", waiting(timestamp=3))
    pending.hold(label("b"), 4.0)
    pending.expire(10.5)
    assert pending.expires_at == 13.0

    pending.expire(13.5)
    assert (pending.given_up(), pending.expires_at) == ((1, 0), 14.0)


def test_the_oldest_gives_way_to_the_one_beyond_the_bound() -> None:
    pending = Pending(ttl=1e9, bound=2)
    for id_ in "abc":
        pending.add(id_, waiting())
        pending.hold(label(id_.upper()), 0.0)

    assert pending.given_up() == (1, 1)
    assert pending.join("a") is None
    assert pending.join("c") is not None
    assert not pending.has_label_for("A")


def test_a_held_label_counts_from_the_time_it_was_taken_not_from_a_clock_that_jumped() -> None:
    pending = Pending(ttl=10, bound=10)
    pending.hold(label("a", timestamp=1e18), 0.0)

    pending.expire(11.0)

    assert pending.given_up() == (0, 1)


def test_remembered_ids_are_bounded_and_the_last_bound_of_them_are_known() -> None:
    remembered = Remembered(bound=100)
    for i in range(10_000):
        remembered.add(str(i))

    assert all(str(i) in remembered for i in range(9_900, 10_000))
    assert sum(str(i) in remembered for i in range(10_000)) <= 200
