"""Outputs on their way: nothing is forgotten before the broker has acknowledged it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from stream.errors import BrokerError
from stream.kafka.client import Outgoing, Producer


class Outbox:
    """Produces records and keeps those that failed, so that `settle` can send them again.

    Offsets may be committed after `settle` has returned, never before.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
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
        for _ in range(len(self._failed)):
            self._send(self._failed.popleft()[0])
        self._producer.flush(timeout)
        if self._failed:
            record, error = self._failed[0]
            raise BrokerError(
                f"topic {record.topic}: the broker did not take {len(self._failed)} outputs: {error}"
            ) from error
        self.unsettled = 0

    def _send(self, record: Outgoing) -> None:
        self._producer.send(record, lambda error: self._failed.append((record, error)))
