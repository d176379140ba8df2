"""Sends single records and waits for each, for callers that must know that the broker has it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from stream.errors import BrokerError
from stream.kafka.client import Outgoing, Producer


class Sender:
    """A producer that is made when a record is first sent, and anew after one that did not take a record: it may refuse
    all that follow, and what it still holds is not to be delivered when nobody waits for it any more.

    Safe to use from several threads. While one connects, the others wait.
    """

    def __init__(self, connect: Callable[[], Producer]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._producer: Producer | None = None

    def send(self, record: Outgoing, timeout: float) -> None:
        """Send a record. The broker has it when this returns.

        Raises BrokerError when there is no connection, or the record was not taken within `timeout` seconds; it may
        have been taken all the same.
        """
        with self._lock:
            producer = self._producer = self._producer or self._connect()
        errors: list[BaseException] = []
        try:
            producer.send(record, errors.append)
            if not errors:
                producer.flush(timeout)
        except BrokerError as error:
            errors.append(error)
        if errors:
            self._drop(producer)
            raise BrokerError(str(errors[0])) from errors[0]

    def close(self, timeout: float) -> None:
        """Let go of the broker within `timeout` seconds."""
        with self._lock:
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout)

    def _drop(self, producer: Producer) -> None:
        with self._lock:
            if self._producer is producer:
                self._producer = None
        producer.close(0.0)
