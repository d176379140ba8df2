"""At least once: outputs are acknowledged, then positions are committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

import structlog

from stream.errors import BrokerError
from stream.kafka.client import Consumer, Outgoing, Producer
from stream.kafka.delivery.base import GRACE, Delivery, Positions, left

log = structlog.get_logger()

HOLD_AFTER = 0.05
"""Time, in seconds, that outputs are given to be acknowledged while more are sent, before these are held back."""


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
        self.finish(timeout + GRACE)

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
            self._consumer().commit(positions, left(deadline))

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
        topic, error = self._errors[0]
        log.info("outputs_sent_again", topic=topic, error=str(error), outputs=len(self._kept))
        fresh = self._connect()
        self._producer.close(0.0)
        self._producer = fresh
        self._errors, self._ahead = [], 0
        self._hand_over([record for _, record in self._kept])


def _note(errors: list[tuple[str, BaseException]], topic: str, error: BaseException) -> None:
    errors.append((topic, error))
