"""Handing outputs over and committing what they stand for: exactly once, or at least once.

Whatever is sent between two commits belongs together, journal entries included. Nothing of it is forgotten before it is
committed: a commit that fails is called again with the same positions. A commit takes the broker longer than anything
else, so the work on what comes next goes on beside it.
"""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeAlias

from stream.config.model import Config
from stream.errors import BrokerError
from stream.kafka.client import (
    Consumer,
    Fenced,
    Outgoing,
    Partition,
    Position,
    Producer,
    Regrouped,
    TransactionalProducer,
    make_producer,
    make_transactional_producer,
)
from stream.kafka.client.flight import Flight

Positions: TypeAlias = Mapping[Partition, Position]
"""The next offset to read by (topic, partition), with the metadata that is committed beside it."""

FULL = 10_000
"""Outputs after which a commit is due, whatever the interval: they are kept in memory until they are committed."""
HOLD_AFTER = 0.05
"""Time, in seconds, that outputs are given to be acknowledged while more are sent, before these are held back."""
CONNECT_TIMEOUT = 30.0
"""Longest wait, in seconds, for the transactions of earlier producers to be ended."""
_GRACE = 0.5
"""Time, in seconds, by which a client may overstay, with a better answer than that time is up."""
LEAST_TIME = 1.0
"""Time, in seconds, without which ending a transaction that has failed is not begun."""


class Delivery(ABC):
    """Outputs of all tasks of a worker on their way to the broker.

    One commit at a time: what is sent while one is under way belongs to the next.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[int, Outgoing]] = []  # handed over by tasks since the last commit
        self._next: list[tuple[int, Outgoing]] = []  # the same, of the commit after the one that is under way
        self._ahead = 0  # of these, how many were handed over all the same
        self._flight: Flight | None = None

    @property
    def unsettled(self) -> bool:
        """Whether there is anything to settle: outputs since the last commit, or what is left of a failed one."""
        return bool(self._kept or self._next)

    @property
    def full(self) -> bool:
        """Whether so much has been sent since the last commit was begun that the next one is due."""
        return len(self._kept if self._flight is None else self._next) >= FULL

    @property
    def under_way(self) -> bool:
        """Whether a commit was begun, and not finished yet."""
        return self._flight is not None

    @property
    def landed(self) -> bool:
        """Whether the outcome of the commit that is under way is there, so that `finish` need not wait for it."""
        return self._flight is not None and self._flight.landed

    @property
    @abstractmethod
    def broken(self) -> bool:
        """Whether something has failed, so that it is best settled at once: others may be waiting for the outcome."""

    @property
    def in_doubt(self) -> bool:
        """Whether a commit may have been made or not. To find out, `settle` asks the consumer, which it must not do
        from inside the consumer's own calls.
        """
        return False

    def send(self, partition: int, records: Sequence[Outgoing]) -> None:
        """Take outputs of the task of `partition`, in order. Never raises: what fails is found by a commit."""
        outputs = [(partition, record) for record in records]
        if self._flight is None:
            self._kept += outputs
            self._hand_over(records)
            return
        if self._need_not_wait and self._ahead == len(self._next):
            self._ahead += len(records)
            self._hand_over(records)
        self._next += outputs

    def abandon(self, partitions: Collection[int]) -> None:
        """Forget what tasks sent since the last commit, whose partitions are now another's."""

        def staying(outputs: list[tuple[int, Outgoing]]) -> list[tuple[int, Outgoing]]:
            return [output for output in outputs if output[0] not in partitions]

        ahead, kept = staying(self._next[: self._ahead]), staying(self._kept)
        self._next, self._ahead = ahead + staying(self._next[self._ahead :]), len(ahead)
        if len(kept) < len(self._kept):
            self._kept = kept
            self._taken_back(partitions)

    def begin(self, positions: Positions, timeout: float) -> None:
        """Begin to make sure of all that was sent, beside whatever the caller does until it calls `finish`.

        Nothing may be broken or under way. Raises as `settle` does.
        """
        self._flight = Flight(self._prepare(positions, timeout), "delivery")

    def finish(self, timeout: float) -> None:
        """Wait for the outcome of `begin`. Raises as `settle` does."""
        flight, self._flight = self._flight, None
        assert flight is not None
        try:
            flight.wait(timeout)
        except TimeoutError:
            self._outcome(BrokerError(f"a commit was not done within {timeout:g} s"))
        except BrokerError as error:
            self._outcome(error)
        else:
            self._outcome(None)

    @abstractmethod
    def settle(self, positions: Positions, timeout: float) -> None:
        """Make sure of all that was sent, and of the positions where `commits` says so. `committed` is to follow.

        Raises BrokerError when it could not be done within `timeout` seconds or so: nothing is lost, call it again with
        the same positions; Regrouped likewise, when the group has changed: poll before. Raises Fenced when others have
        taken over: what was sent is void.
        """

    @property
    @abstractmethod
    def commits(self) -> bool:
        """Whether positions are committed with the outputs. Else the consumer is to commit them, after."""

    def committed(self) -> None:
        """What was settled is committed. What has waited meanwhile is handed over now."""
        waiting = [record for _, record in self._next[self._ahead :]]
        self._kept, self._next, self._ahead = self._next, [], 0
        if waiting:
            self._hand_over(waiting)

    @abstractmethod
    def distrust(self, error: BrokerError) -> None:
        """The broker was away: do not rely on what was begun with it before."""

    @abstractmethod
    def close(self, timeout: float) -> None:
        """Stop within `timeout` seconds. What was not committed may never be."""

    @property
    @abstractmethod
    def _need_not_wait(self) -> bool:
        """Whether outputs may be handed over while a commit is under way."""

    @abstractmethod
    def _prepare(self, positions: Positions, timeout: float) -> Callable[[], object]:
        """What is left to do in a thread of its own to make sure of all that was sent; it raises BrokerError."""

    @abstractmethod
    def _outcome(self, error: BrokerError | None) -> None:
        """Take note of how a commit went. Raises BrokerError if it failed."""

    @abstractmethod
    def _hand_over(self, records: Sequence[Outgoing]) -> None:
        """Hand records to the producer."""

    @abstractmethod
    def _taken_back(self, partitions: Collection[int]) -> None:
        """Records of these tasks were handed over and are not to count after all."""


