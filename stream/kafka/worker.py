"""The worker: takes what the broker assigns, runs each partition's task, and commits offsets when outputs are safe.

The order, turn by turn:

1. poll records, decode them, put them into their tasks;
2. each task takes spans; its outputs are handed to the producer;
3. promotions asked for are carried out in the store, swaps applied, between two spans;
4. when the commit interval has passed, the outbox settles: every output is acknowledged by the broker;
5. the offsets of what was processed are committed, and the task's snapshot is saved when it is due.

A failure before 5 leaves the offsets where they were: the same records come again (at least once).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from threading import Event as Flag
from typing import Any, Literal, TypeVar

import structlog

from stream.config.model import Config
from stream.decode import EventDecoder, LabelDecoder
from stream.errors import BrokerError
from stream.kafka.champions import Champions
from stream.kafka.client import Consumer, Producer, admin
from stream.kafka.outbox import Outbox
from stream.kafka.publisher import Publisher
from stream.kafka.snapshots import Snapshots
from stream.kafka.task import Task
from stream.kafka.topics import check_topics
from stream.records import Command, Effect
from stream.sinks.kafka import KafkaSink
from stream.telemetry import Telemetry
from stream.web.status import Part, Status

log = structlog.get_logger()

IDLE_POLL = 0.1
REPORT_INTERVAL = 1.0
SETTLE_TIMEOUT = 15.0
COMMIT_TIMEOUT = 10.0
CLOSE_TIMEOUT = 5.0
PING_TIMEOUT = 3.0
PING_INTERVAL = 5.0
"""Silence, in seconds, after which a worker with nothing to commit asks whether the broker is still there."""
RETRY_INTERVAL = 1.0
"""Time between two tries to settle and commit while that fails, in seconds."""
BUSY = 0.25
"""Longest stretch of spans between two polls, in seconds."""

T = TypeVar("T")


class Worker:
    """One member of the consumer group. Only `status` may be called from another thread than the one that runs it."""

    def __init__(self, config: Config, champions: Champions, snapshots: Snapshots, telemetry: Telemetry) -> None:
        self._config = config
        self._champions = champions
        self._snapshots = snapshots
        self._telemetry = telemetry
        self._decoders = (EventDecoder(config), LabelDecoder(config))
        self._tasks: dict[int, Task] = {}
        self._parked: dict[int, Task] = {}
        self._assigned: set[int] = set()
        self._committed: dict[tuple[str, int], int] = {}
        self._topics = [topic for topic in (config.topics.events, config.topics.labels) if topic]
        self._trouble = ""
        self._backlog = False
        self._leave_by = math.inf
        self._committed_at = self._heard_at = self._reported_at = self._turned_at = time.monotonic()

    def run(self, stop: Flag) -> None:
        """Work until `stop` is set; then finish what is begun, commit, snapshot and leave the group.

        Waits for a broker for as long as it takes. Raises BrokerError when the topics are not as they must be.
        """
        outbox = self._connect(lambda: Outbox(lambda: Producer(self._config.kafka)), stop)
        if outbox is None:
            return
        try:
            self._outbox = outbox
            self._publisher = Publisher(KafkaSink(self._config), self._outbox, self._telemetry)
            with closing(admin(self._config.kafka)) as client:
                check_topics(client, self._config.topics)
            consumer = self._connect(lambda: Consumer(self._config, self), stop)
            if consumer is None:
                return
            self._consumer = consumer
            self._telemetry.set_up("kafka", True)
            while not stop.is_set():
                self._turn()
            self._leave()
        finally:
            outbox.close(self._patience(CLOSE_TIMEOUT))

    def status(self) -> Status:
        """How the worker is doing, for /healthz and /readyz."""
        kafka = Part("down", self._trouble) if self._trouble else Part("ok")
        if not self._tasks and not self._trouble:
            kafka = Part("degraded", "no partition is assigned to this worker (yet)")
        parts = {"kafka": kafka, "redis": self._champions.part()}
        return Status(time.monotonic() - self._turned_at, bool(self._tasks) and not self._trouble, parts)

    # what the consumer tells its owner, from inside poll

    def assigned(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Tasks are opened by the worker's own thread, after the poll."""
        self._assigned = {partition for _, partition in partitions}
        self._telemetry.add_rebalance()

    def revoking(self, partitions: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], int]:
        """Settle outputs; the offsets to commit. Raises BrokerError when outputs are not safe."""
        try:
            self._outbox.settle(self._patience(SETTLE_TIMEOUT))
        except BrokerError as error:
            self._in_trouble(error)
            raise
        return self._uncommitted()

    def revoked(self, partitions: Iterable[tuple[str, int]], *, committed: bool) -> None:
        """Save the tasks that go. They are kept until the new assignment is known: most come straight back.

        A task that is ahead of its committed offsets is not saved: who takes up the partition from there has to make
        those outputs again, and a snapshot that knows their events would hold them for duplicates.
        """
        for partition in {partition for _, partition in partitions}:
            task = self._tasks.pop(partition, None)
            if task is not None and committed:
                self._snapshots.save(task)
                self._parked[partition] = task
        self._committed.clear()

    # one turn

    def _turn(self) -> None:
        self._turned_at = time.monotonic()
        self._take(self._polled())
        self._hold_back()
        if not self._trouble:
            self._work()
            for task in self._tasks.values():
                self._tell(task, self._champions.command(task))
        if self._due(self._committed_at, self._commit_interval):
            self._commit()
        if self._due(self._reported_at, REPORT_INTERVAL):
            self._report()

    def _polled(self) -> Mapping[tuple[str, int], list[Any]]:
        """Records that have come, with their tasks opened. What the broker refuses is asked for again next turn."""
        records: Mapping[tuple[str, int], list[Any]] = {}
        try:
            records = self._consumer.poll(self._poll_timeout())
            if self._assigned != set(self._tasks):
                self._open_tasks()
        except BrokerError as error:
            self._in_trouble(error)
            time.sleep(RETRY_INTERVAL)
        return records

    def _take(self, records: Mapping[tuple[str, int], list[Any]]) -> None:
        for (topic, partition), batch in records.items():
            task = self._tasks.get(partition)
            if task is None:  # it could not be opened yet: its records are to come again
                self._consumer.seek(topic, partition, batch[0].offset)
                continue
            started = time.perf_counter()
            task.add(topic, batch)
            self._telemetry.observe_span("decode", time.perf_counter() - started)

    def _work(self) -> None:
        for task in self._tasks.values():
            task.ended(self._consumer.at_end)
        until = time.monotonic() + BUSY
        busy = True
        while busy and time.monotonic() < until:
            busy = False
            for task in self._tasks.values():
                started = time.perf_counter()
                effects = task.step()
                if effects is None:
                    continue
                busy = True
                self._telemetry.observe_span("engine", time.perf_counter() - started)
                self._carry_out(task, effects)
        self._backlog = busy

    def _carry_out(self, task: Task, effects: list[Effect]) -> None:
        started = time.perf_counter()
        for promotion in self._publisher.publish(effects):
            self._tell(task, self._champions.propose(task, promotion))
        self._publisher.account(task.partition, task.engine.state)
        self._telemetry.observe_span("produce", time.perf_counter() - started)

    def _tell(self, task: Task, command: Command | None) -> None:
        if command is not None:
            self._carry_out(task, task.command(command))

    def _hold_back(self) -> None:
        """Pause what comes faster than it can be taken, so that memory stays bounded."""
        for task in self._tasks.values():
            pause, resume = task.pressure()
            for topic in pause:
                self._consumer.pause(topic, task.partition)
            for topic in resume:
                self._consumer.resume(topic, task.partition)

    @property
    def _commit_interval(self) -> float:
        interval = self._config.runtime.commit_interval
        return max(interval, RETRY_INTERVAL) if self._trouble else interval

    def _poll_timeout(self) -> float:
        if self._backlog:
            return 0.0
        waits = [wait for task in self._tasks.values() if (wait := task.wake_in()) is not None]
        if self._uncommitted():
            waits.append(self._committed_at + self._commit_interval - time.monotonic())
        return min(max(0.001, min(waits, default=IDLE_POLL)), IDLE_POLL)

    # tasks

    def _open_tasks(self) -> None:
        for partition in sorted(self._assigned - set(self._tasks)):
            committed = {topic: self._consumer.committed(topic, partition) for topic in self._topics}
            task = self._parked.pop(partition, None)
            if task is None or any(committed[t] != offset for (t, _), offset in task.offsets().items()):
                state = self._snapshots.load(partition, committed)
                task = Task(self._config, partition, state, self._decoders)
                self._publisher.opened(partition, task.engine.state)
            else:
                task.rewind()
            self._tasks[partition] = task
            self._tell(task, self._champions.opened(task))
        for partition in self._parked:
            self._telemetry.forget(partition)
        self._parked.clear()
        log.info("assigned", partitions=sorted(self._tasks))

    def _uncommitted(self) -> dict[tuple[str, int], int]:
        offsets: dict[tuple[str, int], int] = {}
        for task in self._tasks.values():
            offsets |= task.offsets()
        return {tp: offset for tp, offset in offsets.items() if self._committed.get(tp) != offset}

    def _commit(self) -> None:
        self._committed_at = time.monotonic()
        offsets = self._uncommitted()
        idle = not offsets and not self._outbox.unsettled
        if idle and not self._trouble and not self._due(self._heard_at, PING_INTERVAL):
            return
        started = time.perf_counter()
        try:
            if idle:
                self._consumer.ping(self._patience(PING_TIMEOUT))
            else:
                self._outbox.settle(self._patience(SETTLE_TIMEOUT))
                self._consumer.commit(offsets, self._patience(COMMIT_TIMEOUT))
                self._telemetry.observe_span("commit", time.perf_counter() - started)
        except BrokerError as error:
            self._in_trouble(error)
            return
        self._heard_at = time.monotonic()
        self._committed |= offsets
        self._out_of_trouble()
        for task in self._tasks.values():
            self._snapshots.save_if_due(task)

    def _leave(self) -> None:
        """Stop in order: what was processed is settled and committed, tasks are saved, the group is told.

        What could not be committed is not saved either (see `revoked`).
        """
        self._leave_by = time.monotonic() + self._config.runtime.shutdown_timeout
        self._commit()
        for task in self._tasks.values():
            if not self._trouble:
                self._snapshots.save(task)
        self._tasks.clear()
        self._consumer.close(self._patience(CLOSE_TIMEOUT))

    def _patience(self, longest: float) -> float:
        """How long to wait for the broker: `longest` seconds, or what is left of the time to leave."""
        return min(longest, max(0.1, self._leave_by - time.monotonic()))

    # telling

    def _report(self) -> None:
        self._reported_at = time.monotonic()
        for task in self._tasks.values():
            state = task.engine.state
            self._telemetry.set_scores(task.partition, state.scores.report(state.judge))
            self._telemetry.set_readings(task.partition, state.monitors.readings())
            self._telemetry.set_faults(task.partition, state.champion.faults)
            for (topic, partition), offset in task.offsets().items():
                end = self._consumer.end(topic, partition)
                if end is not None:
                    name: Literal["events", "labels"] = "events" if topic == self._config.topics.events else "labels"
                    self._telemetry.set_lag(name, partition, max(0, end - offset))

    def _in_trouble(self, error: BrokerError) -> None:
        if not self._trouble:
            log.error("kafka_trouble", error=error.message, effect="nothing more is taken until outputs are safe")
        self._trouble = error.message
        self._telemetry.set_up("kafka", False)

    def _out_of_trouble(self) -> None:
        if self._trouble:
            log.info("kafka_recovered")
        self._trouble = ""
        self._telemetry.set_up("kafka", True)

    def _connect(self, make: Callable[[], T], stop: Flag) -> T | None:
        """Keep trying until there is a broker; None when asked to stop before."""
        wait = 1.0
        while not stop.is_set():
            try:
                made = make()
                self._out_of_trouble()
                return made
            except BrokerError as error:
                log.warning("kafka_not_reached", error=error.message, retry_s=wait)
                self._trouble = error.message
                self._telemetry.set_up("kafka", False)
                stop.wait(wait)
                wait = min(wait * 2, 10.0)
        return None

    def _due(self, since: float, interval: float) -> bool:
        return time.monotonic() - since >= interval
