"""What every Kafka client gives: the types and the promises of the seam. Nothing here knows a client.

The group shares out the partitions of the events topic. Whoever owns one of them owns the labels partition of the same
number too, whatever the client and the other members are. Members hand partitions over one by one (cooperative
rebalancing): what stays with a member is not interrupted.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple, NewType, Protocol, TypeAlias

from stream.errors import BrokerError
from stream.records import RawRecord

Partition: TypeAlias = tuple[str, int]
"""A topic and the number of one of its partitions."""

Batches: TypeAlias = Mapping[Partition, Sequence[RawRecord]]
"""Records by partition, those of one partition in their order."""

Group = NewType("Group", object)
"""Who a consumer is in its group at this moment. Only the producer of the same client understands it."""


class Position(NamedTuple):
    """What a group has committed for a partition: the next offset to read, and a text that goes with it."""

    offset: int
    metadata: str = ""


class Bounds(NamedTuple):
    """What a partition holds for a reader of committed records: offsets from `first` up to, not including, `end`.

    `end` is the last stable offset: a transaction that is still open holds it back.
    """

    first: int
    end: int


class Outgoing(NamedTuple):
    """A record to produce. Its key chooses the partition, as in every Kafka client, unless one is given.

    It gets the time at which it is produced, unless `at` (milliseconds since the epoch) says another. Outputs do not
    have that of their event: the broker forgets a producer whose newest record is a day old by its timestamp, and with
    it the sequence numbers by which it knows duplicates.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int | None = None
    at: int | None = None


MIXED_GROUP = (
    "The group has members that share out partitions in another way, such as an older version's. Stop them all, then "
    "start this one; or give it a name of its own (kafka.group)."
)
"""The cure when a group refuses us for our way of sharing out partitions (inconsistent group protocol)."""

SHARED_INSTANCE = (
    "If that was no restart of this one, two processes share one configuration: give each a name of its own, such as "
    "instance: ${HOSTNAME} (a pod's name), or remove kafka.instance."
)
"""The cure when another process has our `kafka.instance`."""


class Fenced(BrokerError):
    """Somebody else has taken over: a producer with the same id, or the group without us. What was begun is void.

    The broker says the same of a transaction that stayed open for longer than `kafka.transaction_timeout`.
    """


class Regrouped(Fenced):
    """The group has gone on to another generation than the one that commits. What is ours shows after the next poll:
    perhaps all of it still, and then it can be committed by a new producer of the same id.
    """


class Truncated(BrokerError):
    """Records of a partition that were to be read are no longer kept. `first` is the oldest offset that still is."""

    def __init__(self, topic: str, partition: int, wanted: int, first: int) -> None:
        super().__init__(
            f"{topic}[{partition}] begins at offset {first}; offset {wanted} is no longer kept",
            "Raise the topic's retention (retention.ms, retention.bytes) above the longest time a service may be down.",
        )
        self.topic = topic
        self.partition = partition
        self.first = first


class NoTopicError(BrokerError):
    """A topic that was to be read is not there. Waiting will not help."""


class Owner(Protocol):
    """Who owns the partitions that a consumer is given. Called from inside `poll` and `close`, perhaps from another
    thread while the caller waits in them: it may use producers, and of the consumer nothing but `group`.
    """

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """These partitions are ours too from now on, read from their committed offsets. Must return at once."""

    def revoking(self, partitions: Iterable[Partition]) -> Mapping[Partition, Position]:
        """These partitions are about to go: finish their outputs and say which positions to commit; none if that is
        done. Nobody else has them yet, or nothing that is committed for them counts any more. Raises BrokerError.
        """

    def revoked(self, partitions: Iterable[Partition], *, committed: bool) -> None:
        """These partitions are gone; `committed` tells whether all that was done on them is. Without `revoking`
        before it they were lost: others have them already.
        """


