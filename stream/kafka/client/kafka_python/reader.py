"""Reading logs outside of any group, by kafka-python."""

from __future__ import annotations

from collections.abc import Mapping

from kafka import KafkaConsumer
from kafka import errors as kafka_errors
from kafka.structs import TopicPartition

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client.base import Batches, Bounds, LogReader, NoTopicError, Partition, Truncated
from stream.kafka.client.kafka_python.settings import connect, connection, in_words
from stream.kafka.client.limits import FETCH_BYTES


class KafkaPythonReader(LogReader):
    """See `stream.kafka.client.base.LogReader`."""

    def __init__(self, config: KafkaConfig, fetch_wait_ms: int) -> None:
        self._address = config.bootstrap_servers
        self._consumer = connect(
            lambda: KafkaConsumer(
                **connection(config),
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="none",
                allow_auto_create_topics=False,
                isolation_level="read_committed",
                fetch_max_wait_ms=fetch_wait_ms,
                max_partition_fetch_bytes=FETCH_BYTES,
            ),
            config,
        )

    def partitions(self, topic: str, timeout: float = 10.0) -> list[int]:
        cluster = self._consumer._cluster
        numbers = cluster.partitions_for_topic(topic)
        if numbers is None:
            numbers = self._ask_for(topic, timeout)
        if not numbers:
            raise NoTopicError(
                f"topic {topic!r} does not exist at {self._address}, or this user may not see it",
                cure="Correct its name, or create the topics: driftline check -c FILE --connect --create-topics",
            )
        return sorted(numbers)

    def bounds(self, topic: str, partition: int, timeout: float = 10.0) -> Bounds:
        tp, milliseconds = TopicPartition(topic, partition), int(timeout * 1000)
        try:
            first = self._consumer.beginning_offsets([tp], milliseconds)[tp]
            return Bounds(first, self._consumer.end_offsets([tp], milliseconds)[tp])
        except kafka_errors.KafkaError as error:
            raise self._silent(error) from error

    def start(self, positions: Mapping[Partition, int]) -> None:
        self._consumer.assign([TopicPartition(*tp) for tp in positions])
        for tp, offset in positions.items():
            self._consumer.seek(TopicPartition(*tp), offset)

    def move(self, topic: str, partition: int, offset: int) -> None:
        self._consumer.seek(TopicPartition(topic, partition), offset)

    def poll(self, timeout: float, most: int = 2000) -> Batches:
        try:
            batches = self._consumer.poll(int(timeout * 1000), max_records=most)
        except kafka_errors.OffsetOutOfRangeError as error:
            (tp, wanted), *_ = error.args[0].items()
            raise Truncated(tp.topic, tp.partition, wanted, self.bounds(tp.topic, tp.partition).first) from error
        except kafka_errors.KafkaError as error:
            raise BrokerError(f"reading from Kafka failed: {in_words(error)}") from error
        return {(tp.topic, tp.partition): records for tp, records in batches.items()}

    def has_passed(self, topic: str, partition: int, offset: int) -> bool:
        position = self._consumer.position(TopicPartition(topic, partition), timeout_ms=0)
        return position is not None and position >= offset

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=1000)

    def _ask_for(self, topic: str, timeout: float) -> set[int] | None:
        """The partitions of a topic that the client has not heard of; its own call for this waits without end."""
        consumer, cluster = self._consumer, self._consumer._cluster
        cluster.need_all_topic_metadata = True
        try:
            consumer._net.run(consumer._manager.wait_for, cluster.request_update(), int(timeout * 1000))
        except kafka_errors.KafkaError as error:
            raise self._silent(error) from error
        finally:
            cluster.need_all_topic_metadata = False
        numbers: set[int] | None = cluster.partitions_for_topic(topic)
        return numbers

    def _silent(self, error: Exception) -> BrokerError:
        return BrokerError(f"Kafka at {self._address} does not answer: {in_words(error)}")
