"""What tasks have done becomes what counts: their journal entries, outputs and positions, one commit after the other.

While the broker works on a commit the tasks go on with what belongs to the next one. That is only put off, never begun
twice: a commit that has failed is made again, as it was, before anything else is done.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from functools import partial

from stream.faultpoints import passing
from stream.kafka.client import Consumer, Partition, Position
from stream.kafka.delivery import Delivery
from stream.kafka.delivery.base import left
from stream.kafka.standing import Standing
from stream.kafka.task import Task
from stream.telemetry import Telemetry

RETRY_INTERVAL = 1.0
"""Time between two tries to commit while the broker is away, in seconds."""
REGROUP_INTERVAL = 0.2
"""The same while the group changes."""


class Commits:
    """The commits of a worker, `interval` seconds apart. `tasks` is its own dictionary of those that are open."""

    def __init__(
        self,
        delivery: Delivery,
        consumer: Consumer,
        broker: Standing,
        tasks: Mapping[int, Task],
        telemetry: Telemetry,
        interval: float,
    ) -> None:
        self._delivery = delivery
        self._consumer = consumer
        self._broker = broker
        self._tasks = tasks
        self._telemetry = telemetry
        self._interval = interval
        self._sealed: dict[int, dict[Partition, Position]] = {}  # entries handed over, not committed yet
        self._looked_at = time.monotonic()  # the last time that it was due
        self._begun = 0.0

    @property
    def due_in(self) -> float:
        """Seconds until the next commit is due; less than none when it is."""
        least = RETRY_INTERVAL if self._broker.trouble else REGROUP_INTERVAL if self.failed else 0.0
        return self._looked_at + max(self._interval, least) - time.monotonic()

    def looked_at(self) -> None:
        """Whatever was due is seen to: the next commit is due an interval from now."""
        self._looked_at = time.monotonic()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to commit."""
        return not self._delivery.unsettled and not any(task.uncommitted for task in self._tasks.values())

    @property
    def under_way(self) -> bool:
        """Whether a commit was begun, whose outcome is to be taken by `finish`."""
        return self._delivery.under_way

    @property
    def landed(self) -> bool:
        """Whether `finish` need not wait."""
        return self._delivery.landed

    @property
    def failed(self) -> bool:
        """Whether a commit is to be made again before more is done."""
        return bool(self._sealed) and not self._delivery.under_way

    def begin(self, timeout: float) -> None:
        """Begin a commit of all that was done. Raises as `finish` does."""
        self._seal()
        self._delivery.begin(self._positions(), timeout)

    def finish(self, timeout: float) -> None:
        """Wait for the outcome of the commit that is under way. Raises BrokerError, Regrouped and Fenced as
        `Delivery.settle` does.
        """
        self._delivery.finish(timeout)
        if positions := self._leftover:
            self._consumer.commit(positions, timeout)
        self._settled()

    def make(self, timeout: float) -> None:
        """Commit all that was done, beginning with what was begun before, and wait for the outcome. Raises as `finish`
        does.
        """
        for positions, seconds in self._settle_all(timeout):
            if positions:
                self._consumer.commit(positions, seconds)

    def settle(self, timeout: float) -> Mapping[Partition, Position]:
        """The same from inside the consumer's own calls, which can't commit: positions that are left for it to commit.
        Raises as `finish` does.
        """
        return {tp: at for positions, _ in self._settle_all(timeout) for tp, at in positions.items()}

    def land(self, timeout: float) -> None:
        """Wait for the outcome of the commit that is under way; what is left of it then counts as failed. Raises as
        `finish` does. This too may be called from inside the consumer's own calls.
        """
        self._delivery.finish(timeout)
        if self._delivery.commits:
            self._settled()

    def abandon(self, partitions: Collection[int]) -> None:
        """Nothing of these partitions is to be committed any more: they are another's now."""
        for partition in partitions:
            self._sealed.pop(partition, None)
        self._delivery.abandon(partitions)

    def _settle_all(self, timeout: float) -> Iterator[tuple[Mapping[Partition, Position], float]]:
        """Make sure of what was begun, then of what came after; yields the positions that are then left to commit, and
        the seconds that are left.
        """
        deadline = time.monotonic() + timeout
        if self.under_way:
            self._delivery.finish(timeout)
            yield self._leftover, left(deadline)
            self._settled()
        elif self._sealed:
            self._delivery.settle(self._positions(), timeout)
            yield self._leftover, left(deadline)
            self._settled()
        if not self.idle:
            self._seal()
            self._delivery.settle(self._positions(), left(deadline))
            yield self._leftover, left(deadline)
            self._settled()

    @property
    def _leftover(self) -> dict[Partition, Position]:
        """The positions that the delivery does not commit."""
        return {} if self._delivery.commits else self._positions()

    def _positions(self) -> dict[Partition, Position]:
        return {tp: at for sealed in self._sealed.values() for tp, at in sealed.items()}

    def _seal(self) -> None:
        """Hand over the journal entry of each task."""
        self._begun = time.perf_counter()
        for partition, task in self._tasks.items():
            if task.uncommitted:
                self._sealed[partition] = task.positions()
                self._delivery.send(partition, [task.seal()])
        passing("journal_sent")

    def _settled(self) -> None:
        """What was settled is committed."""
        self._delivery.committed()
        for partition in self._sealed:
            self._tasks[partition].committed()
        facts = partial(dict[str, int], partitions=len(self._sealed))
        self._telemetry.observe_span("commit", time.perf_counter() - self._begun, facts)
        self._sealed.clear()
        passing("committed")
