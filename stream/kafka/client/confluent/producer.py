"""Producing without transactions, by confluent-kafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from confluent_kafka import KafkaError, Message, Producer

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client.base import Outgoing
from stream.kafka.client.confluent.settings import RAISED, Trouble, connect, connection, failure, reason
from stream.kafka.client.limits import (
    BATCH_BYTES,
    DELIVERY_SECONDS,
    LINGER_MS,
    REQUEST_MAX_BYTES,
    RETRY_MS,
    SEND_SECONDS,
)

_ROOM_SECONDS = 0.05

Delivered: TypeAlias = Callable[[KafkaError | None, Message], None]
"""Called when a record has failed, perhaps from another thread."""


class ConfluentProducer:
    """See `stream.kafka.client.base.Producer`."""

    def __init__(self, config: KafkaConfig) -> None:
        self._trouble = Trouble()
        more = {"retry.backoff.ms": RETRY_MS, "delivery.timeout.ms": int(DELIVERY_SECONDS * 1000)}
        self._producer = make(config, self._trouble, more)

    def send(self, record: Outgoing, on_error: Callable[[BaseException], object]) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                on_error(BrokerError(error.str()))

        try:
            send(self._producer, record, delivered)
        except (*RAISED, BufferError) as error:
            told = BrokerError(reason(error).str())
            told.__cause__ = error
            on_error(told)

    def flush(self, timeout: float) -> None:
        flush(self._producer, timeout, self._trouble)

    def close(self, timeout: float) -> None:
        close(self._producer, timeout)


def make(config: KafkaConfig, trouble: Trouble, more: dict[str, Any]) -> Producer:
    """A client's producer with our settings and some more. Raises BrokerError when no broker answers."""
    settings = connection(config, trouble) | {
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": LINGER_MS,
        "batch.size": BATCH_BYTES,
        "message.max.bytes": REQUEST_MAX_BYTES,
        "topic.metadata.propagation.max.ms": int(SEND_SECONDS * 1000),
        "partitioner": "murmur2_random",  # that of every other client; its own would part keys from their history
        "delivery.report.only.error": True,
        **more,
    }
    return connect(lambda: Producer(settings), config, trouble)


def send(producer: Producer, record: Outgoing, on_delivery: Delivered) -> None:
    """Hand over a record, waiting for room in the buffer. Raises KafkaException; BufferError when there comes none."""
    partition, deadline = record.partition, 0.0
    while True:
        try:
            producer.produce(
                record.topic,
                record.value,
                record.key,
                -1 if partition is None else partition,
                on_delivery=on_delivery,
                timestamp=record.at or 0,  # which is now
                headers=record.headers,  # type: ignore[arg-type]  # a list is not covariant
            )
        except BufferError:
            deadline = deadline or time.monotonic() + SEND_SECONDS
            if time.monotonic() > deadline:
                raise
            producer.poll(_ROOM_SECONDS)
        else:
            return


def flush(producer: Producer, timeout: float, trouble: Trouble) -> None:
    """Wait until every record handed over is delivered or has failed. Raises BrokerError."""
    try:
        try:
            left = producer.flush(timeout)
        except SystemError:  # it has told of a fatal error and says nothing now; the records do when asked again
            left = producer.flush(timeout)
    except RAISED as error:
        raise failure("producing", reason(error), trouble) from error
    if left:
        raise BrokerError(f"Kafka did not acknowledge outputs within {timeout:g} s: {left} are on their way{trouble}")


def close(producer: Producer, timeout: float) -> None:
    """Stop within `timeout` seconds. Records that are not delivered by then fail."""
    with suppress(*RAISED):
        if producer.flush(timeout):
            producer.purge()
            producer.flush(1.0)