class Consumer(Protocol):
    """A member of the group on the events topic, with the labels that go with it. It reads committed records only.

    Only its owner commits. No call waits longer than its timeout by more than a moment.
    """

    commits_anywhere: ClassVar[bool]
    """Whether `commit` may be called from any thread, while another one is inside `poll` or in the owner's hands."""

    @property
    def member(self) -> bool:
        """Whether the group has answered that we belong to it, be it without a partition. It does not while it waits
        for others.
        """

    def poll(self, timeout: float) -> Batches:
        """Records that have come, waiting at most `timeout` seconds for the first. Joins and leaves on the way.

        Raises BrokerError; `Fenced` when another consumer has our `kafka.instance`.
        """

    def commit(self, positions: Mapping[Partition, Position], timeout: float) -> None:
        """Commit positions, waiting at most `timeout` seconds. Raises BrokerError; the caller commits again later.
        `Regrouped` while the group changes: poll first.
        """

    def committed(self, topic: str, partition: int, timeout: float = 10.0) -> Position | None:
        """What the group has committed; None before the first commit.

        It is settled: while a transaction with offsets of this partition is open, this waits for its end. Raises
        BrokerError after `timeout` seconds; one left open by a dead producer ends after its transaction timeout.
        """

    def end(self, topic: str, partition: int) -> int | None:
        """The offset after the newest record, committed or not, as of the last fetch; None before that."""

    def at_end(self, topic: str, partition: int) -> bool:
        """Whether all committed records that the partition held at the last fetch have been polled."""

    def ping(self, timeout: float) -> None:
        """Return when the leader of an assigned partition has answered, or of any while none is assigned. Raises
        BrokerError after `timeout` seconds.
        """

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Read on from an offset. A partition that is no longer ours stays as it is."""

    def pause(self, topic: str, partition: int) -> None:
        """Take no more records of a partition for now."""

    def resume(self, topic: str, partition: int) -> None:
        """Take records of a partition again."""

    def group(self) -> Group:
        """Who we are in the group now, for a transaction's offsets. Raises Regrouped when it has gone on without us:
        the broker would take offsets from nobody in particular without a question.
        """

    def close(self, timeout: float) -> None:
        """Leave the group, within `timeout` seconds. The owner is asked to give up its partitions first."""


class Producer(Protocol):
    """Produces records with acknowledgement by all replicas in sync, in order, without duplicates of its own making."""

    def send(self, record: Outgoing, on_error: Callable[[BaseException], object]) -> None:
        """Hand over a record. `on_error` is called, perhaps from another thread, if it could not be delivered."""

    def flush(self, timeout: float) -> None:
        """Wait until every record handed over is delivered or has failed. Raises BrokerError when that takes longer."""

    def close(self, timeout: float) -> None:
        """Stop within `timeout` seconds. Records not delivered by then fail, and may have been delivered."""


class TransactionalProducer(Protocol):
    """One of at most one live producers with its transactional id: making one ends the transactions of those before.

    After a BrokerError from any method it is of no more use: close it. Its transaction, when `commit` was called, was
    committed or it was not; the offsets tell once a new producer with the same id has been made.
    """

    def begin(self) -> None:
        """Begin a transaction. Raises BrokerError."""

    def send(self, record: Outgoing) -> None:
        """Add a record to the transaction. Raises BrokerError when it cannot be delivered; or else `commit` does."""

    def commit(self, positions: Mapping[Partition, Position], group: Group, timeout: float) -> None:
        """Commit the records and a group's positions together, within `timeout` seconds. Raises BrokerError.

        `Fenced` when a newer producer has taken over, `Regrouped` when the group has gone on since `group` was asked
        for: in both cases nothing was committed.
        """

    def abort(self, timeout: float) -> None:
        """Give the transaction up: nobody will read its records. Raises BrokerError."""

    def close(self, timeout: float) -> None:
        """Stop within `timeout` seconds. An open transaction stays so until a successor or its timeout ends it."""


class Subscriber(Protocol):
    """A member of a group that follows one topic, committed records only, one at a time. What its group has not begun
    to read it reads from where the topic ended when the first member was made, so that nothing after that is missed.
    """

    def poll(self, timeout: float) -> Sequence[RawRecord]:
        """The next record, waiting at most `timeout` seconds for it; none when there is none. Raises BrokerError."""

    def commit(self, record: RawRecord) -> None:
        """The record is seen to: the group goes on after it. Raises BrokerError, and then another member may get it."""

    def close(self) -> None:
        """Leave the group."""


class LogReader(ABC):
    """Reads committed records of partitions from given offsets, as a member of no group; nothing is committed."""

    @abstractmethod
    def partitions(self, topic: str, timeout: float = 10.0) -> list[int]:
        """The numbers of a topic's partitions. Raises NoTopicError, and BrokerError when there is no answer in time."""

    @abstractmethod
    def bounds(self, topic: str, partition: int, timeout: float = 10.0) -> Bounds:
        """What a partition holds now. Raises BrokerError when there is no answer in time."""

    @abstractmethod
    def start(self, positions: Mapping[Partition, int]) -> None:
        """Read these partitions, and no others, from these offsets on."""

    @abstractmethod
    def move(self, topic: str, partition: int, offset: int) -> None:
        """Read one of these partitions on from another offset."""

    @abstractmethod
    def poll(self, timeout: float, most: int = 2000) -> Batches:
        """At most `most` records that have come, waiting at most `timeout` seconds for the first. None come while the
        broker is away. Raises BrokerError; Truncated when the log was cut off ahead of the reader.
        """

    @abstractmethod
    def has_passed(self, topic: str, partition: int, offset: int) -> bool:
        """Whether every record before this offset has been polled. Offsets that hold no record count as polled."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the broker."""

    def read(
        self, topic: str, partition: int, start: int, stop: int, timeout: float = 30.0
    ) -> Iterator[Sequence[RawRecord]]:
        """Batches of the records from offset `start` up to, not including, `stop`. They must be there: see `bounds`.

        Raises Truncated when `start` is no longer kept, BrokerError when nothing comes for `timeout` seconds.
        """
        first, _ = self.bounds(topic, partition, timeout)
        if start < first:
            raise Truncated(topic, partition, start, first)
        if start >= stop:
            return
        self.start({(topic, partition): start})
        heard = time.monotonic()
        while not self.has_passed(topic, partition, stop):
            batch = self.poll(0.1).get((topic, partition), ())
            if batch:
                heard = time.monotonic()
                yield batch if batch[-1].offset < stop else [record for record in batch if record.offset < stop]
                heard = max(heard, time.monotonic())
            elif time.monotonic() - heard > timeout:
                raise BrokerError(
                    f"{topic}[{partition}]: Kafka gave no record for {timeout:g} s; {stop} was not reached"
                )
