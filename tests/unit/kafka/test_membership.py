"""What a worker says that has no partition."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from stream.config.kafka import KafkaConfig
from stream.kafka.membership import SOON, Membership


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_group_that_is_shared_out_soon_is_no_news(clock: Clock) -> None:
    membership = Membership(KafkaConfig(), clock)
    membership.look(member=False, assigned=False)
    clock.now += SOON - 1
    membership.look(member=False, assigned=False)
    assert membership.reason == ""


def test_a_group_that_does_not_answer_waits_for_somebody_gone_and_the_log_says_so_once(clock: Clock) -> None:
    membership = Membership(KafkaConfig(session_timeout=30.0), clock)
    with capture_logs() as logs:
        for _ in range(4):
            membership.look(member=False, assigned=False)
            clock.now += SOON
    assert "kafka.session_timeout (30 s)" in membership.reason
    assert "With kafka.instance" in membership.reason
    assert [line["event"] for line in logs] == ["group_waits"]


def test_who_has_a_name_is_not_told_to_take_one(clock: Clock) -> None:
    membership = Membership(KafkaConfig(instance="w1"), clock)
    membership.look(member=False, assigned=False)
    clock.now += SOON
    membership.look(member=False, assigned=False)
    assert "kafka.instance" not in membership.reason


def test_a_member_that_was_given_nothing_is_spare_and_no_warning(clock: Clock) -> None:
    membership = Membership(KafkaConfig(), clock)
    with capture_logs() as logs:
        membership.look(member=True, assigned=False)
        clock.now += SOON
        membership.look(member=True, assigned=False)
    assert "takes over" in membership.reason
    assert logs == []


def test_nothing_is_said_any_more_once_there_are_partitions(clock: Clock) -> None:
    membership = Membership(KafkaConfig(), clock)
    membership.look(member=False, assigned=False)
    clock.now += SOON
    membership.look(member=False, assigned=False)
    membership.look(member=True, assigned=True)
    assert membership.reason == ""
