"""The seam to the Kafka client. Nothing outside this file knows that it is kafka-python."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import structlog
from kafka import AsyncConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka import errors as kafka_errors
from kafka.structs import OffsetAndMetadata, TopicPartition

from stream.config.model import Config, KafkaConfig
from stream.config.secrets import secret
from stream.errors import BrokerError
from stream.kafka.reach import require_listener

log = structlog.get_logger()

BOOTSTRAP_TIMEOUT_MS = 5000
PRODUCER_MAX_BYTES = 1_000_000
"""Largest record produced; the default limit of a Kafka topic is 1,048,588 bytes with its overhead."""


class Outgoing(NamedTuple):
    """A record to produce."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Owner(Protocol):
    """Who owns the partitions that a consumer is given."""

    def assigned(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Partitions are ours from now on. Must return at once."""

    def revoking(self, partitions: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """Partitions are about to go: finish their outputs and say which offsets to commit. Raises BrokerError."""

    def revoked(self, partitions: Iterable[tuple[str, int]], *, committed: bool) -> None:
        """Partitions are gone; `committed` tells whether all that was done on them is."""


def connection(config: KafkaConfig) -> dict[str, Any]:
    """Settings common to every client: addresses, TLS and log-in."""
    settings: dict[str, Any] = {
        "bootstrap_servers": config.bootstrap_servers.split(","),
        "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
        "reconnect_backoff_max_ms": 2000,
        "metrics_enabled": False,
    }
    if config.tls:
        context = ssl.create_default_context(cafile=config.tls.ca_file)
        context.check_hostname = config.tls.check_hostname
        if config.tls.cert_file:
            context.load_cert_chain(config.tls.cert_file, config.tls.key_file)
        settings |= {"ssl_context": context, "ssl_check_hostname": config.tls.check_hostname}
    if config.sasl:
        settings |= {
            "sasl_mechanism": config.sasl.mechanism,
            "sasl_plain_username": config.sasl.username,
            "sasl_plain_password": secret(config.sasl.password, "kafka.sasl.password"),
        }
    settings["security_protocol"] = ("SASL_" if config.sasl else "") + ("SSL" if config.tls else "PLAINTEXT")
    return settings


def admin(config: KafkaConfig) -> KafkaAdminClient:
    """An administration client. Raises `BrokerError` when no broker answers."""
    settings = connection(config)
    settings.pop("metrics_enabled")
    return _connect(lambda: KafkaAdminClient(**settings), config)


class Consumer:
    """A member of the group on the events and labels topics. Offsets are committed by its owner only."""

    def __init__(self, config: Config, owner: Owner) -> None:
        kafka = config.kafka
        self._owner = owner
        self._address = kafka.bootstrap_servers
        self._consumer = _connect(
            lambda: KafkaConsumer(
                **connection(kafka),
                group_id=config.group,
                enable_auto_commit=False,
                auto_offset_reset=kafka.start_from,
                max_poll_records=kafka.max_poll_records,
                max_poll_interval_ms=int(kafka.max_poll_interval * 1000),
                session_timeout_ms=int(kafka.session_timeout * 1000),
                heartbeat_interval_ms=int(min(3.0, kafka.session_timeout / 3) * 1000),
                allow_auto_create_topics=False,
                isolation_level="read_committed",
                fetch_max_wait_ms=100,
                max_partition_fetch_bytes=4 * 1024 * 1024,
            ),
            kafka,
        )
        topics = [topic for topic in (config.topics.events, config.topics.labels) if topic]
        self._consumer.subscribe(topics, listener=_Listener(self._consumer, owner))

    def poll(self, timeout: float) -> dict[tuple[str, int], list[Any]]:
        """Records that have come, by (topic, partition), waiting at most `timeout` seconds. Joins and leaves on the
        way.
        """
        self._finish_join()
        self._free_place_in_line()
        try:
            return {
                (tp.topic, tp.partition): records for tp, records in self._consumer.poll(int(timeout * 1000)).items()
            }
        except kafka_errors.KafkaError as error:
            raise BrokerError(f"reading from Kafka failed: {error}") from error

    def _finish_join(self) -> None:
        """Have the client await a join that it began and forgot.

        It begins one when a topic's partitions become known or change, and holds that reason for gone as soon as the
        new assignment is worked out. When the poll in which it began ends before the join does, no later poll looks
        at the outcome: the member stays in the group, with partitions that it does not read.
        """
        coordinator = self._consumer._coordinator
        if coordinator is not None and coordinator.rejoining and not coordinator.need_rejoin():
            coordinator.request_rejoin()

    def _free_place_in_line(self) -> None:
        """Have the client take up a partition that was paused with fetched records and is resumed.

        It gives such records the place in line when that is None, but one that is used up it leaves there. While the
        other partitions have nothing new, the resumed one would wait for good.
        """
        fetcher = self._consumer._fetcher
        if not fetcher._next_partition_records:
            fetcher._next_partition_records = None

    def commit(self, offsets: Mapping[tuple[str, int], int], timeout: float) -> None:
        """Commit the next offset to read of each partition, waiting at most `timeout` seconds. Raises `BrokerError`;
        the caller commits again later.
        """
        try:
            self._consumer.commit(_offsets(offsets), timeout_ms=int(timeout * 1000))
        except kafka_errors.KafkaError as error:
            raise BrokerError(f"committing offsets failed: {error}") from error

    def committed(self, topic: str, partition: int) -> int | None:
        """The committed offset of a partition; None before the first commit."""
        try:
            offset: int | None = self._consumer.committed(TopicPartition(topic, partition), timeout_ms=10_000)
        except kafka_errors.KafkaError as error:
            raise BrokerError(f"reading the committed offset of {topic}[{partition}] failed: {error}") from error
        return offset

    def end(self, topic: str, partition: int) -> int | None:
        """The offset after the newest record, as of the last fetch; None before that."""
        offset: int | None = self._consumer.highwater(TopicPartition(topic, partition))
        return offset

    def ping(self, timeout: float) -> None:
        """Return when the leader of an assigned partition has answered; at once when none is assigned. Raises
        `BrokerError` after `timeout` seconds.
        """
        assigned = list(self._consumer.assignment())[:1]
        try:
            self._consumer.end_offsets(assigned, timeout_ms=int(timeout * 1000))
        except kafka_errors.KafkaError as error:
            raise BrokerError(f"no Kafka broker answers at {self._address}: {error}") from error

    def at_end(self, topic: str, partition: int) -> bool:
        """Whether everything that the partition held at the last fetch has been polled."""
        tp = TopicPartition(topic, partition)
        end = self._consumer.highwater(tp)
        try:
            return end is not None and self._consumer.position(tp, timeout_ms=0) >= end
        except kafka_errors.KafkaError:
            return False

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Read on from an offset. A partition that is no longer ours stays as it is."""
        tp = TopicPartition(topic, partition)
        if tp in self._consumer.assignment():
            self._consumer.seek(tp, offset)

    def pause(self, topic: str, partition: int) -> None:
        """Take no more records of a partition for now."""
        self._consumer.pause(TopicPartition(topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        """Take records of a partition again."""
        self._consumer.resume(TopicPartition(topic, partition))

    def close(self, timeout: float) -> None:
        """Leave the group, within `timeout` seconds."""
        self._consumer.close(autocommit=False, timeout_ms=int(timeout * 1000))


class Producer:
    """Produces records with acknowledgement by all replicas in sync, in order, without duplicates of its own making."""

    def __init__(self, config: KafkaConfig) -> None:
        self._producer = _connect(
            lambda: KafkaProducer(
                **connection(config),
                acks="all",
                enable_idempotence=True,
                linger_ms=5,
                batch_size=256 * 1024,
                max_block_ms=10_000,
                delivery_timeout_ms=60_000,
                max_request_size=4 * PRODUCER_MAX_BYTES,
                allow_auto_create_topics=False,
            ),
            config,
        )

    def send(self, record: Outgoing, on_error: Callable[[BaseException], object]) -> None:
        """Hand over a record. `on_error` is called from another thread if it could not be delivered."""
        try:
            future = self._producer.send(record.topic, record.value, record.key, record.headers)
        except kafka_errors.KafkaError as error:
            on_error(error)
            return
        future.add_errback(on_error)

    def flush(self, timeout: float) -> None:
        """Wait until every record handed over is delivered or has failed. Raises `BrokerError` when that takes
        longer.
        """
        try:
            self._producer.flush(timeout)
        except kafka_errors.KafkaError as error:
            raise BrokerError(f"Kafka did not acknowledge outputs within {timeout:g} s: {error}") from error

    def close(self, timeout: float) -> None:
        """Stop within `timeout` seconds."""
        self._producer.close(timeout=timeout)


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """Runs inside `poll`, on the client's own thread, while the worker's thread waits in it: offsets of partitions
    that go must be committed through the client's loop, not by the blocking call, which would wait for itself.
    """

    def __init__(self, consumer: KafkaConsumer, owner: Owner) -> None:
        self._consumer = consumer
        self._owner = owner

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        partitions = _pairs(revoked)
        if not partitions:
            return
        committed = False
        try:
            offsets = self._owner.revoking(partitions)
            if offsets:
                await self._consumer.commit_async(_offsets(offsets))
            committed = True
        except (BrokerError, kafka_errors.KafkaError) as error:
            log.warning("not_committed_before_rebalance", error=str(error))
        self._owner.revoked(partitions, committed=committed)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._owner.assigned(_pairs(assigned))

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._owner.revoked(_pairs(lost), committed=False)


def _pairs(partitions: Iterable[TopicPartition]) -> Sequence[tuple[str, int]]:
    return [(tp.topic, tp.partition) for tp in partitions]


def _offsets(offsets: Mapping[tuple[str, int], int]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TopicPartition(*tp): OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()}


def _connect(make: Callable[[], Any], config: KafkaConfig) -> Any:
    require_listener(config.bootstrap_servers)  # a client that cannot connect would leave its sockets open
    try:
        return make()
    except kafka_errors.KafkaError as error:
        raise BrokerError(
            f"no Kafka broker answered at {config.bootstrap_servers}: {error}",
            cure="Check kafka.bootstrap_servers, and that the broker runs and can be reached from here.",
        ) from error
