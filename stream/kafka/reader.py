"""Reading whole topics as an outside subscriber does: every partition, no consumer group, nothing committed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from stream.config.model import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client import connection

Start: TypeAlias = Literal["beginning", "end"] | int
"""Where reading begins; a number is that many offsets before the end of each partition."""

_ANSWER_SECONDS = 10.0


class NoTopicError(BrokerError):
    """A topic that was to be read is not there. Waiting will not help."""


class Reader:
    """Reads committed records of some topics, from `start` on.

    Raises BrokerError when no broker answers, NoTopicError when a topic is not there.
    """

    def __init__(self, config: KafkaConfig, topics: Sequence[str], start: Start = "beginning") -> None:
        self._address = config.bootstrap_servers
        try:
            self._consumer = KafkaConsumer(
                **connection(config),
                group_id=None,
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                isolation_level="read_committed",
                fetch_max_wait_ms=100,
                fetch_min_bytes=32 * 1024,
                max_poll_records=2000,
                max_partition_fetch_bytes=4 * 1024 * 1024,
            )
        except KafkaError as error:
            raise BrokerError(
                f"no Kafka broker answered at {self._address}: {error}",
                cure="Check the address, and that the broker runs and can be reached from here.",
            ) from error
        try:
            self._partitions = [partition for topic in topics for partition in self._partitions_of(topic)]
            self._consumer.assign(self._partitions)
            self._seek(start)
        except KafkaError as error:
            self.close()
            raise self._silent(error) from error
        except BaseException:
            self.close()
            raise

    def poll(self, timeout: float) -> list[Any]:
        """Records that have come, those of one partition in their order, waiting at most `timeout` seconds for the
        first. None come while the broker is away. Raises BrokerError.
        """
        try:
            batches = self._consumer.poll(int(timeout * 1000))
        except KafkaError as error:
            raise BrokerError(f"reading from Kafka failed: {error}") from error
        return [record for batch in batches.values() for record in batch]

    def size(self, topic: str, timeout: float = _ANSWER_SECONDS) -> int:
        """Records that a topic holds now, by its offsets; it need not be one of those that are read.

        Raises NoTopicError, and BrokerError when there is no answer in time.
        """
        return sum(end - begin for begin, end in self._bounds(self._partitions_of(topic), timeout).values())

    def ends(self, timeout: float = _ANSWER_SECONDS) -> dict[tuple[str, int], int]:
        """The offset after the last record of each (topic, partition). Raises BrokerError as `size` does."""
        return {(tp.topic, tp.partition): end for tp, (_, end) in self._bounds(self._partitions, timeout).items()}

    def has_reached(self, ends: dict[tuple[str, int], int]) -> bool:
        """Whether everything before these offsets has been read."""
        return all((self._consumer.position(TopicPartition(*tp)) or 0) >= end for tp, end in ends.items())

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close(autocommit=False, timeout_ms=1000)

    def _partitions_of(self, topic: str) -> list[TopicPartition]:
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers:
            raise NoTopicError(
                f"topic {topic!r} does not exist at {self._address}, or this user may not see it",
                cure="Correct its name, or create the topics: driftline check -c FILE --connect --create-topics",
            )
        return [TopicPartition(topic, number) for number in sorted(numbers)]

    def _seek(self, start: Start) -> None:
        for partition, (begin, end) in self._bounds(self._partitions, _ANSWER_SECONDS).items():
            at = begin if start == "beginning" else end if start == "end" else max(begin, end - start)
            self._consumer.seek(partition, at)

    def _bounds(self, partitions: list[TopicPartition], timeout: float) -> dict[TopicPartition, tuple[int, int]]:
        milliseconds = int(timeout * 1000)
        try:
            begins = self._consumer.beginning_offsets(partitions, milliseconds)
            ends = self._consumer.end_offsets(partitions, milliseconds)
        except KafkaError as error:
            raise self._silent(error) from error
        return {partition: (begins[partition], ends[partition]) for partition in partitions}

    def _silent(self, error: KafkaError) -> BrokerError:
        return BrokerError(f"Kafka at {self._address} does not answer: {type(error).__name__}")
