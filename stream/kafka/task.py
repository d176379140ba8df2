"""One partition's work: its decoded records, merged on time, through its engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from stream.config.model import Config
from stream.core.engine import Engine, TaskState
from stream.core.merge import Merger
from stream.decode import EventDecoder, LabelDecoder
from stream.records import Command, Effect

SPAN = 500
"""Most records of one engine step: short enough that a swap or a stop need not wait long for it."""


class Task:
    """Owns the engine of one partition and the records that wait to be taken."""

    def __init__(
        self,
        config: Config,
        partition: int,
        state: TaskState | None,
        decoders: tuple[EventDecoder, LabelDecoder],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.partition = partition
        self.engine = Engine(config, partition, state)
        self._topics = config.topics
        self._max_buffered = config.merge.max_buffered
        self._decode_events, self._decode_labels = decoders
        self._clock = clock
        self._config = config
        self.rewind()

    def rewind(self) -> None:
        """Forget the records that wait: they will be read again."""
        merge = self._config.merge
        self._merger = Merger(merge.slack, merge.wait, two_topics=self._topics.labels is not None, max_span=SPAN)
        self.paused: set[str] = set()

    def add(self, topic: str, records: Sequence[Any]) -> None:
        """Records have come from the broker."""
        if topic == self._topics.events:
            self._merger.add_events(self._decode_events.decode(records), self._clock())
        else:
            self._merger.add_labels(self._decode_labels.decode(records), self._clock())

    def ended(self, at_end: Callable[[str, int], bool]) -> None:
        """Ask whether each topic has given all that it holds."""
        events, labels = self._topics.events, self._topics.labels
        self._merger.ended(
            events=at_end(events, self.partition), labels=labels is not None and at_end(labels, self.partition)
        )

    def step(self) -> list[Effect] | None:
        """Take the next span; None when there is none to take now."""
        span = self._merger.next_span(self._clock())
        return None if span is None else self.engine.process(span, self._clock())

    def command(self, command: Command) -> list[Effect]:
        """Apply a command between two spans."""
        return self.engine.command(command, self._clock())

    def wake_in(self) -> float | None:
        """Seconds until a record that waits for the other topic has waited long enough; None when none waits."""
        at = self._merger.wake_at()
        return None if at is None else max(0.0, at - self._clock())

    def pressure(self) -> tuple[list[str], list[str]]:
        """Topics of this partition to pause because too much waits, and to resume because that is over."""
        pause, resume = [], []
        for topic, waiting in zip((self._topics.events, self._topics.labels), self._merger.buffered, strict=True):
            if topic and topic not in self.paused and waiting >= self._max_buffered:
                pause.append(topic)
            elif topic and topic in self.paused and waiting <= self._max_buffered // 2:
                resume.append(topic)
        self.paused = self.paused.union(pause).difference(resume)
        return pause, resume

    def offsets(self) -> dict[tuple[str, int], int]:
        """The next offset to read of each topic, once all effects so far are acknowledged."""
        names = {"events": self._topics.events, "labels": self._topics.labels}
        return {
            (topic, self.partition): self.engine.state.positions[name]
            for name, topic in names.items()
            if topic and name in self.engine.state.positions
        }
