"""As much of a broker as a delivery needs, in memory: it answers when it is told to, and refuses when it is told to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import ClassVar, cast

from stream.errors import BrokerError
from stream.kafka.client import Consumer, Group, Outgoing, Partition, Position
from stream.kafka.delivery import AtLeastOnce, Delivery, ExactlyOnce


class Broker:
    """What it has, transaction by transaction; `answers` is set while it answers, `refuses` makes the next commit fail.

    Without transactions there is one list, in which records are as soon as they are sent.
    """

    def __init__(self) -> None:
        self.committed: list[list[str]] = []
        self.positions: list[Mapping[Partition, Position]] = []
        self.sent: list[str] = []
        self.answers = threading.Event()
        self.answers.set()
        self.refuses = False

    def take(self, records: list[str], positions: Mapping[Partition, Position]) -> None:
        self.answers.wait(10.0)
        if self.refuses:
            self.refuses = False
            raise BrokerError("the broker refused")
        self.committed.append(records)
        self.positions.append(positions)


class Transactions:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._open: list[str] | None = None

    def begin(self) -> None:
        assert self._open is None
        self._open = []

    def send(self, record: Outgoing) -> None:
        assert self._open is not None
        self._open.append(text(record))

    def commit(self, positions: Mapping[Partition, Position], group: Group, timeout: float) -> None:
        assert self._open is not None
        records, self._open = self._open, None
        self._broker.take(records, positions)

    def abort(self, timeout: float) -> None:
        self._open = None

    def close(self, timeout: float) -> None:
        pass


class Plain:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def send(self, record: Outgoing, on_error: Callable[[BaseException], object]) -> None:
        self._broker.sent.append(text(record))

    def flush(self, timeout: float) -> None:
        self._broker.answers.wait(10.0)

    def close(self, timeout: float) -> None:
        pass


class Member:
    """As much of a consumer as a delivery asks for."""

    commits_anywhere: ClassVar[bool] = True

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def group(self) -> Group:
        return Group(None)

    def commit(self, positions: Mapping[Partition, Position], timeout: float) -> None:
        self._broker.take([], positions)

    def committed(self, topic: str, partition: int, timeout: float = 10.0) -> Position | None:
        return self._broker.positions[-1].get((topic, partition)) if self._broker.positions else None


def text(record: Outgoing) -> str:
    return (record.value or b"").decode()


def out(*texts: str) -> list[Outgoing]:
    return [Outgoing("predictions", None, text.encode(), []) for text in texts]


def exactly_once(broker: Broker) -> Delivery:
    member = cast(Consumer, Member(broker))
    return ExactlyOnce(lambda timeout: Transactions(broker), lambda: member)


def at_least_once(broker: Broker) -> Delivery:
    member = cast(Consumer, Member(broker))
    return AtLeastOnce(lambda: Plain(broker), lambda: member)
