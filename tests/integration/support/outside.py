"""Kafka as those outside the service see it: applications that produce, subscribers that read, an administrator."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import InvalidReplicationFactorError, KafkaError
from kafka.structs import OffsetAndMetadata, TopicPartition

from tests.integration.support.waiting import until

T0 = 1_700_000_000.0
"""Where the streams of tests begin, in seconds since the epoch: long ago, so that none is taken for live."""


class Given(NamedTuple):
    """A record to produce."""

    value: bytes | None
    key: bytes | None = b"k"
    timestamp: float = T0
    partition: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


class Seen(NamedTuple):
    """A record as a subscriber sees it."""

    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes]
    partition: int
    offset: int
    timestamp: float

    @property
    def json(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.value)
        return decoded


class Outside:
    """One producer, one administrator, and a subscriber for each topic that is asked for."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=2)
        self._sent: list[Any] = []
        self._all, self._committed = (
            KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, isolation_level=level)
            for level in ("read_uncommitted", "read_committed")
        )
        self._subscribers: dict[str, tuple[KafkaConsumer, list[Seen]]] = {}

    def create(self, topic: str, partitions: int = 1, **configs: str) -> None:
        """Create a topic and wait until it can be used."""
        until(lambda: self._created(topic, {"num_partitions": partitions, "configs": configs}), 30.0)

    def _created(self, topic: str, settings: dict[str, Any]) -> bool:
        try:
            self._admin.create_topics({topic: settings}, timeout_ms=15_000, wait_for_metadata=True)
        except InvalidReplicationFactorError:  # a broker that got no time to say that it is alive is fenced for a while
            return False
        return True

    def configure(self, topic: str, name: str, value: str) -> None:
        """Change one setting of a topic."""
        self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])

    def produce(self, topic: str, records: Iterable[Given]) -> None:
        """Produce records in their order and wait until all are acknowledged."""
        for record in records:
            self.send(topic, record)
        self.flush()

    def send(self, topic: str, record: Given) -> None:
        """Hand one record to the producer, which sends it soon."""
        self._sent.append(
            self._producer.send(
                topic,
                record.value,
                record.key,
                list(record.headers),
                partition=record.partition,
                timestamp_ms=round(record.timestamp * 1000),
            )
        )

    def flush(self) -> None:
        """Wait until all that was sent is acknowledged."""
        self._producer.flush(30)
        while self._sent:
            self._sent.pop().get(timeout=1)

    def read(self, topic: str) -> list[Seen]:
        """All committed records of a topic so far, those of one partition in their order."""
        if topic not in self._subscribers:
            self._subscribers[topic] = (self._subscribe(topic), [])
        consumer, seen = self._subscribers[topic]
        ends = consumer.end_offsets(consumer.assignment())
        deadline = time.monotonic() + 30.0
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            assert time.monotonic() < deadline, f"topic {topic} is not read up to its ends {ends} within 30 s"
            for records in consumer.poll(100).values():
                seen.extend(
                    Seen(r.key, r.value, dict(r.headers), r.partition, r.offset, r.timestamp / 1000) for r in records
                )
        return list(seen)

    def uncommitted(self, topic: str) -> int:
        """Records of partition 0 of a topic from the first on whose transaction is still open."""
        partition = TopicPartition(topic, 0)
        ends = [reader.end_offsets([partition])[partition] for reader in (self._all, self._committed)]
        return int(ends[0] - ends[1])

    def wait_for(self, topic: str, enough: Callable[[list[Seen]], object], timeout: float = 30.0) -> list[Seen]:
        """Read until there is enough; what was read."""
        (found,) = until(
            lambda: (seen,) if enough(seen := self.read(topic)) else None,
            timeout,
            lambda: f"topic {topic} holds {len(self.read(topic))} records, the newest {self.read(topic)[-1:]}",
        )
        return found

    def truncate(self, topic: str, before: int) -> None:
        """Have the broker forget what partition 0 of a topic holds before an offset, as its retention would."""
        self._admin.delete_records({TopicPartition(topic, 0): before})

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The next offset by partition that a group has committed of a topic; none while it has no coordinator."""
        try:
            offsets: dict[TopicPartition, OffsetAndMetadata] = self._admin.list_group_offsets([group])[group]
        except KafkaError as error:
            if error.retriable:
                return {}
            raise
        return {tp.partition: meta.offset for tp, meta in offsets.items() if tp.topic == topic}

    def members(self, group: str) -> list[set[tuple[str, int]]]:
        """The partitions of each member of a group; none while it has no coordinator."""
        try:
            described = self._admin.describe_groups([group])[group]
        except KafkaError as error:
            if error.retriable:
                return []
            raise
        return [
            {
                (topic["topic"], partition)
                for topic in (member["member_assignment"] or {}).get("assigned_partitions", [])
                for partition in topic["partitions"]
            }
            for member in described["members"]
        ]

    def close(self) -> None:
        for consumer in (self._all, self._committed, *(consumer for consumer, _ in self._subscribers.values())):
            consumer.close(autocommit=False, timeout_ms=1000)
        self._producer.close(timeout=2)
        self._admin.close()

    def _subscribe(self, topic: str) -> KafkaConsumer:
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=50,
        )
        numbers = until(lambda: consumer.partitions_for_topic(topic), 15.0, lambda: f"there is no topic {topic}")
        consumer.assign([TopicPartition(topic, number) for number in numbers])
        return consumer


def opened(bootstrap: str) -> closing[Outside]:
    """An `Outside` that is closed at the end of a `with`."""
    return closing(Outside(bootstrap))
