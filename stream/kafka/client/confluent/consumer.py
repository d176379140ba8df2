"""A member of the group, by confluent-kafka."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream.errors import BrokerError
from stream.kafka.client.base import SHARED_INSTANCE, Batches, Fenced, Group, Owner, Partition, Position, Regrouped
from stream.kafka.client.confluent.intake import Intake, go_to
from stream.kafka.client.confluent.settings import RAISED, Trouble, connect, connection, failure, reason
from stream.kafka.client.limits import FETCH_BYTES, FETCH_WAIT_MS

if TYPE_CHECKING:
    from stream.config.model import Config

log = structlog.get_logger()

REVOKE_SECONDS = 10.0
_LEAVE_POLL = 0.02
_LOOK_AGAIN = (0.0, 0.01, 0.05, 0.2)
_QUEUED_RECORDS = 10_000
_QUEUED_KBYTES = 16 * 1024


class ConfluentConsumer:
    """See `stream.kafka.client.base.Consumer`.

    The group knows of the events topic only; the labels partitions are added to what it assigns, because the client's
    cooperative assignor keeps no pairs together.
    """

    commits_anywhere: ClassVar[bool] = True

    def __init__(self, config: Config, owner: Owner) -> None:
        kafka, topics = config.kafka, config.topics
        self._owner = owner
        self._address = kafka.bootstrap_servers
        self._instance = kafka.instance
        self._most = kafka.max_poll_records
        self._topics = [topic for topic in (topics.events, topics.labels) if topic]
        self._assigned: set[Partition] = set()
        self._paused: set[Partition] = set()
        self._closed = False
        self._member = False
        self._trouble = Trouble()
        settings = connection(kafka, self._trouble) | {
            "group.id": config.group,
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": kafka.start_from,
            "max.poll.interval.ms": int(max(kafka.max_poll_interval, kafka.session_timeout) * 1000),
            "session.timeout.ms": int(kafka.session_timeout * 1000),
            "heartbeat.interval.ms": int(min(3.0, kafka.session_timeout / 3) * 1000),
            "allow.auto.create.topics": False,
            "isolation.level": "read_committed",
            "check.crcs": True,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "fetch.message.max.bytes": FETCH_BYTES,
            # Per partition; and when they are full, how soon to look whether there is room again.
            "queued.min.messages": _QUEUED_RECORDS,
            "queued.max.messages.kbytes": _QUEUED_KBYTES,
            "fetch.queue.backoff.ms": 10,
        }
        if kafka.instance is not None:
            settings["group.instance.id"] = kafka.instance
        self._consumer = connect(lambda: self._subscribed(settings), kafka, self._trouble)
        self._intake = Intake(self._consumer, self._on_error)

    @property
    def member(self) -> bool:
        return self._member

    def poll(self, timeout: float) -> Batches:
        try:
            return self._intake.poll(timeout, self._most)
        except RAISED as error:
            raise failure("reading from Kafka", reason(error), self._trouble) from error

    def commit(self, positions: Mapping[Partition, Position], timeout: float) -> None:
        """The client's own call that waits for the outcome has no end while the broker is away. So the offsets are
        sent, and then looked at: on one connection the broker does one thing after the other.
        """
        wanted = [TopicPartition(*tp, at.offset, at.metadata) for tp, at in positions.items()]
        deadline = time.monotonic() + timeout
        try:
            self._consumer.commit(offsets=wanted, asynchronous=True)
            for pause in _LOOK_AGAIN:
                time.sleep(pause)
                left = max(0.001, deadline - time.monotonic())
                found = self._consumer.committed([TopicPartition(*tp) for tp in positions], timeout=left)
                if {(tp.topic, tp.partition): _position(tp) for tp in found} == dict(positions):
                    return
        except KafkaException as error:
            raise failure("committing offsets", reason(error), self._trouble) from error
        raise Regrouped("committing offsets failed: the group did not take them; it has gone on, or without us")

    def committed(self, topic: str, partition: int, timeout: float = 10.0) -> Position | None:
        doing = f"reading the committed offset of {topic}[{partition}]"
        try:
            (found,) = self._consumer.committed([TopicPartition(topic, partition)], timeout=timeout)
        except KafkaException as error:
            raise failure(doing, reason(error), self._trouble) from error
        if found.error is not None:
            raise failure(doing, found.error, self._trouble)
        return _position(found)

    def end(self, topic: str, partition: int) -> int | None:
        if (topic, partition) not in self._assigned:
            return None
        _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
        return end if end >= 0 else None

    def at_end(self, topic: str, partition: int) -> bool:
        return self._intake.at_end((topic, partition))

    def ping(self, timeout: float) -> None:
        anyone = min(self._assigned, default=(self._topics[0], 0))
        try:
            self._consumer.get_watermark_offsets(TopicPartition(*anyone), timeout=timeout)
        except KafkaException as error:
            raise BrokerError(
                f"no Kafka broker answers at {self._address}: {reason(error).str()}{self._trouble}"
            ) from error

    def seek(self, topic: str, partition: int, offset: int) -> None:
        tp = (topic, partition)
        if tp not in self._assigned:
            return
        place = TopicPartition(topic, partition, offset)
        if go_to(self._consumer, place) and tp in self._paused:
            self._consumer.pause([place])
        self._intake.starts(tp, offset)

    def pause(self, topic: str, partition: int) -> None:
        self._paused.add((topic, partition))
        self._consumer.pause([TopicPartition(topic, partition)])

    def resume(self, topic: str, partition: int) -> None:
        self._paused.discard((topic, partition))
        self._consumer.resume([TopicPartition(topic, partition)])

    def group(self) -> Group:
        metadata = self._consumer.consumer_group_metadata()
        if not self._consumer.memberid():  # asked for second: it joins again only in `poll`
            raise Regrouped("the group has gone on without us")
        return Group(metadata)

    def close(self, timeout: float) -> None:
        """Partitions are given up before the client closes, because it then answers no questions any more. Its own
        call knows no timeout, so it is left alone when it takes too long.
        """
        if self._closed:
            return
        self._closed = True
        deadline = time.monotonic() + timeout
        try:
            self._consumer.unsubscribe()
            while self._assigned and time.monotonic() < deadline:
                self._consumer.poll(_LEAVE_POLL)
        except RAISED as error:  # fenced: there is nothing left to give up
            log.warning("group_not_left", error=reason(error).str())
        closing = threading.Thread(target=self._consumer.close, name="kafka-close", daemon=True)
        closing.start()
        closing.join(max(0.0, deadline - time.monotonic()))
        if closing.is_alive():
            log.warning("group_not_left", error=f"no answer within {timeout:g} s{self._trouble}")

    def _subscribed(self, settings: dict[str, Any]) -> Consumer:
        """A consumer that joins its group. One that is first to wait for a broker often joins a second later."""
        consumer = Consumer(settings)
        callbacks = {"on_assign": self._on_assign, "on_revoke": self._on_revoke, "on_lost": self._on_lost}
        consumer.subscribe(self._topics[:1], **callbacks)
        return consumer

    def _on_error(self, message: Message, error: KafkaError) -> Exception | None:
        if error.code() == KafkaError._MAX_POLL_EXCEEDED:  # it joins again by itself
            log.warning("group_left", error=error.str())
            return None
        if error.code() == KafkaError._FATAL and "group.instance.id" in error.str():  # its code is not given out
            return Fenced(
                f"another process has joined the group as our kafka.instance, {self._instance}", SHARED_INSTANCE
            )
        return failure("reading from Kafka", error, self._trouble)

    def _on_assign(self, consumer: Consumer, events: list[TopicPartition]) -> None:
        self._member = True
        added = self._with_labels(events)
        for tp in added:
            self._intake.starts(tp, -1)
        self._assigned.update(added)
        consumer.incremental_assign([TopicPartition(*tp) for tp in added])
        if added:
            self._owner.assigned(added)

    def _on_revoke(self, consumer: Consumer, events: list[TopicPartition]) -> None:
        gone = self._with_labels(events)
        if not gone:
            return
        committed = False
        try:
            positions = self._owner.revoking(gone)
            if positions:
                self.commit(positions, REVOKE_SECONDS)
            committed = True
        except BrokerError as error:
            log.warning("not_committed_before_rebalance", error=error.message)
        self._release(consumer, gone)
        self._owner.revoked(gone, committed=committed)

    def _on_lost(self, consumer: Consumer, events: list[TopicPartition]) -> None:
        self._member = False
        lost = self._with_labels(events)
        self._release(consumer, lost)
        self._owner.revoked(lost, committed=False)

    def _release(self, consumer: Consumer, gone: Sequence[Partition]) -> None:
        self._assigned.difference_update(gone)
        self._paused.difference_update(gone)
        consumer.incremental_unassign([TopicPartition(*tp) for tp in gone])

    def _with_labels(self, events: list[TopicPartition]) -> Sequence[Partition]:
        return sorted((topic, tp.partition) for tp in events for topic in self._topics)


def _position(found: TopicPartition) -> Position | None:
    return Position(found.offset, found.metadata or "") if found.offset >= 0 else None
