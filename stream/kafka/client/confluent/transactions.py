"""Producing in transactions, by confluent-kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, Message, TopicPartition

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.faultpoints import passing
from stream.kafka.client.base import Fenced, Group, Outgoing, Partition, Position
from stream.kafka.client.confluent.producer import close, flush, make, send
from stream.kafka.client.confluent.settings import RAISED, Trouble, failure, reason
from stream.kafka.client.flight import Flight
from stream.kafka.client.limits import SEND_SECONDS, TRANSACTION_RETRY_MS

_GRACE = 0.1
"""Seconds by which the client may overstay, with a better answer than that time is up."""

_REPORTS = 0.5
"""Seconds to wait, after a transaction has failed, for what became of its records."""


class ConfluentTransactions:
    """See `stream.kafka.client.base.TransactionalProducer`."""

    def __init__(self, config: KafkaConfig, transactional_id: str, timeout: float) -> None:
        self._trouble = Trouble()
        self._failed: list[tuple[str, KafkaError]] = []  # topics of records that were not taken, and why
        more = {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(config.transaction_timeout * 1000),
            "retry.backoff.ms": TRANSACTION_RETRY_MS,
        }
        self._producer = make(config, self._trouble, more)
        self._run(lambda: self._producer.init_transactions(timeout), timeout, "taking over from earlier producers")

    def begin(self) -> None:
        self._failed.clear()
        self._run(self._producer.begin_transaction, SEND_SECONDS, "beginning a transaction")

    def send(self, record: Outgoing) -> None:
        try:
            send(self._producer, record, self._delivered)
        except BufferError as error:
            raise BrokerError(f"producing to {record.topic} failed: {error}{self._trouble}") from error
        except RAISED as error:
            raise failure(f"producing to {record.topic}", reason(error), self._trouble) from error

    def commit(self, positions: Mapping[Partition, Position], group: Group, timeout: float) -> None:
        """The offsets go while the records are on their way: that saves the time of an answer."""
        deadline = time.monotonic() + timeout
        moved = [TopicPartition(*tp, at.offset, at.metadata) for tp, at in positions.items()]

        def finish() -> None:
            if moved:
                self._producer.send_offsets_to_transaction(moved, group, _left(deadline))
            passing("offsets_sent")
            flush(self._producer, _left(deadline), self._trouble)
            if not self._failed:
                passing("outputs_acknowledged")
                self._producer.commit_transaction(_left(deadline))

        try:
            self._run(finish, timeout, "committing a transaction")
        except Fenced:
            raise
        except BrokerError:
            # Sending offsets fails on records that were not taken, of which the reports may not have been served yet.
            self._producer.flush(min(_REPORTS, _left(deadline)))
            if not self._failed:
                raise
        if self._failed:
            topic, error = first = min(self._failed, key=_is_aftermath)
            if _is_aftermath(first):
                self.abort(_left(deadline))  # says so when we were fenced, which the records do not
            raise failure(f"producing to {topic}", error, self._trouble)

    def abort(self, timeout: float) -> None:
        self._run(lambda: self._producer.abort_transaction(timeout), timeout, "aborting a transaction")

    def close(self, timeout: float) -> None:
        close(self._producer, timeout)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append((message.topic() or "", error))

    def _run(self, action: Callable[[], object], timeout: float, doing: str) -> None:
        """Do something with an end to the waiting, which the client has not at all places. Raises BrokerError."""
        try:
            Flight(action, "kafka-transaction").wait(timeout + _GRACE)
        except TimeoutError:
            raise BrokerError(f"{doing} failed: no answer from Kafka in {timeout:g} s{self._trouble}") from None
        except RAISED as error:
            raise failure(doing, reason(error), self._trouble) from error


def _is_aftermath(failed: tuple[str, KafkaError]) -> bool:
    """Whether a record was given up because another one was refused."""
    return failed[1].code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)


def _left(deadline: float) -> float:
    """Seconds until then; never none, which would mean for ever."""
    return max(0.001, deadline - time.monotonic())
