"""The worker: takes what the broker assigns, runs each partition's task, and commits outputs and positions together.

The order, turn by turn (docs/delivery.md has it with what a crash between any two steps leads to):

1. poll records, decode them, put them into their tasks;
2. each task takes spans; its outputs are handed to the producer;
3. when the commit interval has passed, or a promotion is asked for: the journal entry of each task is handed over too,
   everything is acknowledged, and committed with the positions of what was processed;
4. promotions are carried out in the store and swaps applied, as the first steps of the next commit;
5. snapshots that are due are saved.

A failure before the commit leaves everything as it was: the same outputs are sent again, or the task is opened anew
from its snapshot and journal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from threading import Event as Flag
from typing import Literal, TypeVar

import structlog

from stream.config.model import Config
from stream.errors import BrokerError
from stream.faultpoints import passing
from stream.kafka.admission import Admission
from stream.kafka.champions import Champions
from stream.kafka.client import Batches, Consumer, Fenced, Partition, Position, Regrouped, admin, make_consumer
from stream.kafka.delivery import Delivery
from stream.kafka.opening import Opener
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
"""Longest wait for a commit, in seconds; no longer than the broker keeps a transaction open either."""
CLOSE_TIMEOUT = 5.0
PING_TIMEOUT = 3.0
PING_INTERVAL = 5.0
"""Silence, in seconds, after which a worker with nothing to commit asks whether the broker is still there."""
RETRY_INTERVAL = 1.0
"""Time between two tries to commit while that fails, in seconds."""
REGROUP_INTERVAL = 0.2
"""The same while the group changes."""
FLUSH_TIMEOUT = 2.0
"""Longest wait, in seconds, for the snapshots of tasks that go: whoever takes them up has less to do over then."""
BUSY = 0.25
"""Longest stretch of spans between two polls, in seconds."""

T = TypeVar("T")


class Worker:
    """One member of the consumer group. Only `status` may be called from another thread than the one that runs it.

    `deliver` makes the delivery, given a way to ask for the consumer; it raises BrokerError when no broker answers.
    """

    def __init__(
        self,
        config: Config,
        champions: Champions,
        snapshots: Snapshots,
        opener: Opener,
        telemetry: Telemetry,
        deliver: Callable[[Callable[[], Consumer]], Delivery],
    ) -> None:
        self._config = config
        self._champions = champions
        self._snapshots = snapshots
        self._opener = opener
        self._telemetry = telemetry
        self._deliver = deliver
        self._tasks: dict[int, Task] = {}
        self._assigned: set[int] = set()
        self._begins: dict[Partition, int] = {}  # where reading began, of what was assigned
        self._sealed: dict[int, dict[Partition, Position]] = {}  # entries handed over, not committed yet
        self._topics = [topic for topic in (config.topics.events, config.topics.labels) if topic]
        self._admission = Admission(opener, self._topics)
        self._at = 0
        self._trouble = ""
        self._backlog = False
        self._leave_by = math.inf
        self._committed_at = self._heard_at = self._reported_at = self._turned_at = time.monotonic()

    def run(self, stop: Flag, started: Callable[[], object]) -> None:
        """Work until `stop` is set; then finish what is begun, commit, snapshot and leave the group.

        `started` is called when the broker has been reached and its topics are as they must be. Waits for a broker for
        as long as it takes. Raises BrokerError when the topics are not, and Fenced when another worker has taken this
        one's name.
        """
        delivery = self._connect(lambda: self._deliver(lambda: self._consumer), stop)
        if delivery is None:
            return
        try:
            self._delivery = delivery
            self._publisher = Publisher(KafkaSink(self._config), delivery, self._telemetry)
            with closing(admin(self._config.kafka)) as client:
                check_topics(client, self._config.topics)
            consumer = self._connect(lambda: make_consumer(self._config, self), stop)
            if consumer is None:
                return
            self._consumer = consumer
            started()
            while not stop.is_set():
                self._turn()
            self._leave()
        finally:
            delivery.close(self._patience(CLOSE_TIMEOUT))
            self._opener.close()

    def status(self) -> Status:
        """How the worker is doing, for /healthz and /readyz."""
        kafka = Part("down", self._trouble) if self._trouble else Part("ok")
        if not self._tasks and not self._trouble:
            waiting = "a task is being opened from its journal" if self._admission.busy else self._admission.reason
            kafka = Part("degraded", waiting or "no partition is assigned (yet)")
        parts = {"kafka": kafka, "redis": self._champions.part()}
        if unsaved := self._snapshots.trouble:
            where = "snapshots" if self._config.runtime.snapshot_directory else "redis"
            reason = parts[where].reason if where in parts else ""
            parts[where] = Part("degraded", reason or f"{unsaved} Predictions go on, snapshots wait")
        return Status(time.monotonic() - self._turned_at, bool(self._tasks) and not self._trouble, parts)

    # what the consumer tells its owner, from inside poll

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """Tasks are opened by the worker's own thread, after the poll."""
        self._assigned |= {partition for _, partition in partitions}
        self._telemetry.add_rebalance()

    def revoking(self, partitions: Iterable[Partition]) -> Mapping[Partition, Position]:
        """Commit what was done; the positions that are left for the consumer to commit. Raises BrokerError."""
        if self._delivery.in_doubt:
            raise BrokerError("the outcome of the last commit is not known")
        if time.monotonic() > self._leave_by:
            raise BrokerError("the time to stop is over")
        try:
            return self._settle()
        except BrokerError as error:
            if not isinstance(error, Regrouped):
                self._in_trouble(error)
            raise

    def revoked(self, partitions: Iterable[Partition], *, committed: bool) -> None:
        """Save the tasks that go. One whose commit failed is not saved: who takes it up does those steps again."""
        gone = {partition for _, partition in partitions}
        if committed:
            self._done()
        log.info("revoked", partitions=sorted(gone), committed=committed)
        self._assigned -= gone
        for partition in gone:
            self._admission.forget(partition)
            self._sealed.pop(partition, None)
        self._begins = {tp: offset for tp, offset in self._begins.items() if tp[1] not in gone}
        self._retire(gone, save=committed)
        self._delivery.abandon(gone)

    # one turn

    def _turn(self) -> None:
        self._turned_at = time.monotonic()
        self._poll()
        self._hold_back()
        if not self._held:
            self._work()
        if self._soon or self._due(self._committed_at, self._commit_interval):
            self._commit_and_pace()
        if not self._held:
            for task in self._tasks.values():
                if not task.changed and self._snapshots.due(task):
                    self._save(task)
                self._tell(task, self._champions.command(task))
        if not self._held and not self._delivery.unsettled:
            for task in self._admission.advance(self._consumer, self._unopened, BUSY):
                self._go_live(task)
        if self._due(self._reported_at, REPORT_INTERVAL):
            self._report()

    @property
    def _held(self) -> bool:
        """Whether nothing more may be taken: the broker is away, or what was done is to be committed first."""
        return bool(self._trouble or self._sealed)

    @property
    def _unopened(self) -> set[int]:
        return self._assigned - self._tasks.keys()

    @property
    def _soon(self) -> bool:
        """Whether to commit before the interval has passed."""
        if self._held:
            return False
        due = self._delivery.broken or self._delivery.full or any(task.full for task in self._tasks.values())
        return due or self._champions.wants_a_commit or self._admission.due(self._unopened)

    def _poll(self) -> None:
        """Take what has come. What the broker refuses is asked for again next turn."""
        try:
            self._take(self._consumer.poll(self._poll_timeout()))
            passing("polled")
        except BrokerError as error:
            if isinstance(error, Fenced) and not isinstance(error, Regrouped):
                raise
            self._in_trouble(error)
            time.sleep(RETRY_INTERVAL)

    def _take(self, records: Batches) -> None:
        for (topic, partition), batch in records.items():
            task = self._tasks.get(partition)
            self._begins.setdefault((topic, partition), batch[0].offset)
            if task is None:  # it is not open yet: its records are to come again
                self._consumer.pause(topic, partition)
                self._consumer.seek(topic, partition, batch[0].offset)
                continue
            started = time.perf_counter()
            task.add(topic, batch)
            self._telemetry.observe_span("decode", time.perf_counter() - started)

    def _work(self) -> None:
        """Take spans of the tasks in turn, until there are none, a commit is due, or a promotion is asked for."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.ended(self._consumer.at_end)
        until = min(time.monotonic() + BUSY, self._committed_at + max(self._commit_interval, 0.01))
        idle = 0
        while idle < len(tasks):
            self._at = (self._at + 1) % len(tasks)
            task = tasks[self._at]
            started = time.perf_counter()
            effects = task.step()
            if effects is None:
                idle += 1
                continue
            idle = 0
            self._telemetry.observe_span("engine", time.perf_counter() - started)
            passing("processed")
            promotions = self._carry_out(task, effects)
            if promotions or task.full or self._delivery.full or time.monotonic() >= until:
                break
        self._backlog = idle < len(tasks)

    def _carry_out(self, task: Task, effects: list[Effect]) -> bool:
        """Hand outputs over; whether a promotion was asked for."""
        started = time.perf_counter()
        promotions = self._publisher.publish(task.partition, effects)
        for promotion in promotions:
            self._champions.propose(task, promotion)
        self._publisher.account(task.partition, task.engine.state)
        self._telemetry.observe_span("produce", time.perf_counter() - started)
        passing("outputs_sent")
        return bool(promotions)

    def _tell(self, task: Task, command: Command | None) -> None:
        if command is not None:
            self._carry_out(task, task.command(command))
            passing("swapped")
            self._snapshots.save_soon(task.partition)

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
        least = RETRY_INTERVAL if self._trouble else REGROUP_INTERVAL if self._sealed else 0.0
        return max(self._config.runtime.commit_interval, least)

    def _poll_timeout(self) -> float:
        if (self._backlog or self._admission.busy) and not self._held:
            return 0.0
        waits = [wait for task in self._tasks.values() if (wait := task.wake_in()) is not None]
        if self._delivery.unsettled or any(task.uncommitted for task in self._tasks.values()):
            waits.append(self._committed_at + self._commit_interval - time.monotonic())
        return min(max(0.001, min(waits, default=IDLE_POLL)), IDLE_POLL)

    # tasks

    def _go_live(self, task: Task) -> None:
        """A task is open. Nothing is left to commit now, so it may be told what to serve with."""
        partition, positions = task.partition, task.positions()
        self._tasks[partition] = task
        self._publisher.opened(partition, task.engine.state)
        for topic in self._topics:
            at = positions.get((topic, partition))
            offset = self._begins.get((topic, partition)) if at is None else at.offset
            if offset is not None:
                self._consumer.seek(topic, partition, offset)
            self._consumer.resume(topic, partition)
        self._tell(task, self._champions.opened(task))
        if not self._unopened:
            log.info("assigned", partitions=sorted(self._tasks))

    def _retire(self, partitions: Collection[int], *, save: bool) -> None:
        """Let tasks go, saved if all of theirs is committed; then nothing tells of them any more."""
        for partition in partitions:
            self._champions.closed(partition)
            task = self._tasks.pop(partition, None)
            if task is not None and save and not task.changed:
                self._save(task)
        if save:
            self._snapshots.flush(self._patience(FLUSH_TIMEOUT))
        for partition in partitions:
            self._telemetry.forget(partition)

    # commits

    def _commit_and_pace(self) -> None:
        """Commit, and leave the work at least as much time until the next commit as this one took, or the interval."""
        begun = time.monotonic()
        self._commit()
        took, interval = time.monotonic() - begun, self._commit_interval
        self._committed_at = begun + max(0.0, took + min(took, interval) - interval)

    def _commit(self) -> None:
        self._committed_at = time.monotonic()
        idle = not self._delivery.unsettled and not any(task.uncommitted for task in self._tasks.values())
        if idle and not self._trouble and not self._due(self._heard_at, PING_INTERVAL):
            return
        started = time.perf_counter()
        try:
            if idle:
                self._consumer.ping(self._patience(PING_TIMEOUT))
            else:
                rest = self._settle()
                if rest:
                    self._consumer.commit(rest, self._settle_patience)
                self._done()
                self._telemetry.observe_span("commit", time.perf_counter() - started)
        except Regrouped as error:
            log.info("commit_put_off", error=error.message)
            return
        except Fenced as error:
            self._give_up(error)
            return
        except BrokerError as error:
            self._in_trouble(error)
            return
        self._heard_at = time.monotonic()
        self._out_of_trouble()

    def _settle(self) -> Mapping[Partition, Position]:
        """Hand over the journal entry of each task, once, and make sure of all outputs."""
        for partition, task in self._tasks.items():
            entry = None if partition in self._sealed else task.entry()
            if entry is not None:
                self._delivery.send(partition, [entry])
                self._sealed[partition] = task.positions()
        passing("journal_sent")
        positions = {tp: at for sealed in self._sealed.values() for tp, at in sealed.items()}
        return self._delivery.settle(positions, self._settle_patience)

    @property
    def _settle_patience(self) -> float:
        return self._patience(min(SETTLE_TIMEOUT, self._config.kafka.transaction_timeout))

    def _done(self) -> None:
        """What was settled is committed."""
        self._delivery.committed()
        for partition in self._sealed:
            self._tasks[partition].committed()
        self._sealed.clear()
        passing("committed")

    def _save(self, task: Task) -> None:
        """Save a task of which everything is committed."""
        if not task.sequence:  # what it was told before its first record is yet to be written down: see `Task.entry`
            return
        try:
            journal = self._opener.journal_end(task.partition)
        except BrokerError as error:
            log.warning("snapshot_not_saved", partition=task.partition, error=error.message)
            return
        self._snapshots.save(task, journal=journal, sequence=task.sequence)

    def _give_up(self, error: Fenced) -> None:
        """Others have taken over, or the broker holds us for dead: nothing that is not committed counts.

        What is still ours is opened anew, from its snapshot and journal.
        """
        log.error("fenced", error=error.message, partitions=sorted(self._tasks))
        self._telemetry.add_fenced()
        gone = set(self._tasks)
        self._sealed.clear()
        self._retire(gone, save=False)
        self._delivery.abandon(gone)

    def _leave(self) -> None:
        """Stop in order: what was processed is committed, tasks are saved, the group is told.

        What could not be committed is tried once more when the partitions are given up, and is not saved if that fails
        (see `revoked`).
        """
        self._leave_by = time.monotonic() + self._config.runtime.shutdown_timeout
        self._commit()
        if not self._held:
            self._retire(set(self._tasks), save=True)
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
            for (topic, partition), at in task.positions().items():
                end = self._consumer.end(topic, partition)
                if end is not None:
                    name: Literal["events", "labels"] = "events" if topic == self._config.topics.events else "labels"
                    self._telemetry.set_lag(name, partition, max(0, end - at.offset))

    def _in_trouble(self, error: BrokerError) -> None:
        if not self._trouble:
            log.error("kafka_trouble", error=error.message, effect="nothing more is taken until outputs are safe")
        self._trouble = error.message
        self._telemetry.set_up("kafka", False)
        self._delivery.distrust(error)

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
