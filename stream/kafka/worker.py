"""The worker: takes what the broker assigns, runs each partition's task, and commits outputs and positions together.

The order, turn by turn (docs/delivery.md has it with what a crash between any two steps leads to):

1. poll records, decode them, put them into their tasks; swaps from outside are applied;
2. each task takes spans; its outputs are handed to the producer;
3. when the commit interval has passed, or a promotion is asked for: the journal entry of each task is handed over too,
   everything is acknowledged, and committed with the positions of what was processed; meanwhile 1 and 2 go on;
4. promotions are carried out in the store, and their swaps applied as the first steps of the next commit;
5. snapshots that are due are saved.

Before 4 and 5, and before partitions change hands, everything is committed: then 3 is waited for. A failure before the
commit leaves everything as it was: the same outputs are sent again, or the task is opened anew from its snapshot and
journal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing, suppress
from functools import partial
from threading import Event as Flag

import structlog

from stream.config.model import Config
from stream.errors import BrokerError
from stream.faultpoints import passing
from stream.history.recorder import Recorder
from stream.kafka.admission import Admission
from stream.kafka.champions import Champions
from stream.kafka.client import Consumer, Fenced, Partition, Position, Regrouped, admin, make_consumer
from stream.kafka.commits import RETRY_INTERVAL, Commits
from stream.kafka.delivery import Delivery
from stream.kafka.delivery.base import left
from stream.kafka.intake import Intake
from stream.kafka.membership import Membership
from stream.kafka.opening import Opener
from stream.kafka.publisher import Publisher
from stream.kafka.snapshots import Snapshots
from stream.kafka.standing import Standing, of_input
from stream.kafka.task import Task
from stream.kafka.telling import Telling
from stream.kafka.topics import check_topics
from stream.records import Command, Effect
from stream.sinks.kafka import KafkaSink
from stream.telemetry import Telemetry
from stream.web.status import Part, Status

log = structlog.get_logger()

IDLE_POLL = 0.02
"""Longest wait for records, in seconds: a swap that has come meanwhile waits no longer."""
SETTLE_TIMEOUT = 15.0
"""Longest wait for a commit, in seconds; no longer than the broker keeps a transaction open either."""
CLOSE_TIMEOUT = 5.0
PING_TIMEOUT = 3.0
PING_INTERVAL = 5.0
"""Silence, in seconds, after which a worker with nothing to commit asks whether the broker is still there."""
FLUSH_TIMEOUT = 2.0
"""Longest wait, in seconds, for the snapshots of tasks that go: whoever takes them up has less to do over then."""
BUSY = 0.25
"""Longest stretch of spans between two polls, in seconds."""
LEAST_BUSY = 0.01
"""The same if a commit is due before."""
LOOK_INTERVAL = 0.002
"""Time between two looks at whether a commit that is under way is done, in seconds."""


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
        history: Recorder | None = None,
    ) -> None:
        self._config = config
        self._telling = Telling(telemetry, snapshots, history)
        self._champions = champions
        self._snapshots = snapshots
        self._opener = opener
        self._telemetry = telemetry
        self._deliver = deliver
        self._tasks: dict[int, Task] = {}
        self._assigned: set[int] = set()
        self._topics = [topic for topic in (config.topics.events, config.topics.labels) if topic]
        self._admission = Admission(opener, self._topics)
        self._at = 0
        self._broker = Standing(telemetry)
        self._membership = Membership(config.kafka)
        self._backlog = False
        self._resting = False  # whether work rests during the commit that is under way
        self._leave_by = math.inf
        self._turned_at = time.monotonic()

    def run(self, stop: Flag, started: Callable[[], object]) -> None:
        """Work until `stop` is set; then finish what is begun, commit, snapshot and leave the group.

        `started` is called when the broker has been reached and its topics are as they must be. Waits for a broker for
        as long as it takes. Raises BrokerError when the topics are not, and Fenced when another worker has taken this
        one's name.
        """
        delivery = self._broker.reach(lambda: self._deliver(lambda: self._consumer), stop)
        if delivery is None:
            return
        try:
            self._delivery = delivery
            self._publisher = Publisher(KafkaSink(self._config), delivery, self._telemetry)
            with closing(admin(self._config.kafka)) as client:
                check_topics(client, self._config.topics)
            consumer = self._broker.reach(lambda: make_consumer(self._config, self), stop)
            if consumer is None:
                return
            self._consumer = consumer
            self._intake = Intake(consumer, self._tasks, self._topics, self._telemetry)
            interval = self._config.runtime.commit_interval
            self._commits = Commits(delivery, consumer, self._broker, self._tasks, self._telemetry, interval)
            started()
            while not stop.is_set():
                self._turn()
            self._leave()
        finally:
            delivery.close(self._patience(CLOSE_TIMEOUT))
            self._opener.close()

    def status(self) -> Status:
        """How the worker is doing, for /healthz and /readyz."""
        opening = "a task is being opened from its journal" if self._admission.busy else self._admission.reason
        waits_for = opening or self._membership.reason
        parts = {"kafka": self._broker.part(bool(self._tasks), waits_for), **self._champions.parts()}
        parts["input"] = of_input({at: task.engine.state.rejections.worse() for at, task in list(self._tasks.items())})
        if unsaved := self._snapshots.trouble:
            where = "snapshots" if self._config.runtime.snapshot_directory else "redis"
            reason = parts[where].reason if where in parts else ""
            parts[where] = Part("degraded", reason or f"{unsaved} Predictions go on, snapshots wait")
        return Status(time.monotonic() - self._turned_at, bool(self._tasks) and not self._broker.trouble, parts)

    # what the consumer tells its owner, from inside poll

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """Tasks are opened by the worker's own thread, after the poll."""
        self._assigned |= {partition for _, partition in partitions}
        self._telemetry.add_rebalance()

    def revoking(self, partitions: Iterable[Partition]) -> Mapping[Partition, Position]:
        """Commit what was done; the positions that are left for the consumer to commit. Raises BrokerError."""
        if self._delivery.in_doubt and not self._commits.under_way:
            raise BrokerError("the outcome of the last commit is not known")
        if time.monotonic() > self._leave_by:
            raise BrokerError("the time to stop is over")
        try:
            return self._commits.settle(self._settle_patience)
        except BrokerError as error:
            if not isinstance(error, Regrouped):
                self._in_trouble(error)
            raise

    def revoked(self, partitions: Iterable[Partition], *, committed: bool) -> None:
        """Save the tasks that go. One whose commit failed is not saved: who takes it up does those steps again."""
        gone = {partition for _, partition in partitions}
        if self._commits.under_way:  # they were lost: what is under way is not of their new owner's making
            with suppress(BrokerError):
                self._commits.land(self._settle_patience)
        log.info("revoked", partitions=sorted(gone), committed=committed)
        self._assigned -= gone
        for partition in gone:
            self._admission.forget(partition)
        self._intake.forget(gone)
        self._retire(gone, save=committed)
        self._commits.abandon(gone)

    # one turn

    def _turn(self) -> None:
        self._turned_at = time.monotonic()
        self._poll()
        self._intake.hold_back()
        if not self._held:
            self._hear()
        if not self._held and not (self._resting and self._commits.under_way) and self._champions.pause is None:
            self._work()
        if self._commits.under_way and (self._commits.landed or self._soon):
            self._attempt(self._commits.finish)
        if not self._commits.under_way and (self._soon or self._commits.due_in <= 0.0):
            self._commit()
        if not self._held:
            for task in self._tasks.values():
                if not task.changed and self._snapshots.due(task):
                    self._save(task)
                self._tell(task, self._champions.command(task, settled=not task.changed))
        if not self._held and not self._delivery.unsettled:
            for task in self._admission.advance(self._consumer, self._unopened, BUSY):
                self._go_live(task)
        self._telling.go_round(self._publisher, self._tasks, self._intake.lags, self.status)

    @property
    def _held(self) -> bool:
        """Whether nothing more may be taken: the broker is away, or what was done is to be committed first."""
        return bool(self._broker.trouble) or self._commits.failed

    @property
    def _unopened(self) -> set[int]:
        return self._assigned - self._tasks.keys()

    @property
    def _soon(self) -> bool:
        """Whether to commit before the interval has passed."""
        if self._held:
            return False
        due = self._delivery.broken or self._delivery.full or any(task.full for task in self._tasks.values())
        return due or self._urgent

    @property
    def _urgent(self) -> bool:
        """Whether something is to be done at once, before which everything must be committed."""
        return self._champions.wants_a_commit or self._admission.due(self._unopened)

    def _poll(self) -> None:
        """Take what has come. What the broker refuses is asked for again next turn."""
        try:
            self._intake.take(self._consumer.poll(self._poll_timeout()))
            self._membership.look(member=self._consumer.member, assigned=bool(self._assigned))
            passing("polled")
        except BrokerError as error:
            if isinstance(error, Fenced) and not isinstance(error, Regrouped):
                raise
            self._in_trouble(error)
            time.sleep(RETRY_INTERVAL)

    def _hear(self) -> None:
        """Tell tasks at once what has changed outside, before more is predicted."""
        for task in self._tasks.values():
            self._tell(task, self._champions.news(task))

    def _work(self) -> None:
        """Take spans of the tasks in turn, until there are none, a commit is due, a promotion is asked for, or the
        champion was changed.
        """
        tasks = list(self._tasks.values())
        for task in tasks:
            task.ended(self._consumer.at_end)
        until = time.monotonic() + min(BUSY, max(LEAST_BUSY, self._commits.due_in))
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
            self._telemetry.observe_span("engine", time.perf_counter() - started, partial(task.facts, effects))
            self._telling.took(task, effects)
            passing("processed")
            promotions = self._carry_out(task, effects)
            if promotions or task.full or self._delivery.full or self._champions.has_news or time.monotonic() >= until:
                break
        self._backlog = idle < len(tasks)

    def _carry_out(self, task: Task, effects: list[Effect]) -> bool:
        """Hand outputs over; whether a promotion was asked for."""
        started = time.perf_counter()
        promotions = self._publisher.publish(task.partition, effects)
        for promotion in promotions:
            self._champions.propose(task, promotion)
        self._publisher.account(task.partition, task.engine.state)
        self._telemetry.observe_span("produce", time.perf_counter() - started, partial(task.facts, effects))
        passing("outputs_sent")
        return bool(promotions)

    def _tell(self, task: Task, command: Command | None) -> None:
        if command is not None:
            self._carry_out(task, task.command(command))
            passing("swapped")
            self._snapshots.save_soon(task.partition)

    def _poll_timeout(self) -> float:
        if self._champions.pause is not None:
            return IDLE_POLL
        if (self._backlog or self._admission.busy) and not self._held:
            return 0.0
        waits = [wait for task in self._tasks.values() if (wait := task.wake_in()) is not None]
        if self._commits.under_way:
            waits.append(LOOK_INTERVAL)
        elif not self._commits.idle:
            waits.append(self._commits.due_in)
        return min(max(0.001, min(waits, default=IDLE_POLL)), IDLE_POLL)

    # tasks

    def _go_live(self, task: Task) -> None:
        """A task is open. Nothing is left to commit now, so it may be told what to serve with."""
        if not self._tasks:
            self._commits.looked_at()  # there was nothing to commit before
        self._tasks[task.partition] = task
        self._publisher.opened(task.partition, task.engine.state)
        self._telling.opened(task)
        self._intake.begin(task)
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
        self._telling.forget(partitions)

    # commits

    def _commit(self) -> None:
        """Begin a commit or, where something urgent waits for it or something has failed, make one."""
        self._commits.looked_at()
        if self._commits.idle:
            if self._broker.trouble or self._broker.silence >= PING_INTERVAL:
                self._attempt(lambda _: self._consumer.ping(self._patience(PING_TIMEOUT)))
        elif self._held or self._delivery.broken or self._urgent:
            self._attempt(self._commits.make)
        else:
            # A snapshot takes what is committed: work rests meanwhile, but a swap that comes is not kept waiting.
            self._resting = any(self._snapshots.due(task) for task in self._tasks.values())
            self._attempt(self._commits.begin)

    def _attempt(self, something: Callable[[float], object]) -> None:
        """Have the broker do something within the time it is given."""
        try:
            something(self._settle_patience)
        except Regrouped as error:
            log.info("commit_put_off", error=error.message)
        except Fenced as error:
            self._give_up(error)
        except BrokerError as error:
            self._in_trouble(error)
        else:
            if not self._commits.under_way:
                self._broker.heard()

    @property
    def _settle_patience(self) -> float:
        return self._patience(min(SETTLE_TIMEOUT, self._config.kafka.transaction_timeout))

    def _save(self, task: Task) -> None:
        """Save a task of which everything is committed."""
        if not task.sequence:  # what it was told before its first record is yet to be written down
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
        self._retire(gone, save=False)
        self._commits.abandon(gone)

    def _leave(self) -> None:
        """Stop in order: what was processed is committed, tasks are saved, the group is told.

        What could not be committed is tried once more when the partitions are given up, and is not saved if that fails
        (see `revoked`).
        """
        self._leave_by = time.monotonic() + self._config.runtime.shutdown_timeout
        if not self._commits.idle:
            self._attempt(self._commits.make)
        if not self._held:
            self._retire(set(self._tasks), save=True)
        self._consumer.close(self._patience(CLOSE_TIMEOUT))

    def _patience(self, longest: float) -> float:
        """How long to wait for the broker: `longest` seconds, or what is left of the time to leave."""
        return min(longest, left(self._leave_by))

    def _in_trouble(self, error: BrokerError) -> None:
        self._broker.lost(error)
        self._delivery.distrust(error)
