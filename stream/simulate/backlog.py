"""Backlog control: a simulated stream goes no faster than the service behind it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing

import structlog
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from stream.config.model import Config
from stream.errors import BrokerError
from stream.kafka.client import admin, in_words
from stream.simulate.wire import Message

log = structlog.get_logger()

_LOOK_SECONDS = 0.25
_LOOKS_PER_BACKLOG = 4
_WAIT_SECONDS = 0.05
_EARLIEST, _LATEST = -2, -1


def held_back(messages: Iterable[Message], config: Config, most: int, stop: threading.Event) -> Iterator[Message]:
    """The messages in their order, held back while the service has more than about `most` records before it.

    Counted are the records of both topics that its group has not committed. A service that is not there yet has
    committed nothing. Setting `stop` ends the waiting. Raises BrokerError when the broker cannot be asked at first;
    later, while it does not answer, the last number counts.
    """
    with closing(admin(config.kafka)) as client:
        group = _Group(client, config)
        since, looked = 0, -math.inf
        for message in messages:
            if since * _LOOKS_PER_BACKLOG >= most or time.monotonic() - looked > _LOOK_SECONDS:
                while group.behind() > most and not stop.wait(_WAIT_SECONDS):
                    pass
                since, looked = 0, time.monotonic()
            yield message
            since += 1


class _Group:
    """How far a consumer group is behind the ends of its topics."""

    def __init__(self, client: KafkaAdminClient, config: Config) -> None:
        self._client = client
        self._name = config.group
        self._done: dict[TopicPartition, int] = {}
        names = [topic for topic in (config.topics.events, config.topics.labels) if topic]
        try:
            self._partitions = [
                TopicPartition(topic["name"], partition["partition_index"])
                for topic in client.describe_topics(names)
                for partition in topic["partitions"]
            ]
            self._begins = self._bounds(_EARLIEST)
            self._ends = self._bounds(_LATEST)
        except KafkaError as error:
            where, why = config.kafka.bootstrap_servers, in_words(error)
            raise BrokerError(f"Kafka at {where} did not say how far group {self._name} is: {why}") from error

    def behind(self) -> int:
        """Records that are not committed yet."""
        try:
            self._ends = self._bounds(_LATEST)
            committed = self._client.list_group_offsets({self._name: self._partitions})[self._name]
            self._done = {partition: offset.offset for partition, offset in committed.items()}  # -1 where there is none
        except KafkaError as error:
            log.debug("backlog_unknown", group=self._name, error=str(error))  # what was known last counts
        return sum(end - max(self._begins[tp], self._done.get(tp, -1)) for tp, end in self._ends.items())

    def _bounds(self, which: int) -> dict[TopicPartition, int]:
        found = self._client.list_partition_offsets(dict.fromkeys(self._partitions, which))
        return {partition: offset.offset for partition, offset in found.items()}
