"""Opening a task where its partition was left: newest snapshot, then the journal up to the last commit, then live.

What was committed with the positions says how far the journal counts. If the log no longer holds what is needed, the
task starts from what there is, says so, and counts the records that it will never have learned from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeAlias

import structlog

from learners.artifacts import ArtifactError
from learners.base import Learner
from stream.basis import Basis
from stream.config.model import Config
from stream.core import journal
from stream.core.engine import Engine
from stream.core.journal import Entry
from stream.decode import EventDecoder, LabelDecoder
from stream.errors import BrokerError, StoreError
from stream.faultpoints import passing
from stream.kafka.client import Bounds, LogReader, Position, Truncated
from stream.kafka.replay import Gap, Replay, Tape
from stream.kafka.snapshots import Resumed, Snapshots
from stream.kafka.task import Task
from stream.stores.base import UnknownVersion
from stream.telemetry import Telemetry

log = structlog.get_logger()

ANSWER_TIMEOUT = 5.0
"""Longest wait, in seconds, for the bounds of a partition."""

Committed: TypeAlias = Mapping[str, Position | None]
"""The committed position of each input topic of a partition."""


class Past:
    """The log of one partition: the journal's entries and the records that they name."""

    def __init__(self, config: Config, partition: int, connect: Callable[[], LogReader]) -> None:
        self._config = config
        self._partition = partition
        self._connect = connect
        self._readers = ExitStack()

    def __enter__(self) -> Past:
        return self

    def __exit__(self, *exception: object) -> None:
        self._readers.close()

    def entries(self, at: int, after: int | None = None, last: int | None = None) -> Iterator[Entry]:
        """The journal's entries from offset `at` on, each once: those with numbers over `after` (all if None) up to
        `last` (as far as there are any if None). Raises Gap.
        """
        topic = self._config.topics.journal
        assert topic is not None
        reader = self._reader()
        begin, end = reader.bounds(topic, self._partition)
        waiting: Entry | None = None
        for batch in self._read(reader, topic, max(at, begin), end):
            for record in batch:
                try:
                    entry = journal.decode(record.value)
                except ValueError as error:
                    raise Gap(f"{topic}[{self._partition}]@{record.offset}: {error}") from error
                if after is not None and entry.sequence <= after:
                    continue
                if waiting is not None and entry.sequence != waiting.sequence:
                    yield self._next(waiting, after)
                    after = waiting.sequence
                if last is not None and entry.sequence > last:
                    return
                waiting = entry
        if waiting is not None:
            yield self._next(waiting, after)
            after = waiting.sequence
        if last is not None and (after or 0) < last:
            raise Gap(f"the journal {topic}[{self._partition}] ends at entry {after or 0}; entry {last} was committed")

    def tape(self, topic: str | None, decode: Callable[[Sequence[Any]], Sequence[Any]]) -> Tape:
        """The records of an input topic."""
        where = f"{topic}[{self._partition}]"
        return Tape(where, partial(self._from, topic), decode)

    def _next(self, entry: Entry, after: int | None) -> Entry:
        if after is not None and entry.sequence != after + 1:
            raise Gap(f"the journal has no entry {after + 1}; the next is {entry.sequence}")
        return entry

    def _from(self, topic: str | None, first: int) -> Iterator[Sequence[Any]]:
        if topic is None:
            raise Gap(f"the journal names offset {first} of a topic that is not configured")
        reader = self._reader()
        return self._read(reader, topic, first, reader.bounds(topic, self._partition)[1])

    def _read(self, reader: LogReader, topic: str, start: int, stop: int) -> Iterator[Sequence[Any]]:
        try:
            yield from reader.read(topic, self._partition, start, stop)
        except Truncated as error:
            raise Gap(error.message, error.cure) from error

    def _reader(self) -> LogReader:
        reader = self._connect()
        self._readers.callback(reader.close)
        return reader


def needed(load: Callable[[str], Learner[Any]], digest: str) -> Learner[Any]:
    """The learner in an artifact that the journal names, as `load` gives it. Raises Gap when the store has it no
    longer, or not as it was; StoreError when the store cannot be asked.
    """
    try:
        return load(digest)
    except (UnknownVersion, ArtifactError) as error:
        raise Gap(f"the artifact of a version that served or competed cannot be had: {error}") from error


