"""A member of the group, by kafka-python."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import structlog
from kafka import AsyncConsumerRebalanceListener, KafkaConsumer
from kafka import errors as kafka_errors
from kafka.coordinator.base import MemberState
from kafka.structs import OffsetAndMetadata, TopicPartition

from stream.errors import BrokerError
from stream.kafka.client.base import Batches, Group, Owner, Partition, Position, Regrouped
from stream.kafka.client.kafka_python.assignment import EventsAssignor, bring_along
from stream.kafka.client.kafka_python.mended import Mended
from stream.kafka.client.kafka_python.settings import connect, connection, failure, in_words
from stream.kafka.client.limits import CONNECT_SECONDS, FETCH_BYTES, FETCH_WAIT_MS

if TYPE_CHECKING:
    from stream.config.model import Config

log = structlog.get_logger()


class KafkaPythonConsumer:
    """See `stream.kafka.client.base.Consumer`."""

    commits_anywhere: ClassVar[bool] = False

    def __init__(self, config: Config, owner: Owner) -> None:
        kafka, topics = config.kafka, config.topics
        self._owner = owner
        self._address = kafka.bootstrap_servers
        self._events = topics.events
        self._consumer = connect(
            lambda: KafkaConsumer(
                **connection(kafka),
                group_id=config.group,
                group_instance_id=kafka.instance,
                partition_assignment_strategy=[EventsAssignor(topics.events, self._owned)],
                enable_auto_commit=False,
                auto_offset_reset=kafka.start_from,
                max_poll_records=kafka.max_poll_records,
                max_poll_interval_ms=int(kafka.max_poll_interval * 1000),
                session_timeout_ms=int(kafka.session_timeout * 1000),
                heartbeat_interval_ms=int(min(3.0, kafka.session_timeout / 3) * 1000),
                allow_auto_create_topics=False,
                isolation_level="read_committed",
                fetch_max_wait_ms=FETCH_WAIT_MS,
                max_partition_fetch_bytes=FETCH_BYTES,
            ),
            kafka,
        )
        self._mended = Mended(self._consumer)
        if topics.labels:
            bring_along(self._consumer._coordinator, topics.events, topics.labels)
        inputs = [topic for topic in (topics.events, topics.labels) if topic]
        self._consumer.subscribe(inputs, listener=_Listener(self._consumer, owner, self._mended.stable_ends))
        try:
            self._mended.know_topics(CONNECT_SECONDS)
        except kafka_errors.KafkaError as error:
            self.close(0.0)
            raise failure("asking for the partitions of the inputs", error) from error

    @property
    def member(self) -> bool:
        return self._consumer._coordinator.state is MemberState.STABLE

    def poll(self, timeout: float) -> Batches:
        self._mended.before_poll()
        try:
            return {
                (tp.topic, tp.partition): records for tp, records in self._consumer.poll(int(timeout * 1000)).items()
            }
        except kafka_errors.KafkaError as error:
            raise failure("reading from Kafka", error) from error

    def commit(self, positions: Mapping[Partition, Position], timeout: float) -> None:
        try:
            self._consumer.commit(offsets(positions), timeout_ms=int(timeout * 1000))
        except kafka_errors.KafkaError as error:
            raise failure("committing offsets", error) from error

    def committed(self, topic: str, partition: int, timeout: float = 10.0) -> Position | None:
        tp = TopicPartition(topic, partition)
        try:
            found = self._consumer.committed(tp, metadata=True, timeout_ms=int(timeout * 1000))
        except kafka_errors.KafkaError as error:
            raise failure(f"reading the committed offset of {topic}[{partition}]", error) from error
        return None if found is None else Position(found.offset, found.metadata or "")

    def end(self, topic: str, partition: int) -> int | None:
        tp = TopicPartition(topic, partition)
        offset: int | None = self._consumer.highwater(tp) if tp in self._consumer.assignment() else None
        return offset

    def at_end(self, topic: str, partition: int) -> bool:
        tp = TopicPartition(topic, partition)
        end = self._mended.stable_ends.get(tp)
        try:
            position = self._consumer.position(tp, timeout_ms=0)
        except kafka_errors.KafkaError:
            return False
        return end is not None and position is not None and position >= end

    def ping(self, timeout: float) -> None:
        anyone = min(self._consumer.assignment(), default=TopicPartition(self._events, 0))
        try:
            self._consumer.end_offsets([anyone], timeout_ms=int(timeout * 1000))
        except kafka_errors.KafkaError as error:
            raise BrokerError(f"no Kafka broker answers at {self._address}: {in_words(error)}") from error

    def seek(self, topic: str, partition: int, offset: int) -> None:
        tp = TopicPartition(topic, partition)
        if tp in self._consumer.assignment():
            self._consumer.seek(tp, offset)

    def pause(self, topic: str, partition: int) -> None:
        self._consumer.pause(TopicPartition(topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        self._consumer.resume(TopicPartition(topic, partition))

    def group(self) -> Group:
        metadata = self._consumer.group_metadata()
        if metadata.generation_id < 0 or not metadata.member_id:
            raise Regrouped("the group has gone on without us")
        return Group(metadata)

    def close(self, timeout: float) -> None:
        try:
            self._consumer.close(autocommit=False, timeout_ms=int(timeout * 1000))
        except kafka_errors.KafkaError as error:
            log.warning("group_not_left", error=in_words(error))

    def _owned(self) -> Sequence[TopicPartition]:
        """What this member may say it owns when it joins: nothing once the group has gone on without it.

        The client tells its listener of such a loss only where it learns of it between two joins, not within one.
        """
        subscription = self._consumer._subscription
        owned: Sequence[TopicPartition] = sorted(subscription.assigned_partitions())
        if owned and self._consumer._coordinator._generation.is_lost():
            self._owner.revoked(_pairs(owned), committed=False)
            subscription.assign_from_subscribed([])
            return []
        return owned


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """Runs inside `poll`, on the client's own thread, while the worker's thread waits in it: offsets of partitions
    that go must be committed through the client's loop, not by the blocking call, which would wait for itself.
    """

    def __init__(self, consumer: KafkaConsumer, owner: Owner, stable_ends: dict[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._owner = owner
        self._stable_ends = stable_ends

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        partitions = _pairs(revoked)
        if not partitions:
            return
        committed = False
        try:
            positions = self._owner.revoking(partitions)
            if positions:
                await self._consumer.commit_async(offsets(positions))
            committed = True
        except (BrokerError, kafka_errors.KafkaError) as error:
            log.warning("not_committed_before_rebalance", error=in_words(error))
        self._owner.revoked(partitions, committed=committed)

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        for tp in assigned:
            self._stable_ends.pop(tp, None)  # of an earlier time
        self._owner.assigned(_pairs(assigned))

    async def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        self._owner.revoked(_pairs(lost), committed=False)


def offsets(positions: Mapping[Partition, Position]) -> dict[TopicPartition, OffsetAndMetadata]:
    """The same in kafka-python's words."""
    return {TopicPartition(*tp): OffsetAndMetadata(at.offset, at.metadata, -1) for tp, at in positions.items()}


def _pairs(partitions: Iterable[TopicPartition]) -> Sequence[Partition]:
    return sorted((tp.topic, tp.partition) for tp in partitions)
