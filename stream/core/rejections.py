"""Whether more of a topic's records than usual cannot be used, and why."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from detectors.base import Reading, Signal
from detectors.rejected import RejectedConfig, RejectedShare
from stream.config.budget import divide
from stream.config.model import Config
from stream.core.incidents import Incidents, Place
from stream.core.scores import Track
from stream.records import Alert, Event, Label, Rejected

REASONS_KEPT: Final = 100
"""Newest rejected records among which the commonest reason is looked for."""

Record: TypeAlias = Event | Label | Rejected

Make: TypeAlias = Callable[[str, Signal, Track, tuple[int, float]], Alert]
"""Makes the alert that a detector of this name would raise: of its signal, where the topic stands at the record that
showed it, and this record's offset and time.
"""


class Rejections:
    """Watches the records of each topic. A topic of which more is rejected is told of once, and when that is over."""

    def __init__(self, config: Config) -> None:
        parts = [part for part in divide(config) if part.section == "rejected"]
        cooldown = config.alerts.cooldown
        self._topics = {topic: _Topic(topic, part.config, cooldown) for part in parts for topic in part.watches}

    def observe(
        self, topic: str, taken: Sequence[Event | Label], rejected: Sequence[Rejected], ahead: float, make: Make
    ) -> list[Alert]:
        """Take the records of a span that came from a topic, both kinds in the order of their offsets; what is to be
        told. Times beyond `ahead` are not believed.
        """
        return self._topics[topic].observe(taken, rejected, ahead, make) if topic in self._topics else []

    def readings(self) -> dict[tuple[str, str], Reading]:
        """The newest reading by (detector, topic)."""
        return {(one.name, topic): one.share.reading for topic, one in self._topics.items()}

    def worse(self) -> list[str]:
        """The topics of which a drift was told that is not over."""
        return [topic for topic, one in self._topics.items() if one.incidents.count()]

    def count(self) -> Counter[str]:
        """Drifts by kind that were told and are not over."""
        return sum((one.incidents.count() for one in self._topics.values()), Counter())


class _Topic:
    """The records of one topic."""

    def __init__(self, topic: str, config: RejectedConfig, cooldown: float) -> None:
        self.name = config.called
        self.share = RejectedShare(config)
        self.incidents = Incidents(cooldown)
        self._topic = topic
        self._track = Track(bound=256)  # 8,192 records back: a rise is found in fewer
        self._reasons: deque[str] = deque(maxlen=REASONS_KEPT)
        self._time = 0.0  # of the newest record that was looked at and whose time is believed

    def observe(
        self, taken: Sequence[Event | Label], rejected: Sequence[Rejected], ahead: float, make: Make
    ) -> list[Alert]:
        records: Sequence[Record] = taken
        if rejected:
            records = sorted([*taken, *rejected], key=lambda record: record.offset)
        alerts: list[Alert] = []
        done = 0
        for index, record in enumerate(records if rejected or self.incidents.open else ()):
            if not isinstance(record, Rejected) and not self.incidents.open:
                continue
            self._take(records[done : index + 1])
            done = index + 1
            if self._time < record.timestamp <= ahead:
                self._time = record.timestamp
            alerts += self._look_at(record, make)
        self._take(records[done:])
        return alerts

    def _take(self, records: Sequence[Record]) -> None:
        """Take records of which all but the last are usable."""
        self._track.note(len(records), lambda i: (records[i].offset, records[i].timestamp))
        self.share.accepted(len(records) - (bool(records) and isinstance(records[-1], Rejected)))

    def _look_at(self, record: Record, make: Make) -> list[Alert]:
        """What is to be told after the newest record."""
        open_, is_rejected = self.incidents.open, isinstance(record, Rejected)
        told = self.incidents.recorded(is_rejected, (record.offset, self._time))
        verdicts = {one.ending.verdict() for one in open_}
        if "recovered" in verdicts:
            self.share.reset()
        elif "settled" in verdicts:
            self.share.settle()
        return told + self._rejected(record, make) if isinstance(record, Rejected) else told

    def _rejected(self, record: Rejected, make: Make) -> list[Alert]:
        self._reasons.append(record.reason)
        reading = self.share.rejected()
        if reading is None:
            return []
        assert reading.after is not None
        since = round(reading.after * reading.current_n)
        ((commonest, _),) = Counter(list(self._reasons)[-since:]).most_common(1)
        told = reading._replace(detail=commonest)
        signal = Signal(0, told, self._topic, run_length=self.share.config.run_length)
        at = record.offset, self._time
        alert = make(self.name, signal, self._track, at)
        return self.incidents.misled(alert, Place(self._track.count, *at), signal.behind, dict)
