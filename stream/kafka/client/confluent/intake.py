"""From librdkafka's messages to batches of records, and how far they have come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream.kafka.client.base import Batches, Partition


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as `stream.decode` takes it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Intake:
    """Polls a consumer that tells of partition ends (`enable.partition.eof`).

    That it does whenever it has read up to the last stable offset, the markers of transactions included, and in line
    with the records: so an end is one until the next record comes.
    """

    def __init__(self, consumer: Consumer, on_error: Callable[[Message, KafkaError], Exception | None]) -> None:
        self._consumer = consumer
        self._on_error = on_error
        self._next: dict[Partition, int] = {}
        self._ends: dict[Partition, int] = {}
        self._error: Exception | None = None

    def poll(self, timeout: float, most: int) -> Batches:
        """At most `most` records, waiting at most `timeout` seconds for the first. Raises what `on_error` makes of an
        error, after the records that came with it.
        """
        self._raise()
        # Asked for many, the client would wait for so many.
        first = self._consumer.poll(timeout)
        if first is None:
            return {}
        messages = [first]
        if most > 1:
            messages += self._consumer.consume(most - 1, 0.0)
        batches = self._sort(messages)
        if not batches:
            self._raise()
        return batches

    def at_end(self, tp: Partition) -> bool:
        """Whether the end of a partition has been reached, and no record has come since."""
        end = self._ends.get(tp)
        return end is not None and end >= self._next.get(tp, 0)

    def has_passed(self, tp: Partition, offset: int) -> bool:
        """Whether every record before an offset has been polled."""
        return max(self._ends.get(tp, -1), self._next.get(tp, -1)) >= offset

    def starts(self, tp: Partition, offset: int) -> None:
        """A partition is read from another offset now; -1 for one not known."""
        self._ends.pop(tp, None)
        self._next[tp] = offset

    def _sort(self, messages: list[Message]) -> dict[Partition, list[Record]]:
        batches: dict[Partition, list[Record]] = {}
        for message in messages:
            topic, partition, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    self._ends[topic, partition] = offset
                else:
                    self._error = self._on_error(message, error) or self._error
                continue
            _, timestamp = message.timestamp()
            headers: Any = message.headers()  # as produced: a list of pairs
            record = Record(topic, partition, offset, timestamp, message.key(), message.value(), headers or [])
            batch = batches.get((topic, partition))
            if batch is None:
                batches[topic, partition] = [record]
            else:
                batch.append(record)
        for tp, batch in batches.items():
            self._next[tp] = batch[-1].offset + 1
        return batches

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


def go_to(consumer: Consumer, place: TopicPartition) -> bool:
    """Read an assigned partition on from an offset. Returns whether it is paused no longer, if it was."""
    try:
        consumer.seek(place)
    except KafkaException:  # it is still asking where the group has left off, or has stopped at an error
        consumer.incremental_unassign([place])
        consumer.incremental_assign([place])
        return True
    return False
