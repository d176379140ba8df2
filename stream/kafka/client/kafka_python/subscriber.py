"""A member of a group that follows one topic and commits what it has seen to, by kafka-python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from kafka import KafkaConsumer
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata, TopicPartition

from stream.config.kafka import KafkaConfig
from stream.kafka.client.base import NoTopicError
from stream.kafka.client.kafka_python.settings import connect, connection, failure
from stream.kafka.client.limits import CONNECT_SECONDS, FETCH_WAIT_MS
from stream.records import RawRecord

T = TypeVar("T")

_ANSWER_MS = int(CONNECT_SECONDS * 1000)


class KafkaPythonSubscriber:
    """See `stream.kafka.client.base.Subscriber`."""

    def __init__(self, config: KafkaConfig, topic: str, group: str, longest: float) -> None:
        self._consumer = connect(
            lambda: KafkaConsumer(
                **connection(config),
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_poll_records=1,
                max_poll_interval_ms=int((longest + 60.0) * 1000),
                session_timeout_ms=int(config.session_timeout * 1000),
                heartbeat_interval_ms=int(min(3.0, config.session_timeout / 3) * 1000),
                allow_auto_create_topics=False,
                isolation_level="read_committed",
                fetch_max_wait_ms=FETCH_WAIT_MS,
            ),
            config,
        )
        try:
            self._begin(topic)
            self._consumer.subscribe([topic])
        except BaseException:
            self.close()
            raise

    def poll(self, timeout: float) -> Sequence[RawRecord]:
        batches = self._tried("reading from Kafka", lambda: self._consumer.poll(int(timeout * 1000)))
        return [record for batch in batches.values() for record in batch]

    def commit(self, record: RawRecord) -> None:
        self._commit({TopicPartition(record.topic, record.partition): record.offset + 1})

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=1000)

    def _begin(self, topic: str) -> None:
        """Commit the ends of the partitions of which the group has not committed anything, before it joins."""
        numbers = self._tried("asking for a topic", lambda: self._consumer.partitions_for_topic(topic))
        if not numbers:
            raise NoTopicError(f"topic {topic!r} does not exist, or this user may not see it")
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        new = [tp for tp in partitions if self._committed(tp) is None]
        if new:
            ends = self._tried("asking for ends", lambda: self._consumer.end_offsets(new, timeout_ms=_ANSWER_MS))
            self._consumer.assign(new)
            self._commit(ends)
            self._consumer.unsubscribe()

    def _committed(self, tp: TopicPartition) -> int | None:
        offset: int | None = self._tried(
            "asking for a position", lambda: self._consumer.committed(tp, timeout_ms=_ANSWER_MS)
        )
        return offset

    def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        positions = {tp: OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()}
        self._tried("committing offsets", lambda: self._consumer.commit(positions, timeout_ms=_ANSWER_MS))

    def _tried(self, doing: str, something: Callable[[], T]) -> T:
        try:
            return something()
        except kafka_errors.KafkaError as error:
            raise failure(doing, error) from error
