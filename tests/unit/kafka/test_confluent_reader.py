"""What the reader by confluent-kafka makes of what the library says."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client.base import Bounds
from stream.kafka.client.confluent import reader
from stream.kafka.client.confluent.reader import ConfluentReader


class Library:
    """A consumer that gives these answers when it is asked for the bounds of a partition."""

    def __init__(self, *answers: tuple[int, int] | int) -> None:
        self._answers = list(answers)

    def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
        answer = self._answers.pop(0)
        if isinstance(answer, int):
            raise KafkaException(KafkaError(answer))
        return answer


def reading(library: Library, monkeypatch: pytest.MonkeyPatch) -> ConfluentReader:
    monkeypatch.setattr(reader, "connect", lambda *_: library)
    monkeypatch.setattr(reader, "_ASK_AGAIN_SECONDS", 0.0)
    return ConfluentReader(KafkaConfig(bootstrap_servers="localhost:9092"), 10)


def test_a_partition_that_has_no_leader_yet_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, (3, 7))

    assert reading(library, monkeypatch).bounds("events", 0) == Bounds(3, 7)


def test_a_partition_that_gets_no_leader_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(KafkaError.NOT_LEADER_FOR_PARTITION)

    with pytest.raises(BrokerError, match=r"localhost:9092 does not answer: .*[Nn]ot leader"):
        reading(library, monkeypatch).bounds("events", 0, timeout=0.0)


def test_what_asking_again_does_not_mend_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(KafkaError.TOPIC_AUTHORIZATION_FAILED, (3, 7))

    with pytest.raises(BrokerError, match=r"[Aa]uthorization"):
        reading(library, monkeypatch).bounds("events", 0)
