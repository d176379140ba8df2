"""Plays a simulated stream into Kafka, in the order of its time and at a chosen speed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError
from stream.kafka.client import admin, connection, in_words, name_in_words
from stream.kafka.topics import describe
from stream.simulate.source import SourceError, Topic
from stream.simulate.wire import Message

if TYPE_CHECKING:
    from stream.config.model import TopicsConfig

_FLUSH_RECORDS = 500
_FLUSH_SECONDS = 30.0
_SHORTEST_WAIT = 0.002
"""Seconds; shorter waits are left to add up, a sleep would overshoot them."""


@dataclass(frozen=True)
class PlayStats:
    """How far playing has come. `first` and `last` are simulated times of records, `seconds` is time on the wall."""

    events: int = 0
    labels: int = 0
    first: float | None = None
    last: float | None = None
    seconds: float = 0.0
    stopped: bool = False

    @property
    def simulated(self) -> float:
        """Seconds of simulated time played so far."""
        return 0.0 if self.first is None or self.last is None else self.last - self.first


class Pacer:
    """Turns simulated time into time to wait. `speed` is simulated seconds per second; None never waits.

    `clock` and `wait` may be replaced, so that pacing can be tested in no time. Raises `SourceError` unless speed > 0.
    """

    def __init__(
        self,
        speed: float | None,
        wait: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if speed is not None and not speed > 0:
            raise SourceError(f"speed is {speed:g}; expected a number above 0 (1 is life), or max")
        self._speed = speed
        self._wait = wait
        self._clock = clock
        self._began: tuple[float, float] | None = None

    def until(self, timestamp: float) -> None:
        """Wait until the instant at which a record with this timestamp is to be sent."""
        if self._speed is None:
            return
        if self._began is None:
            self._began = (self._clock(), timestamp)
        began, first = self._began
        ahead = began + (timestamp - first) / self._speed - self._clock()
        if ahead > _SHORTEST_WAIT:
            self._wait(ahead)


@dataclass
class _Partitions:
    """Which partition a key goes to, as every Kafka client's default partitioner has it, remembered per key."""

    count: int
    _of: dict[bytes, int] = field(default_factory=dict)

    def of(self, key: bytes) -> int:
        partition = self._of.get(key)
        if partition is None:
            partition = (murmur2(key) & 0x7FFFFFFF) % self.count
            if len(self._of) < 100_000:
                self._of[key] = partition
        return partition


def play(
    messages: Iterable[Message],
    kafka: KafkaConfig,
    topics: TopicsConfig,
    speed: float | None = None,
    *,
    on_progress: Callable[[PlayStats], None] | None = None,
    progress_every: float = 0.5,
    stop: threading.Event | None = None,
) -> PlayStats:
    """Produce the messages in their order; an event and its label go to partitions of the same number.

    Records carry their simulated time as timestamp. Neither topic runs ahead of the other by more than a few hundred
    records. Setting `stop` ends playing within a moment, with all that was sent acknowledged. `on_progress` is called
    about every `progress_every` seconds and once at the end.

    Raises `BrokerError` when no broker answers, a topic is missing, the two topics have different partition counts or
    a record is not acknowledged; `SourceError` for a speed that is not above 0 and when there is no labels topic.
    """
    stop = stop or threading.Event()
    pacer = Pacer(speed, wait=stop.wait)
    if topics.labels is None:
        raise SourceError(
            "the simulators produce labels on a topic of their own, and this configuration names none",
            cure="Set topics.labels.",
        )
    names: dict[Topic, str] = {"events": topics.events, "labels": topics.labels}
    partitions = _Partitions(_partition_count(kafka, names))
    counts: dict[Topic, int] = {"events": 0, "labels": 0}
    began = reported = time.monotonic()
    first = last = None
    with _Sender(kafka) as sender:

        def so_far() -> PlayStats:
            return PlayStats(counts["events"], counts["labels"], first, last, time.monotonic() - began)

        for topic, timestamp, key, value in messages:
            pacer.until(timestamp)
            if stop.is_set():
                break
            sender.send(names[topic], partitions.of(key), timestamp, key, value)
            counts[topic] += 1
            first = timestamp if first is None else first
            last = timestamp if last is None else max(last, timestamp)
            if on_progress and time.monotonic() - reported >= progress_every:
                reported = time.monotonic()
                on_progress(so_far())
        sender.flush()
    stats = replace(so_far(), stopped=stop.is_set())
    if on_progress:
        on_progress(stats)
    return stats


class _Sender:
    """A producer that waits for its acknowledgements often and tells of the first record that was refused."""

    def __init__(self, kafka: KafkaConfig) -> None:
        try:
            self._producer = KafkaProducer(
                **connection(kafka),
                acks="all",
                linger_ms=5,
                batch_size=128 * 1024,
                max_block_ms=10_000,
                allow_auto_create_topics=False,
            )
        except KafkaError as error:
            raise BrokerError(f"no producer could be opened at {kafka.bootstrap_servers}: {in_words(error)}") from error
        self._address = kafka.bootstrap_servers
        self._failures: list[Exception] = []
        self._unacknowledged = 0

    def send(self, topic: str, partition: int, timestamp: float, key: bytes, value: bytes) -> None:
        try:
            future = self._producer.send(topic, value, key, partition=partition, timestamp_ms=round(timestamp * 1000))
        except KafkaError as error:
            raise self._lost(error) from error
        future.add_errback(self._failures.append)
        self._unacknowledged += 1
        if self._unacknowledged >= _FLUSH_RECORDS:
            self.flush()

    def flush(self) -> None:
        """Wait until all that was sent is acknowledged. Raises `BrokerError`."""
        try:
            self._producer.flush(_FLUSH_SECONDS)
        except KafkaError as error:
            raise self._lost(error) from error
        if self._failures:
            raise self._lost(self._failures[0])
        self._unacknowledged = 0

    def _lost(self, error: Exception) -> BrokerError:
        return BrokerError(
            f"Kafka at {self._address} did not take a record: {in_words(error)}",
            cure="Check that the broker is up and accepts the record's size and timestamp, then play again.",
        )

    def __enter__(self) -> _Sender:
        return self

    def __exit__(self, *exc: Any) -> None:
        self._producer.close(timeout=5)


def _partition_count(kafka: KafkaConfig, names: dict[Topic, str]) -> int:
    """The partition count that both topics have."""
    client = admin(kafka)
    try:
        found = describe(client, names.values())
    finally:
        client.close()
    for topic in found.values():
        if topic.error is not None:
            raise BrokerError(
                f"topic {topic.name} cannot be written to at {kafka.bootstrap_servers}: {name_in_words(topic.error)}",
                cure="Where it is missing, create it with `driftline check -c FILE --connect --create-topics`.",
            )
    events, labels = (found[name].partitions for name in names.values())
    if events != labels:
        raise BrokerError(
            f"topic {names['events']} has {events} partitions and {names['labels']} has {labels}; an event and its "
            "label would not meet",
            cure="Give both topics the same number of partitions.",
        )
    return events
