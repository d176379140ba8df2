"""Whether more of a topic's records than usual cannot be used, and why."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from detectors.base import Reading, Signal
from detectors.rejected import RejectedConfig, RejectedShare
from stream.config.model import Config
from stream.core.budget import divide
from stream.core.scores import Track
from stream.records import Event, Label, Rejected

REASONS_KEPT: Final = 100
"""Newest rejected records among which the commonest reason is looked for."""

Record: TypeAlias = Event | Label | Rejected


class Worsened(NamedTuple):
    """A topic of which more is rejected: the detector's name, its signal, where the topic stands at the record that
    showed it, and this record's offset and time.
    """

    name: str
    signal: Signal
    track: Track
    at: tuple[int, float]


class Rejections:
    """Watches the records of each topic. A topic of which more is rejected is told of once, until it has recovered."""

    def __init__(self, config: Config) -> None:
        parts = [part for part in divide(config) if part.section == "rejected"]
        self._topics = {topic: _Topic(topic, part.config) for part in parts for topic in part.watches}

    def observe(
        self, topic: str, taken: Sequence[Event | Label], rejected: Sequence[Rejected], ahead: float
    ) -> Iterator[Worsened]:
        """Take the records of a span that came from a topic, both kinds in the order of their offsets, while this is
        gone through: a track stands at the record that its signal came from. Times beyond `ahead` are not believed.
        """
        if topic in self._topics:
            yield from self._topics[topic].observe(taken, rejected, ahead)

    def readings(self) -> dict[tuple[str, str], Reading]:
        """The newest reading by (detector, topic)."""
        return {(one.name, topic): one.share.reading for topic, one in self._topics.items()}


class _Topic:
    """The records of one topic."""

    def __init__(self, topic: str, config: RejectedConfig) -> None:
        self.name = config.called
        self.share = RejectedShare(config)
        self._topic = topic
        self._track = Track(bound=256)  # 8,192 records back: a rise is found in fewer
        self._reasons: deque[str] = deque(maxlen=REASONS_KEPT)
        self._time = 0.0  # of the newest rejected record whose time is believed

    def observe(self, taken: Sequence[Event | Label], rejected: Sequence[Rejected], ahead: float) -> Iterator[Worsened]:
        records: Sequence[Record] = taken
        if rejected:
            records = sorted([*taken, *rejected], key=lambda record: record.offset)
        done = 0
        for index, record in enumerate(records if rejected else ()):
            if not isinstance(record, Rejected):
                continue
            self._note(records[done : index + 1])
            self.share.accepted(index - done)
            done = index + 1
            self._reasons.append(record.reason)
            if self._time < record.timestamp <= ahead:
                self._time = record.timestamp
            reading = self.share.rejected()
            if reading is not None:
                yield self._worsened(index, reading, record)
        self._note(records[done:])
        self.share.accepted(len(records) - done)

    def _note(self, records: Sequence[Record]) -> None:
        self._track.note(len(records), lambda i: (records[i].offset, records[i].timestamp))

    def _worsened(self, index: int, reading: Reading, record: Rejected) -> Worsened:
        assert reading.after is not None
        since = round(reading.after * reading.current_n)
        ((commonest, _),) = Counter(list(self._reasons)[-since:]).most_common(1)
        told = reading._replace(detail=commonest)
        signal = Signal(index, told, self._topic, run_length=self.share.config.run_length)
        return Worsened(self.name, signal, self._track, (record.offset, self._time))
