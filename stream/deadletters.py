"""A dead letter as people are shown it: which record it was, why, and its value without what it says, unless asked."""

from __future__ import annotations

from typing import Final

import msgspec

from stream.records import RawRecord
from stream.scrubbing import scrubbed, scrubbed_message

MOST_BYTES: Final = 16_384
"""Of a value, what is kept."""


class Sample(msgspec.Struct, frozen=True):
    """A dead letter: when it became one, which record it was, why, and its value, scrubbed unless it says so."""

    ts: float
    topic: str
    partition: int
    offset: int
    reason: str
    message: str
    value: str


class Letter:
    """A dead letter as it is kept: no longer than it may be. What others wrote to the topic has no reason."""

    def __init__(self, record: RawRecord) -> None:
        headers = [(name, body or b"") for name, body in record.headers or () if name.startswith("driftline-")]
        told = {name: body.decode(errors="replace") for name, body in headers}
        value = record.value or b""
        self.ts = max(record.timestamp, 0) / 1000
        self.reason = told.get("driftline-reason", "unknown")[:50]
        self._topic = told.get("driftline-topic", record.topic)
        self._partition = _whole(told.get("driftline-partition"), record.partition)
        self._offset = _whole(told.get("driftline-offset"), record.offset)
        self._message = told.get("driftline-message", "")[:500]
        self._value = value[:MOST_BYTES]
        self._own = (record.partition, record.offset)

    def place(self) -> tuple[float, tuple[int, int]]:
        """Where it stands among others."""
        return self.ts, self._own

    def sample(self, *, raw: bool) -> Sample:
        """How it is shown."""
        message = self._message if raw else scrubbed_message(self._message, self.reason)
        value = self._value.decode(errors="replace") if raw else scrubbed(self._value)
        return Sample(self.ts, self._topic, self._partition, self._offset, self.reason, message, value)


def _whole(text: str | None, otherwise: int) -> int:
    try:
        return otherwise if text is None else int(text)
    except ValueError:
        return otherwise
