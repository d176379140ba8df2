"""What tasks have done becomes what counts, one commit after the other, whatever happens to one of them."""

from __future__ import annotations

from typing import cast

import pytest

from stream.core import journal
from stream.errors import BrokerError
from stream.kafka.client import Consumer, Position
from stream.kafka.commits import REGROUP_INTERVAL, RETRY_INTERVAL, Commits
from stream.kafka.standing import Standing
from stream.telemetry import Telemetry
from tests.unit.kafka.brokers import Broker, Member, at_least_once, exactly_once
from tests.unit.kafka.test_task import a_task, give

INTERVAL = 0.1


class Work:
    """A task whose steps are committed to a broker."""

    def __init__(self, broker: Broker, *, once: bool = True) -> None:
        self.task = a_task()
        telemetry = Telemetry("small")
        delivery = exactly_once(broker) if once else at_least_once(broker)
        consumer = cast(Consumer, Member(broker))
        self.standing = Standing(telemetry)
        self.commits = Commits(delivery, consumer, self.standing, {0: self.task}, telemetry, INTERVAL)
        self._offset = 0

    def step(self) -> None:
        """Take one more event."""
        give(self.task, 1, self._offset)
        self.task.step()
        self._offset += 1


def entries(broker: Broker) -> list[list[int]]:
    """The numbers of the journal entries in each transaction."""
    return [[journal.decode(record.encode()).sequence for record in records] for records in broker.committed]


def positions(broker: Broker) -> list[Position]:
    """What was committed for the events, one after the other."""
    return [position for moved in broker.positions for position in moved.values()]


def test_what_is_done_beside_a_commit_is_committed_by_the_next() -> None:
    broker = Broker()
    work = Work(broker)
    work.step()
    work.commits.begin(10.0)
    work.step()
    changed = work.task.changed
    work.commits.finish(10.0)
    work.commits.make(10.0)

    assert changed
    assert entries(broker) == [[1], [2]]
    assert positions(broker) == [Position(1, "1"), Position(2, "2")]
    assert (work.task.changed, work.task.sequence, work.commits.idle) == (False, 2, True)


def test_a_commit_that_failed_is_made_again_as_it_was_before_what_was_done_meanwhile() -> None:
    broker = Broker()
    work = Work(broker)
    work.step()
    broker.refuses = True
    work.commits.begin(10.0)
    work.step()
    with pytest.raises(BrokerError):
        work.commits.finish(10.0)
    failed = work.commits.failed
    work.commits.make(10.0)

    assert failed
    assert entries(broker) == [[1], [2]]
    assert positions(broker) == [Position(1, "1"), Position(2, "2")]


def test_partitions_that_go_take_with_them_what_was_begun_and_what_came_after() -> None:
    broker = Broker()
    work = Work(broker)
    work.step()
    work.commits.begin(10.0)
    work.step()
    left = work.commits.settle(10.0)

    assert left == {}
    assert positions(broker) == [Position(1, "1"), Position(2, "2")]
    assert not work.task.changed


def test_a_commit_under_way_when_partitions_are_lost_is_waited_for_and_nothing_is_begun() -> None:
    broker = Broker()
    work = Work(broker)
    work.step()
    work.commits.begin(10.0)
    work.step()
    work.commits.land(10.0)

    assert positions(broker) == [Position(1, "1")]
    assert (work.commits.under_way, work.commits.failed, work.task.uncommitted) == (False, False, True)


def test_at_least_once_positions_follow_their_outputs() -> None:
    broker = Broker()
    work = Work(broker, once=False)
    work.step()
    work.commits.begin(10.0)
    work.commits.finish(10.0)

    assert len(broker.sent) == 1  # the entry
    assert positions(broker) == [Position(1, "1")]


def test_a_commit_that_failed_is_due_again_later_than_one_that_did_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.kafka.commits.time.monotonic", lambda: 100.0)
    broker = Broker()
    work = Work(broker)
    usual = work.commits.due_in
    work.step()
    broker.refuses = True
    with pytest.raises(BrokerError):
        work.commits.make(10.0)
    regrouped = work.commits.due_in
    work.standing.lost(BrokerError("away"))

    assert usual == pytest.approx(INTERVAL)
    assert regrouped == pytest.approx(REGROUP_INTERVAL)
    assert work.commits.due_in == pytest.approx(RETRY_INTERVAL)