class Opener:
    """Opens the tasks of a worker."""

    def __init__(
        self,
        basis: Basis,
        snapshots: Snapshots,
        telemetry: Telemetry,
        load: Callable[[str], Learner[Any]],
        connect: Callable[[], LogReader],
    ) -> None:
        """`load` fetches the learner of a digest from the store."""
        self._basis = basis
        self._config = basis.config
        self._snapshots = snapshots
        self._telemetry = telemetry
        self._load = load
        self._connect = connect
        self._reader: LogReader | None = None
        self._decoders = (EventDecoder(basis.config), LabelDecoder(basis.config))

    def open(self, partition: int, committed: Committed) -> Iterator[Task | None]:
        """Yields None after each step of the way, then the task.

        Raises BrokerError; StoreError when the store is away and the journal alone, from the first commit on, is not
        enough: whoever began anew then would bury a good snapshot under a bad one. So when the profile cannot be had.
        """
        started = time.monotonic()
        digest, profile = self._basis.digest, self._basis.profile
        last = max((int(at.metadata) for at in committed.values() if at and at.metadata.isdigit()), default=0)
        resumed, store_error = self._newest(partition)
        if resumed is not None and resumed.sequence > last:
            log.warning("snapshot_ahead", partition=partition, snapshot=resumed.sequence, committed=last)
            resumed = None
        sequence = resumed.sequence if resumed else 0
        at = resumed.journal if resumed else 0
        engine = Engine(self._config, partition, resumed.state if resumed else None, profile)
        redone = 0
        why = ""
        with Past(self._config, partition, self._connect) as past:
            replay = Replay(
                engine,
                past.tape(self._config.topics.events, self._decoders[0].decode),
                past.tape(self._config.topics.labels, self._decoders[1].decode),
                partial(needed, self._load),
            )
            try:
                for entry in past.entries(at, sequence, last) if last > sequence else ():
                    if entry.config != digest:
                        raise Gap(f"entry {entry.sequence} was made with another configuration")
                    for _ in replay.entry(entry):
                        yield None
                    redone += 1
            except Gap as gap:
                if store_error is not None:
                    raise store_error from gap
                why = gap.message
        known = {name: seen.offset for name, topic in self._inputs() if (seen := committed[topic]) is not None}
        # The broker may have forgotten one of the two after a week without records; the journal has not.
        wanted = {**engine.state.positions, **known} if known else {}
        if engine.state.positions != wanted:
            why = why or "positions were committed by others"
        held = {name: self._held(topic, partition, wanted[name]) for name, topic in self._inputs() if name in wanted}
        if held != wanted:
            why = f"the log does not hold the next records any more: {wanted} were to be read, {held} is what there is"
        if why:
            self._gap(partition, held, engine.state.positions, why)
            engine.state.positions = held
            self._snapshots.save_soon(partition)
        passing("replayed")
        if redone:
            log.info("resumed", partition=partition, entries=redone, seconds=round(time.monotonic() - started, 2))
        yield Task(
            self._config,
            partition,
            engine.state,
            self._decoders,
            sequence=max(sequence, last),
            config_digest=digest,
        )

    def journal_end(self, partition: int) -> int:
        """The offset after a task's newest entry, or somewhat less. Raises BrokerError."""
        topic = self._config.topics.journal
        assert topic is not None
        return self._bounds(topic, partition).end

    def close(self) -> None:
        """Let go of the broker."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _bounds(self, topic: str, partition: int) -> Bounds:
        if self._reader is None:
            self._reader = self._connect()
        try:
            return self._reader.bounds(topic, partition, ANSWER_TIMEOUT)
        except BrokerError:
            self.close()
            raise

    def _held(self, topic: str, partition: int, offset: int) -> int:
        """The offset to read on from instead of one that is no longer kept, or is not there yet: a topic made anew."""
        first, end = self._bounds(topic, partition)
        return offset if first <= offset <= end else first

    def _newest(self, partition: int) -> tuple[Resumed | None, StoreError | None]:
        """Become the owner of a partition's snapshots; the newest one, or why it cannot be had."""
        try:
            self._snapshots.claim(partition)
            return self._snapshots.load(partition), None
        except StoreError as error:
            return None, error

    def _inputs(self) -> list[tuple[str, str]]:
        topics = self._config.topics
        return [(name, topic) for name, topic in (("events", topics.events), ("labels", topics.labels)) if topic]

    def _gap(self, partition: int, wanted: Mapping[str, int], reached: Mapping[str, int], why: str) -> None:
        missed = {name: offset - reached.get(name, 0) for name, offset in wanted.items()}
        log.error("resume_gap", partition=partition, why=why, records_not_learned=missed)
        self._telemetry.add_gap(sum(max(0, n) for n in missed.values()))
