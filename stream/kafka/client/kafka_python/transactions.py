"""Producing in transactions, by kafka-python.

Its own calls wait for the broker without end; so they are made here as it makes them, with an end to the waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from kafka import errors as kafka_errors

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.faultpoints import passing
from stream.kafka.client.base import Group, Outgoing, Partition, Position
from stream.kafka.client.kafka_python.consumer import offsets
from stream.kafka.client.kafka_python.producer import close, flush, make, send
from stream.kafka.client.kafka_python.settings import failure
from stream.kafka.client.limits import TRANSACTION_RETRY_MS


class KafkaPythonTransactions:
    """See `stream.kafka.client.base.TransactionalProducer`."""

    def __init__(self, config: KafkaConfig, transactional_id: str, timeout: float) -> None:
        self._failed: list[BaseException] = []  # filled from the producer's thread
        self._producer = make(
            config,
            transactional_id=transactional_id,
            transaction_timeout_ms=int(config.transaction_timeout * 1000),
            retry_backoff_ms=TRANSACTION_RETRY_MS,
        )
        self._manager = self._producer._transaction_manager
        try:
            self._finish(self._manager.initialize_transactions, timeout, "taking over from earlier producers")
        except BaseException:
            self.close(0.0)
            raise

    def begin(self) -> None:
        self._failed.clear()
        try:
            self._producer.begin_transaction()
        except kafka_errors.KafkaError as error:
            raise self._failure("beginning a transaction", error) from error

    def send(self, record: Outgoing) -> None:
        try:
            future = send(self._producer, record)
        except kafka_errors.KafkaError as error:
            raise self._failure(f"producing to {record.topic}", error) from error
        future.add_errback(self._failed.append)

    def commit(self, positions: Mapping[Partition, Position], group: Group, timeout: float) -> None:
        """The offsets go while the records are on their way: that saves the time of an answer."""
        deadline = time.monotonic() + timeout
        if positions:
            moved = offsets(positions)
            self._finish(
                lambda: self._manager.send_offsets_to_transaction(moved, group),
                deadline - time.monotonic(),
                "committing offsets in a transaction",
            )
        passing("offsets_sent")
        flush(self._producer, max(0.1, deadline - time.monotonic()))
        if self._failed:  # the client would commit what is left of the transaction when a record only came too late
            raise self._failure("producing in a transaction", self._failed[0]) from self._failed[0]
        passing("outputs_acknowledged")
        self._finish(self._manager.begin_commit, deadline - time.monotonic(), "committing a transaction")

    def abort(self, timeout: float) -> None:
        self._finish(self._manager.begin_abort, timeout, "aborting a transaction")

    def close(self, timeout: float) -> None:
        close(self._producer, timeout)

    def _finish(self, begin: Callable[[], Any], timeout: float, doing: str) -> None:
        """Begin something and wait for its end, at most `timeout` seconds. Raises BrokerError."""
        try:
            result = begin()
            self._producer._sender.wakeup()
            done = result.wait(max(0.0, timeout) * 1000)
        except kafka_errors.KafkaError as error:
            raise self._failure(doing, error) from error
        if not done:
            raise BrokerError(f"{doing} failed: no answer from Kafka in time")

    def _failure(self, doing: str, error: BaseException) -> BrokerError:
        """`error`, or what it was brought about by: once failed, the client says of all that follows only that."""
        return failure(doing, self._manager.last_error or error)
