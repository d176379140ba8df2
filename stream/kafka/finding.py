"""Finding a past prediction on the predictions topic by its event's id: from the newest record back, a stretch of each
partition at a time, so that what was predicted lately is found at once however long the topic is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

import msgspec

from stream.errors import ConfigError, DriftlineError
from stream.kafka.client import LogReader, Truncated
from stream.records import Prediction, RawRecord

STRETCH: Final = 10_000
"""Offsets of a partition that are read first; each turn further back reads twice as many."""

Say: TypeAlias = Callable[[str], object]
"""Told from time to time how far a long piece of work has come. What it raises ends that."""


class UnknownPrediction(DriftlineError):
    """There is no prediction of that id where it was looked for."""


class Found(NamedTuple):
    """The newest prediction of an id: what it says, its bytes, and which record of the topic it is; `others` counts
    those before it that were met on the way.
    """

    prediction: Prediction
    value: bytes
    partition: int
    offset: int
    others: int


class _Partition:
    """How far back a partition has been read: offsets `first` up to `at` are left."""

    def __init__(self, number: int, first: int, end: int) -> None:
        self.number = number
        self.first = first
        self.at = self.end = end
        self.oldest = math.inf  # record time of the oldest record read

    def may_hold_newer(self, than: float) -> bool:
        return self.at > self.first and self.oldest > than


def find(reader: LogReader, topic: str, id_: str, partition: int | None = None, say: Say = lambda text: None) -> Found:
    """The newest prediction of an event's id on a topic, or on one of its partitions.

    Raises UnknownPrediction, ConfigError for a partition that is not there, BrokerError.
    """
    numbers = reader.partitions(topic)
    if partition is not None and partition not in numbers:
        raise ConfigError(f"--partition: {topic} has no partition {partition}.", f"It has 0 to {numbers[-1]}.")
    sides = [_Partition(n, *reader.bounds(topic, n)) for n in (numbers if partition is None else [partition])]
    search = _Search(reader, topic, id_, say, sum(side.at - side.first for side in sides))
    stretch = STRETCH
    while left := [side for side in sides if side.may_hold_newer(search.newest)]:
        for side in left:
            search.read(side, stretch)
        stretch *= 2
    if not search.hits:
        raise _unknown(topic, id_, sides)
    (_, record, prediction), *others = sorted(search.hits, key=lambda hit: hit[0], reverse=True)
    return Found(prediction, record.value or b"", record.partition, record.offset, len(others))


class _Search:
    """Collects the predictions of one id from the stretches it is given to read."""

    def __init__(self, reader: LogReader, topic: str, id_: str, say: Say, total: int) -> None:
        self.hits: list[tuple[tuple[int, int], RawRecord, Prediction]] = []  # with record time and offset
        self._reader = reader
        self._topic = topic
        self._id = id_
        self._say = say
        self._total = total
        self._done = 0
        self._sign = msgspec.json.encode(id_)
        self._decode = msgspec.json.Decoder(Prediction).decode

    @property
    def newest(self) -> float:
        """The record time of the newest prediction found."""
        return max((time for (time, _), _, _ in self.hits), default=-math.inf)

    def read(self, side: _Partition, stretch: int) -> None:
        """Read the next stretch back of a partition."""
        start = max(side.first, side.at - stretch)
        try:
            for batch in self._reader.read(self._topic, side.number, start, side.at):
                side.oldest = min(side.oldest, batch[0].timestamp)
                for record in batch:
                    if record.value is not None and self._sign in record.value:
                        self._keep(record)
                self._tell(self._done + batch[-1].offset + 1 - start)
        except Truncated as error:  # the topic was cut off meanwhile: what is left is read next
            side.first = error.first
            return
        self._done += side.at - start
        side.at = start
        self._tell(self._done)

    def _tell(self, done: int) -> None:
        self._say(f"{self._topic}: {done:,} of {self._total:,} offsets read, the newest first")

    def _keep(self, record: RawRecord) -> None:
        try:
            prediction = self._decode(record.value or b"")
        except msgspec.MsgspecError:  # written by others
            return
        if prediction.id == self._id:
            self.hits.append(((record.timestamp, record.offset), record, prediction))


def _unknown(topic: str, id_: str, sides: list[_Partition]) -> UnknownPrediction:
    searched = ", ".join(
        f"[{side.number}] offsets {side.first} to {side.end - 1}" if side.end > side.first else f"[{side.number}] empty"
        for side in sides
    )
    return UnknownPrediction(
        f"there is no prediction of {id_!r} on {topic}. Searched: {searched}.",
        "Give the event's id as predictions carry it. Older predictions are gone if the topic does not keep them "
        "(retention.ms, retention.bytes).",
    )
