"""What the worker says of the outputs it sends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from stream.kafka.publisher import QUIET, Publisher
from stream.records import Rejected
from stream.sinks.kafka import KafkaSink
from stream.telemetry import Telemetry
from stream.testing import small_config
from tests.unit.kafka.brokers import Broker, at_least_once


class Clock:
    """A timer that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def publish(clock: Clock) -> tuple[Publisher, Callable[[str, int], None]]:
    config = small_config()
    delivery = at_least_once(Broker())
    publisher = Publisher(KafkaSink(config), delivery, Telemetry("test"), config.topics.events, clock)

    def bad(reason: str, n: int) -> None:
        letters = [Rejected("events", 0, i, 0.0, reason, f"{reason} number {i}", None, b"x") for i in range(n)]
        publisher.publish(0, letters)

    return publisher, bad


def test_a_flood_of_dead_letters_is_one_log_line_a_reason_until_it_has_been_quiet(
    publish: tuple[Publisher, Callable[[str, int], None]], clock: Clock
) -> None:
    publisher, bad = publish
    with capture_logs() as lines:
        bad("wrong_type", 1000)
        bad("bad_label", 1)
        publisher.tell_the_rest()
        clock.seconds += QUIET
        bad("wrong_type", 2)
    assert [(line["event"], line["reason"], line["message"], line.get("more")) for line in lines] == [
        ("dead_letter", "wrong_type", "wrong_type number 0", None),
        ("dead_letter", "bad_label", "bad_label number 0", None),
        ("dead_letter", "wrong_type", "wrong_type number 0", 999),
    ]


def test_dead_letters_no_line_was_about_are_told_in_number_when_no_more_come(
    publish: tuple[Publisher, Callable[[str, int], None]], clock: Clock
) -> None:
    publisher, bad = publish
    bad("wrong_type", 1000)
    clock.seconds += QUIET
    with capture_logs() as lines:
        publisher.tell_the_rest()
        publisher.tell_the_rest()
    assert lines == [{"event": "dead_letters", "log_level": "warning", "reason": "wrong_type", "more": 999}]
