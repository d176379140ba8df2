"""Outputs on their way to the broker while a commit is under way, fails, or is made again."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from stream.errors import BrokerError
from stream.kafka.client import Partition, Position
from tests.unit.kafka.brokers import Broker, at_least_once, exactly_once, out

AT: Mapping[Partition, Position] = {("events", 0): Position(1, "1")}


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_what_is_sent_while_a_commit_is_under_way_is_in_the_next_transaction(broker: Broker) -> None:
    delivery = exactly_once(broker)
    delivery.send(0, out("a"))
    broker.answers.clear()
    delivery.begin(AT, 10.0)
    delivery.send(0, out("b"))
    delivery.send(0, out("c"))
    under_way = delivery.under_way, delivery.landed
    broker.answers.set()
    delivery.finish(10.0)
    delivery.committed()
    delivery.settle({("events", 0): Position(3, "2")}, 10.0)

    assert under_way == (True, False)
    assert broker.committed == [["a"], ["b", "c"]]


def test_a_commit_that_failed_beside_the_work_is_made_again_as_it_was_and_what_came_after_follows(
    broker: Broker,
) -> None:
    delivery = exactly_once(broker)
    delivery.send(0, out("a"))
    broker.refuses = True
    delivery.begin(AT, 10.0)
    delivery.send(0, out("b"))
    with pytest.raises(BrokerError):
        delivery.finish(10.0)
    delivery.settle(AT, 10.0)
    delivery.committed()
    delivery.settle({("events", 0): Position(2, "2")}, 10.0)

    assert broker.committed == [["a"], ["b"]]
    assert broker.positions == [AT, {("events", 0): Position(2, "2")}]


def test_a_commit_that_was_made_although_it_seemed_to_fail_is_not_made_twice(broker: Broker) -> None:
    delivery = exactly_once(broker)
    delivery.send(0, out("a"))
    broker.answers.clear()
    delivery.begin(AT, 10.0)
    with pytest.raises(BrokerError, match="not done within"):
        delivery.finish(0.01)
    broker.answers.set()
    while not broker.committed:  # the thread that had no answer in time goes on
        threading.Event().wait(0.001)
    in_doubt = delivery.in_doubt
    delivery.settle(AT, 10.0)
    delivery.committed()

    assert in_doubt
    assert broker.committed == [["a"]]
    assert not delivery.unsettled


def test_outputs_of_a_partition_that_went_are_in_no_later_transaction(broker: Broker) -> None:
    delivery = exactly_once(broker)
    delivery.send(0, out("mine"))
    delivery.begin(AT, 10.0)
    delivery.send(0, out("mine too"))
    delivery.send(1, out("theirs"))
    delivery.finish(10.0)
    delivery.abandon({1})
    delivery.committed()
    delivery.settle({("events", 0): Position(2, "2")}, 10.0)

    assert [record for records in broker.committed for record in records] == ["mine", "mine too"]


def sent_beside_a_commit(broker: Broker) -> list[str]:
    """What the broker has of `a`, which is being committed, and of `b`, which was sent after that was begun; then the
    commit comes to its end.
    """
    delivery = at_least_once(broker)
    delivery.send(0, out("a"))
    broker.answers.clear()
    delivery.begin(AT, 10.0)
    delivery.send(0, out("b"))
    seen = list(broker.sent)
    broker.answers.set()
    delivery.finish(10.0)
    delivery.committed()
    assert delivery.unsettled  # until positions after "b" are committed
    return seen


def test_at_least_once_outputs_do_not_wait_for_a_commit_that_is_under_way(broker: Broker) -> None:
    assert sent_beside_a_commit(broker) == ["a", "b"]
    assert broker.sent == ["a", "b"]
    assert broker.positions == [AT]


def test_at_least_once_outputs_wait_when_a_commit_takes_long_so_that_it_comes_to_an_end(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.kafka.delivery.at_least_once.HOLD_AFTER", 0.0)

    assert sent_beside_a_commit(broker) == ["a"]
    assert broker.sent == ["a", "b"]
