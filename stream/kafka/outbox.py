"""Outputs on their way: nothing is forgotten before the broker has acknowledged it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from stream.errors import BrokerError
from stream.kafka.client import Outgoing, Producer


class Outbox:
    """Produces records and keeps those that failed, so that `settle` can send them again.

    Offsets may be committed after `settle` has returned, never before. `connect` makes a producer and raises
    `BrokerError` when it cannot; the first one is made here.
    """

    def __init__(self, connect: Callable[[], Producer]) -> None:
        self._connect = connect
        self._producer = connect()
        self._failed: deque[tuple[Outgoing, BaseException]] = deque()  # filled from the producer's thread
        self.unsettled = 0

    def send(self, records: Sequence[Outgoing]) -> None:
        """Hand records to the producer, in order."""
        for record in records:
            self._send(record)
        self.unsettled += len(records)

    def settle(self, timeout: float) -> None:
        """Return when everything sent so far is acknowledged. Raises `BrokerError` when something is not; call again
        then.
        """
        if self._failed:
            self._send_again()
        self._producer.flush(timeout)
        if self._failed:
            record, error = self._failed[0]
            raise BrokerError(
                f"topic {record.topic}: the broker did not take {len(self._failed)} outputs: {error}"
            ) from error
        self.unsettled = 0

    def close(self, timeout: float) -> None:
        """Stop within `timeout` seconds. What is not acknowledged by then may never be."""
        self._producer.close(timeout)

    def _send_again(self) -> None:
        """Send what failed, by a new producer: an idempotent one that had a record refused refuses all that follow."""
        fresh = self._connect()
        self._producer.close(0.0)  # what it still held joins what failed
        self._producer = fresh
        for _ in range(len(self._failed)):
            self._send(self._failed.popleft()[0])

    def _send(self, record: Outgoing) -> None:
        self._producer.send(record, lambda error: self._failed.append((record, error)))
