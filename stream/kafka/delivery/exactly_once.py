"""Exactly once: outputs, journal and positions in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial

import structlog

from stream.errors import BrokerError
from stream.kafka.client import Consumer, Fenced, Outgoing, Partition, Position, Regrouped, TransactionalProducer
from stream.kafka.delivery.base import GRACE, Delivery, Positions, left

log = structlog.get_logger()

CONNECT_TIMEOUT = 30.0
"""Longest wait, in seconds, for the transactions of earlier producers to be ended."""
LEAST_TIME = 1.0
"""Time, in seconds, without which ending a transaction that has failed is not begun."""


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
        if self._failed is not None and self._start_again(self._failed, positions, deadline):
            return
        if self._kept or positions:
            self.begin(positions, left(deadline))
            self.finish(left(deadline) + GRACE)

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
        self._producer.close(left(deadline))

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

    def _start_again(self, error: BrokerError, positions: Positions, deadline: float) -> bool:
        """Settle the last transaction; True if it was committed after all. Otherwise hand everything over anew."""
        log.info("transaction_made_again", error=error.message, outputs=len(self._kept))
        self._producer.close(0.0)
        self._producer = self._connect(left(deadline))
        self._open = False
        if self._tried and all(self._consumer().committed(*tp, left(deadline)) == at for tp, at in self._tried.items()):
            if self._tried != positions:
                raise Fenced("a commit whose outcome was unknown had been made, for other positions than now")
            self._failed = None
            return True
        self._failed, self._tried = None, {}
        self._hand_over([record for _, record in self._kept])
        if self._failed is not None:
            raise self._failed
        return False
