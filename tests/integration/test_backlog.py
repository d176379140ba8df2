"""A simulated stream that waits for the service behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, NoError
from kafka.structs import OffsetAndMetadata, TopicPartition

from stream.embedded import EmbeddedKafka
from stream.kafka.client import admin
from stream.simulate.backlog import held_back
from stream.simulate.wire import Message
from tests.integration.support.outside import Outside, opened
from tests.integration.support.stage import Stage, event
from tests.integration.support.waiting import until

MESSAGES = [Message("events", float(n), b"k", b"{}") for n in range(3)]


@pytest.fixture(scope="module")
def outside(broker: EmbeddedKafka) -> Iterator[Outside]:
    with opened(broker.bootstrap_servers) as outside:
        yield outside


@pytest.fixture
def stage(outside: Outside, tmp_path: Path) -> Stage:
    """A service that is not running, with 300 events before it."""
    stage = Stage(outside, "redis://unused", tmp_path)
    stage.produce("events", [event(n) for n in range(300)])
    return stage


class Playing:
    """Takes messages in a thread, as the player does."""

    def __init__(self, stage: Stage, most: int) -> None:
        self.stop = threading.Event()
        self.taken: list[Message] = []
        self._messages = held_back(MESSAGES, stage.config, most, self.stop)
        self._thread = threading.Thread(target=lambda: self.taken.extend(self._messages), daemon=True)
        self._thread.start()

    def ends(self, seconds: float) -> bool:
        """Whether it has played all within so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()


def commit(stage: Stage, offset: int) -> None:
    """The service has come so far."""
    offsets = {TopicPartition(stage.topic("events"), 0): OffsetAndMetadata(offset, "", -1)}

    def committed(client: KafkaAdminClient) -> bool:
        try:
            answers = client.alter_group_offsets(stage.group, offsets)
        except CoordinatorNotAvailableError:  # the broker's first group makes it wait
            return False
        return set(answers.values()) == {NoError}

    with closing(admin(stage.config.kafka)) as client:
        until(lambda: committed(client))


def test_a_service_that_keeps_up_is_never_waited_for(stage: Stage) -> None:
    commit(stage, 250)

    playing = Playing(stage, most=100)

    assert playing.ends(20.0)
    assert playing.taken == MESSAGES


def test_a_service_that_has_not_come_so_far_is_waited_for(stage: Stage) -> None:
    playing = Playing(stage, most=100)
    waited = not playing.ends(1.0) and not playing.taken
    commit(stage, 150)
    still_waited = not playing.ends(1.0) and not playing.taken
    commit(stage, 200)

    until(lambda: playing.taken == MESSAGES, 20.0, lambda: f"taken: {playing.taken}")
    assert (waited, still_waited) == (True, True)


def test_a_stop_ends_the_waiting(stage: Stage) -> None:
    playing = Playing(stage, most=100)
    waited = not playing.ends(0.5)
    playing.stop.set()

    assert waited
    assert playing.ends(20.0)
