"""Producing without transactions, by kafka-python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka import errors as kafka_errors

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client.base import Outgoing
from stream.kafka.client.kafka_python.settings import connect, connection, in_words
from stream.kafka.client.limits import (
    BATCH_BYTES,
    DELIVERY_SECONDS,
    LINGER_MS,
    REQUEST_MAX_BYTES,
    RETRY_MS,
    SEND_SECONDS,
)


class KafkaPythonProducer:
    """See `stream.kafka.client.base.Producer`."""

    def __init__(self, config: KafkaConfig) -> None:
        self._producer = make(config, retry_backoff_ms=RETRY_MS)

    def send(self, record: Outgoing, on_error: Callable[[BaseException], object]) -> None:
        def failed(error: BaseException) -> None:
            told = BrokerError(in_words(error))
            told.__cause__ = error
            on_error(told)

        try:
            future = send(self._producer, record)
        except kafka_errors.KafkaError as error:
            failed(error)
            return
        future.add_errback(failed)

    def flush(self, timeout: float) -> None:
        flush(self._producer, timeout)

    def close(self, timeout: float) -> None:
        close(self._producer, timeout)


def make(config: KafkaConfig, **more: Any) -> Any:
    """A KafkaProducer with our settings and some more. Raises BrokerError when no broker answers."""
    return connect(
        lambda: KafkaProducer(
            **connection(config),
            acks="all",
            enable_idempotence=True,
            linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES,
            max_block_ms=int(SEND_SECONDS * 1000),
            delivery_timeout_ms=int(DELIVERY_SECONDS * 1000),
            max_request_size=REQUEST_MAX_BYTES,
            allow_auto_create_topics=False,
            **more,
        ),
        config,
    )


def send(producer: Any, record: Outgoing) -> Any:
    """The future of a record that is handed over. Raises KafkaError."""
    return producer.send(
        record.topic,
        record.value,
        record.key,
        record.headers,
        partition=record.partition,
        timestamp_ms=record.at,
    )


def flush(producer: Any, timeout: float) -> None:
    """Wait until every record handed over is delivered or has failed. Raises BrokerError."""
    try:
        producer.flush(timeout)
    except kafka_errors.KafkaError as error:
        raise BrokerError(f"Kafka did not acknowledge outputs within {timeout:g} s: {in_words(error)}") from error


def close(producer: Any, timeout: float) -> None:
    """Stop within `timeout` seconds. The client itself goes on for ever when what it holds cannot be delivered."""
    try:
        producer.close(timeout=timeout)
    except kafka_errors.KafkaError:
        producer._sender.force_close()
        producer._sender.join(1.0)
        producer.close(timeout=0.0)
