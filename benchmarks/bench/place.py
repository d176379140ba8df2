"""A broker and a store in a box, with topics that are filled beforehand."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, Self

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from bench.models import SPAN, Rows, configuration
from stream.config.model import Config
from stream.embedded.box import Box
from stream.embedded.ports import free_port
from stream.embedded.started import Started

OUTPUTS = ("predictions", "alerts", "dead_letters")
_TIMEOUT = 30.0

Record = tuple[bytes, bytes, int, int]
"""Key, value, partition, and time in milliseconds since the epoch."""


class Stream(NamedTuple):
    """Topics that hold a backlog: events, and labels on a topic of their own or in between."""

    events: str
    labels: str | None
    n: int
    partitions: int


class Place(Started):
    """An embedded Kafka and an embedded Valkey, for as long as the block that it heads."""

    def __init__(self) -> None:
        self._box = Box()
        self._folder = TemporaryDirectory()
        self._numbers = itertools.count(1)

    def start(self) -> None:
        self._box.start()
        self._admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        self._key = Path(self._folder.name) / "signing.key"
        self._key.write_text(secrets.token_hex(32))

    def close(self) -> None:
        self._box.close()
        self._folder.cleanup()

    @property
    def address(self) -> str:
        """The broker's."""
        return self._box.bootstrap_servers

    @property
    def broker_pid(self) -> int | None:
        """The number of the broker's process."""
        return self._box.kafka.pid

    def name(self, what: str) -> str:
        """A name that nothing here has had yet."""
        return f"{what}-{next(self._numbers)}"

    def create(self, topics: Mapping[str, int]) -> None:
        """Make topics, by name and number of partitions, and wait until they can be used."""
        new = [NewTopic(name, partitions, 1) for name, partitions in topics.items()]
        for made in self._admin.create_topics(new).values():
            made.result(_TIMEOUT)
        deadline = time.monotonic() + _TIMEOUT
        while not all(self._has_leaders(name) for name in topics):
            if time.monotonic() > deadline:
                raise TimeoutError(f"topics {', '.join(topics)} have no leaders after {_TIMEOUT:g} s")
            time.sleep(0.02)

    def delete(self, topics: Iterable[str]) -> None:
        """Remove topics."""
        for gone in self._admin.delete_topics(list(topics)).values():
            gone.result(_TIMEOUT)

    def fill(
        self, xs: Rows, ys: list[bool], *, partitions: int = 1, kind: str = "two topics", apart: float = SPAN
    ) -> Stream:
        """A backlog of events and their labels, on `two topics`, `mixed` in one, or with the labels `inline`.

        Blocks are `apart` seconds of record time.
        """
        events = self.name("events")
        labels = self.name("labels") if kind == "two topics" else None
        self.create({name: partitions for name in (events, labels) if name})
        self.produce(backlog(xs, ys, events, labels, partitions=partitions, inline=kind == "inline", apart=apart))
        return Stream(events, labels, len(xs), partitions)

    def produce(self, records: Iterable[tuple[str, Record]]) -> None:
        """Produce records, by topic, and wait until the broker has them."""
        settings = {"linger.ms": 20, "queue.buffering.max.messages": 10**6, "log_level": 0}
        producer = Producer({"bootstrap.servers": self.address} | settings)
        for topic, (key, value, partition, timestamp) in records:
            while True:
                try:
                    producer.produce(topic, value, key, partition, timestamp=timestamp)
                    break
                except BufferError:
                    producer.poll(0.1)
        if producer.flush(_TIMEOUT):
            raise TimeoutError("the broker did not take the backlog in time")

    def service(self, learner: dict[str, Any], stream: Stream, client: str, delivery: str, **overrides: Any) -> Config:
        """The configuration of a service that has output topics of its own, which are made."""
        app = self.name("app")
        topics: dict[str, str | None] = {name: f"{app}-{name}" for name in (*OUTPUTS, "journal", "audit")}
        made = {name: stream.partitions if purpose == "journal" else 1 for purpose, name in topics.items() if name}
        made[f"{app}-predictions"] = stream.partitions
        self.create(made)
        kafka = {"bootstrap_servers": self.address, "client": client} | overrides.pop("kafka", {})
        return configuration(
            learner,
            inline=stream.labels is None,
            app=app,
            delivery=delivery,
            topics={**topics, "events": stream.events, "labels": stream.labels},
            kafka=kafka,
            redis={"url": self._box.redis_url},
            security={"signing_key": {"file": str(self._key)}},
            http={"port": free_port()},
            **{"merge": {"slack": SPAN}} | overrides,
        )

    def another(self, config: Config) -> Config:
        """The same for one more worker of a service."""
        return config.model_copy(update={"http": config.http.model_copy(update={"port": free_port()})})

    def write(self, config: Config) -> Path:
        """The file of a worker's configuration."""
        file = Path(self._folder.name) / f"{config.app}-{config.http.port}.yaml"
        file.write_text(json.dumps(config.model_dump(mode="json", by_alias=True, exclude_unset=True)))  # JSON is YAML
        return file

    def _has_leaders(self, topic: str) -> bool:
        found = self._admin.list_topics(topic, timeout=_TIMEOUT).topics[topic]
        if found.error is not None or any(partition.leader < 0 for partition in found.partitions.values()):
            return False
        try:
            with Ends(self.address, topic, len(found.partitions)) as ends:
                ends.count()
        except KafkaException:  # a leader may not know yet that it is one
            return False
        return True


class Ends:
    """Watches how many records topics hold, at next to no cost for anyone."""

    def __init__(self, address: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer({"bootstrap.servers": address, "group.id": "ends", "log_level": 0})
        self._partitions = [TopicPartition(topic, partition) for partition in range(partitions)]

    def count(self) -> int:
        """Records in all partitions, with the markers of transactions, committed or not."""
        ends = [self._consumer.get_watermark_offsets(tp, timeout=_TIMEOUT)[1] for tp in self._partitions]
        return sum(ends)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def backlog(
    xs: Rows,
    ys: Sequence[bool],
    events: str,
    labels: str | None,
    *,
    partitions: int = 1,
    inline: bool = False,
    apart: float = SPAN,
) -> Iterator[tuple[str, Record]]:
    """Blocks of events followed by blocks of their labels, all of a block at one time, `apart` seconds after the last.

    Each block is of the next partition.
    """
    encode = msgspec.json.Encoder().encode
    for block, start in enumerate(range(0, len(xs), SPAN)):
        numbers = range(start, min(start + SPAN, len(xs)))
        partition, timestamp = block % partitions, int((block + 1) * apart * 1000)
        for n in numbers:
            event = {"id": f"e{n}", "ts": n, **xs[n]} | ({"label": ys[n]} if inline else {})
            yield events, (b"k", encode(event), partition, timestamp)
        if not inline:
            for n in numbers:
                yield labels or events, (b"k", encode({"id": f"e{n}", "label": ys[n]}), partition, timestamp)