class ExactlyOnce(Delivery):
    """One transaction per commit: outputs, journal and positions become visible together or not at all.

    A transaction whose outcome is not known is settled by a new producer of the same id, which the broker lets begin
    only when the old one's transaction has ended; the committed positions then tell how.
    """

    def __init__(self, connect: Callable[[float], TransactionalProducer], consumer: Callable[[], Consumer]) -> None:
        """`connect` makes a producer of always the same id, within so many seconds."""
        super().__init__()
        self._connect = connect
        self._consumer = consumer
        self._producer = connect(CONNECT_TIMEOUT)
        self._open = False
        self._failed: BrokerError | None = None
        self._tried: dict[Partition, Position] = {}  # positions of a commit whose outcome is not known

    @property
    def unsettled(self) -> bool:
        return super().unsettled or self.broken

    @property
    def broken(self) -> bool:
        return self._failed is not None

    @property
    def in_doubt(self) -> bool:
        return bool(self._tried)

    @property
    def commits(self) -> bool:
        return True

    def settle(self, positions: Positions, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        if self._failed is not None and self._start_again(positions, deadline):
            return
        if self._kept or positions:
            self.begin(positions, _left(deadline))
            self.finish(_left(deadline) + _GRACE)

    @property
    def _need_not_wait(self) -> bool:
        return False

    def _prepare(self, positions: Positions, timeout: float) -> Callable[[], object]:
        try:
            self._begin()
            group = self._consumer().group()
        except BrokerError as error:
            self._failed = error
            raise
        self._tried = dict(positions)
        return partial(self._producer.commit, positions, group, timeout)

    def _outcome(self, error: BrokerError | None) -> None:
        if error is None:
            self._open = False
            return
        if isinstance(error, Regrouped):
            self._tried = {}
        self._failed = error
        raise error

    def committed(self) -> None:
        self._tried = {}
        super().committed()

    def close(self, timeout: float) -> None:
        """A transaction that is open is aborted: left to itself it would hold up subscribers until it times out."""
        deadline = time.monotonic() + timeout
        with suppress(BrokerError):
            if self.under_way:
                self.finish(timeout)
            if self._open and self._failed is None:
                self._producer.abort(timeout)
            elif self._open and timeout >= LEAST_TIME:
                self._producer.close(0.0)
                self._producer = self._connect(timeout)
        self._producer.close(_left(deadline))

    def distrust(self, error: BrokerError) -> None:
        """A producer that was idle meanwhile may wait in vain for its coordinator; a new one finds it at once."""
        self._failed = self._failed or error

    def _hand_over(self, records: Sequence[Outgoing]) -> None:
        if self._failed is not None:
            return
        try:
            self._begin()
            for record in records:
                self._producer.send(record)
        except BrokerError as error:
            self._failed = error

    def _begin(self) -> None:
        if not self._open:
            self._producer.begin()
            self._open = True

    def _taken_back(self, partitions: Collection[int]) -> None:
        self._failed = self._failed or BrokerError("outputs of partitions that went are to be taken back")
        self._tried = {tp: at for tp, at in self._tried.items() if tp[1] not in partitions}

    def _start_again(self, positions: Positions, deadline: float) -> bool:
        """Settle the last transaction; True if it was committed after all. Otherwise hand everything over anew."""
        self._producer.close(0.0)
        self._producer = self._connect(_left(deadline))
        self._open = False
        if self._tried and all(
            self._consumer().committed(*tp, _left(deadline)) == at for tp, at in self._tried.items()
        ):
            if self._tried != positions:
                raise Fenced("a commit whose outcome was unknown had been made, for other positions than now")
            self._failed = None
            return True
        self._failed, self._tried = None, {}
        self._hand_over([record for _, record in self._kept])
        if self._failed is not None:
            raise self._failed
        return False


class AtLeastOnce(Delivery):
    """Outputs first, then positions: after a crash in between, the outputs are made again."""

    def __init__(self, connect: Callable[[], Producer], consumer: Callable[[], Consumer]) -> None:
        super().__init__()
        self._connect = connect
        self._consumer = consumer
        self._hold_at = 0.0
        self._producer = connect()
        self._errors: list[tuple[str, BaseException]] = []  # topic and error; filled from the producer's thread

    @property
    def broken(self) -> bool:
        return bool(self._errors)

    @property
    def commits(self) -> bool:
        return self._consumer().commits_anywhere

    def settle(self, positions: Positions, timeout: float) -> None:
        if self._errors:
            self._send_again()
        self.begin(positions, timeout)
        self.finish(timeout + _GRACE)

    @property
    def _need_not_wait(self) -> bool:
        """A client says only when nothing more is on its way: so at some time nothing more must come."""
        return time.monotonic() < self._hold_at

    def _prepare(self, positions: Positions, timeout: float) -> Callable[[], object]:
        self._hold_at = time.monotonic() + HOLD_AFTER
        return partial(self._commit, self._producer, positions if self.commits else {}, timeout)

    def _commit(self, producer: Producer, positions: Positions, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        producer.flush(timeout)
        if positions and not self._errors:
            self._consumer().commit(positions, _left(deadline))

    def _outcome(self, error: BrokerError | None) -> None:
        if error is not None:
            raise error
        if self._errors:
            topic, cause = self._errors[0]
            raise BrokerError(f"topic {topic}: the broker did not take {len(self._errors)} outputs: {cause}") from cause

    def distrust(self, error: BrokerError) -> None:
        """Its producer finds the broker again by itself."""

    def close(self, timeout: float) -> None:
        self._producer.close(timeout)

    def _hand_over(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            self._producer.send(record, partial(_note, self._errors, record.topic))

    def _taken_back(self, partitions: Collection[int]) -> None:
        """They are out, and may be made again by others: at least once."""

    def _send_again(self) -> None:
        """Send everything since the last commit again, by a new producer: one that had a record refused refuses all
        that follow.
        """
        fresh = self._connect()
        self._producer.close(0.0)
        self._producer = fresh
        self._errors, self._ahead = [], 0
        self._hand_over([record for _, record in self._kept])


def _left(deadline: float) -> float:
    """Seconds until then; always some, so that what takes no time is still done."""
    return max(0.1, deadline - time.monotonic())


def _note(errors: list[tuple[str, BaseException]], topic: str, error: BaseException) -> None:
    errors.append((topic, error))


def delivery_of(config: Config, consumer: Callable[[], Consumer]) -> Delivery:
    """The delivery that is configured, connected. Raises BrokerError when no broker answers, ConfigError."""
    kafka = config.kafka
    if config.delivery == "at_least_once":
        return AtLeastOnce(lambda: make_producer(kafka), consumer)
    name = f"{config.group}-{kafka.instance or uuid.uuid4().hex}"
    return ExactlyOnce(lambda timeout: make_transactional_producer(kafka, name, timeout), consumer)
