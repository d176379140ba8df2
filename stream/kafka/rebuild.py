"""Rebuilding the task that made a past prediction, as it was at that event: from snapshot, journal and log.

The newest snapshot from before the event, of the two newest or of the archive, is taken up, or else the task is begun
where the journal begins; entries are done over silently up to the step that took the event, and that step up to the
event itself. What the task then says is what it said, to the last bit. Nothing is written, claimed or committed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import structs

from learners.artifacts import Trust
from learners.base import Explanation, Learner
from stream.basis import Basis
from stream.config.digest import STATE_SECTIONS
from stream.config.model import AuditConfig, Config
from stream.core.engine import Engine
from stream.core.journal import Entry, SpanStep
from stream.core.state import TaskState
from stream.decode import EventDecoder, LabelDecoder
from stream.errors import DriftlineError, StoreError
from stream.kafka.client import LogReader
from stream.kafka.finding import Say
from stream.kafka.opening import Past, needed
from stream.kafka.replay import Gap, Replay
from stream.kafka.snapshots import ARCHIVED, Stored, snapshots_of
from stream.records import Features, Prediction, Span
from stream.sinks.kafka import KafkaSink
from stream.stores.base import SnapshotStore

TOLD_EVERY: Final = 10
"""Steps done over between two words on how far it has come."""


class NotRebuilt(DriftlineError):
    """The task cannot be brought back to where it made a prediction. The message says what is missing."""


class OtherConfiguration(NotRebuilt):
    """The prediction was made with another configuration or profile, of which `digest` is what the journal says."""

    def __init__(self, message: str, cure: str, digest: str) -> None:
        super().__init__(message, cure)
        self.digest = digest


class Moment(NamedTuple):
    """An event as the task met it: what was known of it, the recipe of the champion that it met, how that came to its
    score (None where it cannot be said), and the prediction that was made.
    """

    features: Features
    recipe: str
    explanation: Explanation | None
    prediction: Prediction


class Rebuilt(NamedTuple):
    """A past prediction made once more.

    `source` says what the task was rebuilt from, `entries` how many of the journal were done over whole, and `trouble`
    why snapshots could not be used, if so. `differences` are the fields in which the two predictions differ, with what
    was published and what was made now, as JSON: none when they agree to the last bit.
    """

    moment: Moment
    source: str
    entries: int
    trouble: str
    differences: dict[str, tuple[str, str]]


class Rebuilder:
    """Rebuilds tasks of a service, as an onlooker."""

    def __init__(
        self,
        basis: Basis,
        snapshots: SnapshotStore,
        trust: Trust,
        load: Callable[[str], Learner[Any]],
        connect: Callable[[], LogReader],
        say: Say = lambda text: None,
        earlier: Callable[[str], Basis | None] = lambda digest: None,
    ) -> None:
        """`load` fetches the learner of a digest from the store, `earlier` finds the basis that has a digest, which
        tasks may have had before this one. Raises what the basis does for its profile.
        """
        self._config = basis.config
        self._digest, self._profile = basis.digest, basis.profile
        self._decoders = (EventDecoder(basis.config), LabelDecoder(basis.config))
        self._snapshots = snapshots
        self._trust = trust
        self._load = load
        self._connect = connect
        self._say = say
        self._earlier = earlier

    def rebuild(self, published: Prediction, value: bytes) -> Rebuilt:
        """Make a prediction, which stands on its topic as `value`, once more: with the basis that its task had then.
        Raises NotRebuilt, BrokerError, StoreError, and what an earlier basis does for its profile.
        """
        try:
            return self._rebuild(published, value)
        except OtherConfiguration as other:
            basis = self._earlier(other.digest)
            if basis is None:
                raise
        then = Rebuilder(basis, self._snapshots, self._trust, self._load, self._connect, self._say)
        return then._rebuild(published, value)

    def _rebuild(self, published: Prediction, value: bytes) -> Rebuilt:
        self._say("looking for the newest snapshot of before")
        stored, trouble = self._newest_before(published)
        # Whether predictions carry their features changes nothing else: let it be as it was then.
        audit = AuditConfig(features=published.features is not None)
        config = self._config.model_copy(update={"audit": audit})
        with Past(config, published.partition, self._connect) as past:
            try:
                way, moment = self._go_or_begin_anew(config, past, stored, published)
            except Gap as gap:
                raise self._lost(published, gap.message, trouble) from gap
        made = KafkaSink(config).prediction(moment.prediction).value or b""
        return Rebuilt(moment, way.source, way.entries, trouble, differences(value, made))

    def _newest_before(self, published: Prediction) -> tuple[Stored | None, str]:
        """The newest snapshot to which the event is yet to come, and why none could be had: it may not be needed."""
        try:
            for stored in snapshots_of(
                self._snapshots, self._trust, self._config.app, published.partition, before=published.offset
            ):
                reached = stored.resumed.positions.get("events", 0)
                if stored.config == self._digest and reached <= published.offset:
                    return stored, ""
        except StoreError as error:
            return None, error.message
        return None, ""

    def _go_or_begin_anew(
        self, config: Config, past: Past, stored: Stored | None, published: Prediction
    ) -> tuple[_Way, Moment]:
        """Go there from a snapshot. Where the journal does not go on from that, it may be of a life before this one,
        whose topics are no more: then from where the journal begins.
        """
        try:
            return self._go(config, past, stored, published)
        except Gap as gap:
            if stored is None:
                raise
            try:
                return self._go(config, past, None, published)
            except Gap:
                raise gap from None

    def _go(self, config: Config, past: Past, stored: Stored | None, published: Prediction) -> tuple[_Way, Moment]:
        """Go along the journal up to the event. A task was begun with entry 1, and after a change of what its state
        depends on.
        """
        offset, way = published.offset, None
        entries, before = past.entries(0), ""
        if stored is not None:
            resumed = stored.resumed
            entries, before = past.entries(resumed.journal, resumed.sequence), self._digest
            way = self._begin(config, past, published, resumed.state, _snapshot(stored))
        first = None
        for entry in entries:
            first = first or entry
            if entry.sequence == 1 or (before and before != entry.config):
                way = None
                if entry.config == self._digest:
                    way = self._begin(config, past, published, None, _beginning(entry))
                    way.engine.state.positions = dict(entry.start)
            before = entry.config
            step = step_that_took(entry, offset)
            if step is not None:
                if entry.config != self._digest:
                    raise self._other_configuration(published, entry)
                if way is None:
                    raise Gap(
                        f"none of its task's snapshots goes back that far, and {self._journal(published)} does not "
                        f"begin with entry 1 any more, but with entry {first.sequence:,}"
                    )
                return way, way.meet(entry, step)
            if entry.start.get("events", 0) > offset:
                break
            if way is not None:
                way.pass_by(entry)
        raise Gap(f"{self._journal(published)} has no entry that takes it")

    def _begin(self, config: Config, past: Past, published: Prediction, state: TaskState | None, source: str) -> _Way:
        engine = Engine(config, published.partition, state, self._profile)
        topics, (events, labels) = config.topics, self._decoders
        replay = Replay(
            engine,
            past.tape(topics.events, events.decode),
            past.tape(topics.labels, labels.decode),
            partial(needed, self._load),
        )
        return _Way(engine, replay, source, published.offset, self._say)

    # errors

    def _journal(self, published: Prediction) -> str:
        return f"the journal {self._config.topics.journal}[{published.partition}]"

    def _lost(self, published: Prediction, why: str, trouble: str) -> NotRebuilt:
        topics = self._config.topics
        kept = " and ".join(name for name in (topics.events, topics.labels, topics.journal) if name)
        snapshots = f"; snapshots could not be read: {trouble}" if trouble else ""
        return NotRebuilt(
            f"the past of event {published.id!r} ({place(self._config, published)}) cannot be done over: "
            f"{why}{snapshots}",
            f"Keep {kept} for as long as predictions are to be explained, and runtime.snapshot_archive.every longer "
            "(retention.ms, retention.bytes); so with versions of the model (redis.retention.older_than).",
        )

    def _other_configuration(self, published: Prediction, entry: Entry) -> OtherConfiguration:
        return OtherConfiguration(
            f"event {published.id!r} ({place(self._config, published)}) was predicted with another configuration: its "
            f"digest was {entry.config[:12]}, that of this file is {self._digest[:12]}",
            f"Give the file as it was then (-c). What counts are its sections {', '.join(STATE_SECTIONS)}, and the "
            "sample in the profile that references.profile names; of those that were pushed, Redis keeps the newest.",
            entry.config,
        )


class _Way:
    """A task on its way along its journal, to the event at `offset`."""

    def __init__(self, engine: Engine, replay: Replay, source: str, offset: int, say: Say) -> None:
        self.engine = engine
        self.source = source
        self.entries = 0
        self._replay = replay
        self._offset = offset
        self._steps = 0
        self._say = say

    def pass_by(self, entry: Entry) -> None:
        """Do an entry over. Raises Gap."""
        for _ in self._replay.entry(entry):
            self._went_on()
        self.entries += 1

    def meet(self, entry: Entry, step: SpanStep) -> Moment:
        """Do an entry over up to the event, which that step of it took. Raises Gap."""
        self._replay.begin(entry)
        for earlier in entry.steps[: entry.steps.index(step)]:
            self._replay.step(earlier)
            self._went_on()
        return meet(self.engine, self._replay, step, self._offset)

    def _went_on(self) -> None:
        """A step was done over: tell from time to time how far it has come."""
        self._steps += 1
        if self._steps % TOLD_EVERY == 0:
            self._say(f"done over up to event {self.engine.state.positions.get('events', 0):,} of {self._offset:,}")


def _snapshot(stored: Stored) -> str:
    kind = "archived snapshot" if stored.which == ARCHIVED else "snapshot"
    return f"its {kind} after entry {stored.resumed.sequence:,}"


def _beginning(entry: Entry) -> str:
    if entry.sequence == 1:
        return "the beginning of its journal"
    return f"entry {entry.sequence:,} of its journal, where it was begun anew with this configuration"


def step_that_took(entry: Entry, offset: int) -> SpanStep | None:
    """The step of an entry that took the event at an offset; None when there is none."""
    for step in entry.steps:
        if isinstance(step, SpanStep) and step.events is not None and step.events[0] <= offset < step.events[1]:
            return step
    return None


def meet(engine: Engine, replay: Replay, step: SpanStep, offset: int) -> Moment:
    """Do a step over up to one of its events, look at the champion that this event meets, and have it predicted.

    The engine learns from a label that comes with its event before it goes on to the next one: so the step is cut on
    both sides of the event. The labels topic's come after all of a step's events. Raises Gap.
    """
    assert step.events is not None
    span = replay.span(structs.replace(step, events=(step.events[0], offset + 1), labels=None))
    event = span.events[-1] if span.events else None
    if event is None or event.offset != offset:
        raise Gap(f"the record at offset {offset} is not an event any more")
    engine.process(structs.replace(span, events=span.events[:-1]), step.now)
    champion = engine.state.champion
    explanation = champion.explain(event.features)
    effects = engine.process(Span([event], [], [], span.received), step.now)
    prediction = next((effect for effect in effects if isinstance(effect, Prediction)), None)
    if prediction is None:
        raise Gap(f"the event at offset {offset} is a duplicate there, of which no prediction was made")
    return Moment(event.features, champion.config.kind, explanation, prediction)


def differences(published: bytes, made: bytes) -> dict[str, tuple[str, str]]:
    """The fields in which two predictions differ by a bit, as both have them; `nothing` where one has none."""
    read = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    theirs, ours = read(published), read(made)

    def text(raw: msgspec.Raw | None) -> str:
        return "nothing" if raw is None else bytes(raw).decode()

    pairs = {name: (text(theirs.get(name)), text(ours.get(name))) for name in {**theirs, **ours}}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def place(config: Config, prediction: Prediction) -> str:
    """Where the event of a prediction stands: topic[partition]@offset."""
    return f"{config.topics.events}[{prediction.partition}]@{prediction.offset}"
