"""Members of a group, producers and readers of one client, closed at the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka.structs import TopicPartition

from stream.config.model import Config
from stream.kafka.client import (
    Consumer,
    LogReader,
    Outgoing,
    Partition,
    Position,
    Producer,
    TransactionalProducer,
    admin,
    make_consumer,
    make_log_reader,
    make_producer,
    make_transactional_producer,
)
from tests.integration.support.outside import Given, Outside, Seen
from tests.integration.support.waiting import until

SECONDS = 30.0
"""Longest wait for what is to happen."""


class Member:
    """A consumer and its owner, who writes down what happens. `giving_up` is what it does when partitions go."""

    def __init__(self, config: Config) -> None:
        self.owned: set[Partition] = set()
        self.told: list[tuple[str, tuple[Partition, ...]]] = []
        self.committed: list[bool] = []
        self.read: dict[Partition, list[Any]] = {}
        self.giving_up: Callable[[tuple[Partition, ...]], Mapping[Partition, Position]] = lambda _: {}
        self.consumer: Consumer = make_consumer(config, self)

    def assigned(self, partitions: Iterable[Partition]) -> None:
        self.told.append(("assigned", tuple(partitions)))
        self.owned.update(partitions)

    def revoking(self, partitions: Iterable[Partition]) -> Mapping[Partition, Position]:
        self.told.append(("revoking", tuple(partitions)))
        return self.giving_up(tuple(partitions))

    def revoked(self, partitions: Iterable[Partition], *, committed: bool) -> None:
        self.told.append(("revoked", tuple(partitions)))
        self.committed.append(committed)
        self.owned.difference_update(partitions)

    def poll(self) -> bool:
        for tp, records in self.consumer.poll(0.05).items():
            self.read.setdefault(tp, []).extend(records)
        return True

    def poll_until(self, enough: Callable[[], object]) -> None:
        """Poll until there is enough."""
        until(lambda: self.poll() and enough(), SECONDS, lambda: f"read {self.values}, told {self.told}")

    @property
    def values(self) -> dict[Partition, list[bytes]]:
        return {tp: [record.value for record in records] for tp, records in self.read.items()}

    @property
    def events_owned(self) -> set[int]:
        return {number for topic, number in self.owned if topic.endswith(".events")}


class World:
    """One service on the broker: topics of two partitions, and processes that take part with one client."""

    def __init__(self, outside: Outside, client: str, app: str, folder: Path) -> None:
        self.outside = outside
        self.app = app
        self.events, self.labels, self.out = (f"{app}.{name}" for name in ("events", "labels", "predictions"))
        self._client = client
        self._closers: list[Callable[[], None]] = []
        with closing(admin(self.config().kafka)) as administrator:
            new = {topic: {"num_partitions": 2} for topic in (self.events, self.labels, self.out)}
            administrator.create_topics(new, wait_for_metadata=True)
            # A broker lists a topic somewhat sooner than it leads its partitions.
            administrator.list_partition_offsets({TopicPartition(topic, n): -1 for topic in new for n in (0, 1)})

    def config(self, client: str | None = None, **kafka: Any) -> Config:
        names = ("events", "labels", "predictions", "alerts", "dead_letters")
        settings = {
            "client": client or self._client,
            "bootstrap_servers": self.outside.bootstrap,
            "session_timeout": 2.0,
            "max_poll_interval": 30,
        }
        return Config.model_validate(
            {
                "app": self.app,
                "kafka": settings | kafka,
                "topics": {name: f"{self.app}.{name}" for name in names},
                "events": {"features": {"x": {"type": "number"}}},
                "model": {"name": "m", "problem": "binary", "learner": {"kind": "logistic"}},
            }
        )

    def member(self, client: str | None = None, **kafka: Any) -> Member:
        """A member of the group that has begun to join."""
        member = Member(self.config(client, **kafka))
        self._closers.append(lambda: member.consumer.close(1.0))
        return member

    def joined(self, **kafka: Any) -> Member:
        """A member that has all partitions."""
        member = self.member(**kafka)
        member.poll_until(lambda: len(member.owned) == 4)
        return member

    def producer(self, **kafka: Any) -> Producer:
        producer = make_producer(self.config(**kafka).kafka)
        self._closers.append(lambda: producer.close(5.0))
        return producer

    def transactions(self, name: str = "worker", **kafka: Any) -> TransactionalProducer:
        producer = make_transactional_producer(self.config(**kafka).kafka, f"{self.app}-{name}")
        self._closers.append(lambda: producer.close(0.0))
        return producer

    def reader(self, **kafka: Any) -> LogReader:
        reader = make_log_reader(self.config(**kafka).kafka)
        self._closers.append(reader.close)
        return reader

    def give(self, topic: str, values: Iterable[bytes], partition: int = 0) -> None:
        """Somebody else produces records."""
        self.outside.produce(topic, [Given(value, partition=partition) for value in values])

    def wait_for_end(self, topic: str, offset: int) -> None:
        """Wait until partition 0 of a topic ends there, with what is not committed yet."""
        with closing(admin(self.config().kafka)) as client:
            tp = TopicPartition(topic, 0)
            until(lambda: client.list_partition_offsets({tp: -1})[tp].offset == offset, SECONDS)

    def arrived(self, topic: str, count: int) -> list[Seen]:
        """The records of a topic when there are so many, as another client's subscriber sees them."""
        return self.outside.wait_for(topic, lambda seen: len(seen) >= count, SECONDS)

    def seen(self, topic: str) -> list[bytes]:
        """What a subscriber sees of a topic now: all that is committed, partition after partition."""
        reader = make_log_reader(self.config().kafka)
        try:
            values: list[bytes] = []
            for number in reader.partitions(topic):
                first, end = reader.bounds(topic, number)
                values += [r.value or b"" for batch in reader.read(topic, number, first, end) for r in batch]
            return values
        finally:
            reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for close in reversed(self._closers):
            close()


def out(topic: str, value: bytes, key: bytes | None = b"k", partition: int | None = None) -> Outgoing:
    """A record to produce."""
    return Outgoing(topic, key, value, [], partition)


def together(*members: Member, enough: Callable[[], object]) -> None:
    """Poll members in turn until there is enough."""
    until(
        lambda: all(member.poll() for member in members) and enough(),
        SECONDS,
        lambda: "; ".join(str(member.told) for member in members),
    )
