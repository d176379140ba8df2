"""One partition's work: its decoded records, merged on time, through its engine, with every step written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from stream.config.model import Config
from stream.core import journal
from stream.core.engine import Engine
from stream.core.journal import ChallengeStep, Entry, RefusedStep, SpanStep, Step, SwapStep, WithdrawStep
from stream.core.merge import Merger
from stream.core.state import TaskState
from stream.decode import EventDecoder, LabelDecoder
from stream.kafka.client import Outgoing, Position
from stream.records import Challenge, Command, Effect, Event, Label, Rejected, Span, Swap, Withdraw

SPAN = 500
"""Most records of one engine step."""
FIRST_SPAN = 32
"""Records of a task's first step: nothing is known then of what a record costs."""
STEP_SECONDS = 0.05
"""Time that a step is meant to take at most, however slow the learner: polls, commits, swaps and stops wait no longer.
"""
FULL = 4000
"""Steps after which a commit is due, whatever the interval: they go into one record of the journal, of half a megabyte.
"""


class Task:
    """Owns the engine of one partition and the records that wait to be taken.

    `sequence` is the number of its last commit, `sealed` whether the next one is under way; `config_digest` is that of
    what its state depends on.
    """

    def __init__(
        self,
        config: Config,
        partition: int,
        state: TaskState | None,
        decoders: tuple[EventDecoder, LabelDecoder],
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.perf_counter,
        *,
        sequence: int = 0,
        config_digest: str = "",
    ) -> None:
        self.partition = partition
        self.engine = Engine(config, partition, state)
        self.sequence = sequence
        self._digest = config_digest
        self._topics = config.topics
        self._max_buffered = config.merge.max_buffered
        self._decode_events, self._decode_labels = decoders
        self._clock = clock
        self._timer = timer
        self._start = dict(self.engine.state.positions)
        self._steps: list[Step] = []
        merge, two_topics = config.merge, self._topics.labels is not None
        self._merger = Merger(merge.slack, merge.wait, two_topics=two_topics, max_span=FIRST_SPAN)
        self._rest: Span | None = None  # of a span that ended early, with a promotion asked for
        self.sealed = False
        self.paused: set[str] = set()
        self.taken = Span()
        """What the newest step took."""

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
        """Take the next span, up to the record at which a promotion is asked for; None when there is none to take now.

        What is left of a span comes first the next time.
        """
        span = self._rest or self._merger.next_span(self._clock())
        if span is None:
            return None
        now, started = self._clock(), self._timer()
        effects, taken, self._rest = self.engine.take(span, now)
        self.taken = taken
        self._pace(len(taken.events) + len(taken.labels), self._timer() - started)
        events = self._taken(self._topics.events, taken.events, taken.rejected)
        labels = self._taken(self._topics.labels, taken.labels, taken.rejected)
        self._steps.append(SpanStep(taken.received, now, events, labels))
        return effects

    @property
    def span(self) -> int:
        """Most records of the next step."""
        return self._merger.max_span

    def _pace(self, records: int, seconds: float) -> None:
        """Have the next span take about `STEP_SECONDS`, if this one of `records` took so many; grow by steps only."""
        if records:
            fitting = int(STEP_SECONDS * records / max(seconds, 1e-6))
            self._merger.max_span = max(1, min(SPAN, fitting, 4 * self._merger.max_span))

    @staticmethod
    def _taken(
        topic: str | None, records: Sequence[Event | Label], rejected: Sequence[Rejected]
    ) -> tuple[int, int] | None:
        """The stretch of a topic that a span took."""
        ends = [records[0].offset, records[-1].offset] if records else []
        ends += [record.offset for record in rejected if record.topic == topic]
        return (min(ends), max(ends) + 1) if ends else None

    def command(self, command: Command) -> list[Effect]:
        """Apply a command between two spans."""
        now = self._clock()
        self._steps.append(_written(command, now))
        return self.engine.command(command, now)

    def facts(self, effects: Sequence[Effect]) -> dict[str, int]:
        """What a trace says of a step with these effects."""
        return {"partition": self.partition, "effects": len(effects), "version": self.engine.state.version}

    @property
    def changed(self) -> bool:
        """Whether the state is another than at the last commit."""
        return bool(self._steps) or self.sealed

    @property
    def uncommitted(self) -> bool:
        """Whether there are steps to commit. Commands before the first record wait: a commit needs a position."""
        return bool(self._steps and self.engine.state.positions)

    @property
    def full(self) -> bool:
        """Whether there are so many steps to commit that it is due."""
        return len(self._steps) >= FULL

    def seal(self) -> Outgoing:
        """The journal record of what was done since the last commit; there must be something to commit. What is done
        from now on goes into the next one, which is to be asked for after `committed`.
        """
        assert self.uncommitted
        assert not self.sealed
        entry = Entry(
            sequence=self.sequence + 1,
            config=self._digest,
            start=self._start,
            end=dict(self.engine.state.positions),
            steps=self._steps,
        )
        self._start, self._steps, self.sealed = entry.end, [], True
        topic = self._topics.journal
        assert topic is not None  # the configuration names one where the user does not
        return Outgoing(topic, None, journal.encode(entry), [], self.partition)

    def positions(self) -> dict[tuple[str, int], Position]:
        """What is to be committed with what was done by now: the next offset to read of each topic, marked with the
        number of the entry.
        """
        names = {"events": self._topics.events, "labels": self._topics.labels}
        mark = str(self.sequence + 1)
        return {
            (topic, self.partition): Position(self.engine.state.positions[name], mark)
            for name, topic in names.items()
            if topic and name in self.engine.state.positions
        }

    def committed(self) -> None:
        """The sealed entry and its positions are committed."""
        self.sequence += 1
        self.sealed = False

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


def _written(command: Command, now: float) -> Step:
    """A command as the journal has it."""
    match command:
        case Swap():
            return SwapStep(now, command.version, command.reason, command.source, command.digest)
        case Challenge():
            return ChallengeStep(now, command.version, command.digest)
        case Withdraw():
            return WithdrawStep(now, command.version)
        case _:
            return RefusedStep(now, command.reason)
