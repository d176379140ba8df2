"""Doing a task's past over, from its journal: silently, to the last bit, up to a commit or to one event.

Nothing is published. What the log no longer holds is a `Gap`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from learners.base import Learner
from stream.core.engine import Engine
from stream.core.journal import ChallengeStep, Entry, RefusedStep, SpanStep, Step, SwapStep, WithdrawStep
from stream.errors import DriftlineError
from stream.records import (
    Challenge,
    Command,
    Effect,
    Event,
    Label,
    PromotionRefused,
    Rejected,
    Span,
    Swap,
    Withdraw,
)


class Gap(DriftlineError):
    """The past cannot be done over: a record, an entry or an artifact that it needs is gone, or is another one."""


Record: TypeAlias = Event | Label | Rejected


class Tape:
    """The decoded records of one partition of a topic, in order of offset, read as they are needed."""

    def __init__(
        self,
        where: str,
        batches: Callable[[int], Iterator[Sequence[Any]]],
        decode: Callable[[Sequence[Any]], Sequence[Record]],
    ) -> None:
        """`where` is topic[partition]; `batches` reads raw records from an offset on and raises Gap when it is gone."""
        self._where = where
        self._read = batches
        self._decode = decode
        self._batches: Iterator[Sequence[Any]] | None = None
        self._ready: deque[Record] = deque()

    def take(self, first: int, stop: int) -> list[Record]:
        """The records from offset `first` up to `stop`, which come after all taken so far. Raises Gap."""
        if self._batches is None:
            self._batches = self._read(first)
        taken: list[Record] = []
        while not taken or taken[-1].offset < stop - 1:
            if not self._ready:
                batch = next(self._batches, None)
                if batch is None:
                    break
                self._ready.extend(self._decode(batch))
            elif self._ready[0].offset >= stop:
                break
            else:
                taken.append(self._ready.popleft())
        if not taken or (taken[0].offset, taken[-1].offset) != (first, stop - 1):
            raise Gap(f"{self._where} no longer holds offsets {first} to {stop - 1}")
        return taken


class Replay:
    """Takes an engine along journal entries. `load` opens the artifact of a digest, and raises Gap when it cannot."""

    def __init__(
        self,
        engine: Engine,
        events: Tape,
        labels: Tape,
        load: Callable[[str], Learner[Any]],
    ) -> None:
        self._engine = engine
        self._events = events
        self._labels = labels
        self._load = load

    def entry(self, entry: Entry) -> Iterator[list[Effect]]:
        """Do the steps of an entry over, one at a time. Raises Gap."""
        self.begin(entry)
        for step in entry.steps:
            yield self.step(step)
        state = self._engine.state
        if state.positions != entry.end:
            raise Gap(f"entry {entry.sequence} ends at {entry.end}, the task came to {state.positions}")

    def begin(self, entry: Entry) -> None:
        """Make sure that the task stands where an entry begins. Raises Gap."""
        at = self._engine.state.positions
        if at != entry.start:
            raise Gap(f"entry {entry.sequence} begins at {entry.start}, the task is at {at}")

    def step(self, step: Step) -> list[Effect]:
        """Do one step over; the effects it had. Raises Gap."""
        if isinstance(step, SpanStep):
            return self._engine.process(self.span(step), step.now)
        return self._engine.command(self._command(step), step.now)

    def span(self, step: SpanStep) -> Span:
        """The records that a step took. Raises Gap."""
        taken = [] if step.events is None else self._events.take(*step.events)
        taken += [] if step.labels is None else self._labels.take(*step.labels)
        return Span(
            [record for record in taken if isinstance(record, Event)],
            [record for record in taken if isinstance(record, Label)],
            [record for record in taken if isinstance(record, Rejected)],
            step.received,
        )

    def _command(self, step: SwapStep | RefusedStep | ChallengeStep | WithdrawStep) -> Command:
        match step:
            case SwapStep():
                return Swap(self._learner(step), step.version, step.reason, step.source, step.digest)
            case ChallengeStep():
                return Challenge(self._load(step.digest), step.version, digest=step.digest)
            case WithdrawStep():
                return Withdraw(step.version)
            case RefusedStep():
                return PromotionRefused(step.reason)

    def _learner(self, step: SwapStep) -> Learner[Any]:
        state = self._engine.state
        if step.source == "champion":
            return state.champion
        if step.source == "challenger":
            challenger = state.adaptation.proposed
            if challenger is None:
                raise Gap(f"version {step.version} was this task's challenger, but it has none")
            return challenger.learner
        if step.source == "held":
            held = state.holding(step.version)
            if held is None:
                raise Gap(f"version {step.version} lived on in this task, but the task does not have it")
            return held
        return self._load(step.digest)
