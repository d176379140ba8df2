"""Reading logs outside of any group, by confluent-kafka."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client.base import Batches, Bounds, LogReader, NoTopicError, Partition, Truncated
from stream.kafka.client.confluent.intake import Intake, go_to
from stream.kafka.client.confluent.settings import RAISED, Trouble, connect, connection, failure, reason
from stream.kafka.client.limits import FETCH_BYTES

_ELECTING = frozenset({KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE})
"""What brokers say of a partition that is made, or moves from one of them to another, just then."""
_ASK_AGAIN_SECONDS = 0.1


class ConfluentReader(LogReader):
    """See `stream.kafka.client.base.LogReader`."""

    def __init__(self, config: KafkaConfig, fetch_wait_ms: int) -> None:
        self._address = config.bootstrap_servers
        self._trouble = Trouble()
        settings = connection(config, self._trouble) | {
            "group.id": "driftline-reader",  # the client wants one; it is never joined
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "allow.auto.create.topics": False,
            "isolation.level": "read_committed",
            "check.crcs": True,
            "fetch.wait.max.ms": fetch_wait_ms,
            "fetch.message.max.bytes": FETCH_BYTES,
            "fetch.queue.backoff.ms": 10,
        }
        self._consumer = connect(lambda: Consumer(settings), config, self._trouble)
        self._intake = Intake(self._consumer, self._on_error)

    def partitions(self, topic: str, timeout: float = 10.0) -> list[int]:
        try:
            found = self._consumer.list_topics(topic, timeout=timeout).topics[topic]
        except KafkaException as error:
            raise self._silent(error) from error
        if not found.partitions:
            raise NoTopicError(
                f"topic {topic!r} does not exist at {self._address}, or this user may not see it",
                cure="Correct its name, or create the topics: driftline check -c FILE --connect --create-topics",
            )
        return sorted(found.partitions)

    def bounds(self, topic: str, partition: int, timeout: float = 10.0) -> Bounds:
        deadline = time.monotonic() + timeout
        while True:
            left = max(deadline - time.monotonic(), _ASK_AGAIN_SECONDS)
            try:
                return Bounds(*self._consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=left))
            except KafkaException as error:
                if reason(error).code() not in _ELECTING or time.monotonic() >= deadline:
                    raise self._silent(error) from error
            time.sleep(_ASK_AGAIN_SECONDS)  # the library only asks who leads now: its answer wakes nobody up

    def start(self, positions: Mapping[Partition, int]) -> None:
        self._consumer.assign([TopicPartition(*tp, offset) for tp, offset in positions.items()])
        for tp, offset in positions.items():
            self._intake.starts(tp, offset)

    def move(self, topic: str, partition: int, offset: int) -> None:
        go_to(self._consumer, TopicPartition(topic, partition, offset))
        self._intake.starts((topic, partition), offset)

    def poll(self, timeout: float, most: int = 2000) -> Batches:
        try:
            return self._intake.poll(timeout, most)
        except RAISED as error:
            raise failure("reading from Kafka", reason(error), self._trouble) from error

    def has_passed(self, topic: str, partition: int, offset: int) -> bool:
        return self._intake.has_passed((topic, partition), offset)

    def close(self) -> None:
        self._consumer.close()

    def _on_error(self, message: Message, error: KafkaError) -> Exception | None:
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:  # no matter: it is not joined
            return None
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            topic, partition, wanted = message.topic() or "", message.partition() or 0, message.offset() or 0
            return Truncated(topic, partition, wanted, self.bounds(topic, partition).first)
        return failure("reading from Kafka", error, self._trouble)

    def _silent(self, error: KafkaException) -> BrokerError:
        return BrokerError(f"Kafka at {self._address} does not answer: {reason(error).str()}{self._trouble}")
