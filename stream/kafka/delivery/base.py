"""What every delivery is: outputs kept until they are committed, and one commit under way at a time."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

from stream.errors import BrokerError
from stream.kafka.client import Outgoing, Partition, Position
from stream.kafka.client.flight import Flight

Positions: TypeAlias = Mapping[Partition, Position]
"""The next offset to read by (topic, partition), with the metadata that is committed beside it."""

FULL = 10_000
"""Outputs after which a commit is due, whatever the interval: they are kept in memory until they are committed."""
GRACE = 0.5
"""Time, in seconds, by which a client may overstay, with a better answer than that time is up."""


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


def left(deadline: float) -> float:
    """Seconds until then; always some, so that what takes no time is still done."""
    return max(0.1, deadline - time.monotonic())
