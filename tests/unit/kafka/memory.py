"""A log in memory, and a task that lives on it: what a service leaves behind, without a broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from learners.base import Learner
from stream.basis import Basis
from stream.config.model import Config
from stream.core.state import TaskState
from stream.decode import EventDecoder, LabelDecoder
from stream.kafka.client import Batches, Bounds, LogReader, Outgoing, Partition
from stream.kafka.task import Task
from stream.profile import Profile
from stream.records import Event, Label, Prediction
from stream.sinks.kafka import KafkaSink
from stream.testing import Raw


class Log:
    """Topics of one partition or more; `first` is the oldest offset still kept, by partition."""

    def __init__(self) -> None:
        self.records: dict[Partition, list[Raw]] = {}
        self.first: dict[Partition, int] = {}
        self.read: list[tuple[Partition, int]] = []
        """Which partitions were read from which offset on."""

    def append(self, record: Outgoing | Raw, timestamp: int = 0) -> Raw:
        """Add a record to its partition (0 if it names none)."""
        at = (record.topic, record.partition or 0)
        records = self.records.setdefault(at, [])
        timestamp = record.timestamp if isinstance(record, Raw) else timestamp
        records.append(Raw(record.value, record.key, *at, len(records), timestamp))
        return records[-1]

    def reader(self) -> LogReader:
        return _Reader(self)


class _Reader(LogReader):
    def __init__(self, log: Log) -> None:
        self._log = log
        self._at: dict[Partition, int] = {}

    def partitions(self, topic: str, timeout: float = 10.0) -> list[int]:
        return sorted(number for name, number in self._log.records if name == topic)

    def bounds(self, topic: str, partition: int, timeout: float = 10.0) -> Bounds:
        at = (topic, partition)
        return Bounds(self._log.first.get(at, 0), len(self._log.records.get(at, [])))

    def start(self, positions: Mapping[Partition, int]) -> None:
        self._log.read += positions.items()
        self._at = dict(positions)

    def move(self, topic: str, partition: int, offset: int) -> None:
        self._at[topic, partition] = offset

    def poll(self, timeout: float, most: int = 2000) -> Batches:
        found = {tp: self._log.records[tp][at : at + 7] for tp, at in self._at.items()}
        self._at = {tp: at + len(found[tp]) for tp, at in self._at.items()}
        return found

    def has_passed(self, topic: str, partition: int, offset: int) -> bool:
        return self._at[topic, partition] >= offset

    def close(self) -> None:
        pass


class Life:
    """A task with its log: give it records, and it predicts, learns and commits as a worker would have it do."""

    def __init__(self, config: Config, log: Log | None = None, profile: Profile | None = None) -> None:
        self.config = config
        self._profile = profile
        self.log = log or Log()
        self.predictions: dict[int, tuple[Prediction, bytes]] = {}  # with their bytes, by offset of the event
        self._now = 1e6
        self._sink = KafkaSink(config)
        self.task = self._task(TaskState(config, profile), 0)

    def begin_anew(self, config: Config) -> None:
        """The service is started again with another configuration, under which its snapshots do not count."""
        self.config = config
        state = TaskState(config)
        state.positions = dict(self.task.engine.state.positions)
        self.task = self._task(state, self.task.sequence)

    def take(self, records: Sequence[Event | Label | bytes]) -> None:
        """Take records in their order, in spans as long as may be, and commit. Bytes stand for an unreadable event."""
        topics = self.config.topics
        batches: dict[str, list[Raw]] = {topics.events: [], topics.labels or "": []}
        for record in records:
            topic = (topics.labels or "") if isinstance(record, Label) else topics.events
            stamp = 0 if isinstance(record, bytes) else round(record.timestamp * 1000)
            batches[topic].append(self.log.append(Raw(_value(record), b"key", topic, 0, 0, stamp)))
        for topic, batch in batches.items():
            self.task.add(topic, batch)
        self.task.ended(lambda topic, partition: True)
        effects: list[Any] | None
        while (effects := self.task.step()) is not None:
            for effect in effects:
                if isinstance(effect, Prediction):
                    sent = self._sink.prediction(effect)
                    self.log.append(sent, round(self._now * 1000))
                    self.predictions[effect.offset] = effect, sent.value or b""
        self.log.append(self.task.seal())
        self.task.committed()

    def _task(self, state: TaskState, sequence: int) -> Task:
        config = self.config
        decoders = (EventDecoder(config), LabelDecoder(config))
        digest = Basis(config, lambda: self._profile).digest
        return Task(config, 0, state, decoders, self._clock, sequence=sequence, config_digest=digest)

    def _clock(self) -> float:
        self._now += 1.7
        return self._now


def _value(record: Event | Label | bytes) -> bytes:
    if isinstance(record, bytes):
        return record
    row: dict[str, Any] = {"id": record.id, "label": record.label}
    return msgspec.json.encode(row | record.features if isinstance(record, Event) else row)


def nothing(digest: str) -> Learner[Any]:
    """Stands for a store from which nothing is fetched."""
    raise AssertionError("no artifact is needed")
