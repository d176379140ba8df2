"""Dead letters: how many for which reason, and what the newest of them are like."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from stream.config.model import Config
from stream.records import RawRecord
from stream.web.feeds.scrubbing import scrubbed, scrubbed_message
from stream.web.feeds.tail import Tail

SAMPLES: Final = 200
"""Newest dead letters that are kept."""
COUNTED: Final = 1000
"""Newest dead letters of each partition that are counted when the feed begins; all that come later are too."""
MOST_BYTES: Final = 16_384
"""Of a value, what is kept."""
MOST_REASONS: Final = 100
OTHER: Final = "other"


class Sample(msgspec.Struct, frozen=True):
    """A dead letter: when it became one, which record it was, why, and its value, scrubbed unless it says so."""

    ts: float
    topic: str
    partition: int
    offset: int
    reason: str
    message: str
    value: str


class DeadLetters(msgspec.Struct, frozen=True):
    """Dead letters by reason: so many of the newest as were counted, which go back to `since`; the newest of them.
    `heard` is when the broker was last heard from; `trouble` is why this may not be all.
    """

    total: int
    since: float | None
    by_reason: dict[str, int]
    samples: list[Sample]
    heard: float | None
    trouble: str | None


class QualityFeed:
    """Follows the dead letters. Memory is bounded. Safe to use from several threads."""

    def __init__(self, config: Config) -> None:
        self.tail = Tail(config.kafka, config.topics.dead_letters, COUNTED, self.take)
        self._lock = threading.Lock()
        self._by_reason: Counter[str] = Counter()
        self._since: float | None = None
        self._samples: list[_Letter] = []

    def take(self, records: Sequence[RawRecord]) -> None:
        """Take records of the topic. What is no dead letter of a service was written by others, and has no reason."""
        letters = [_Letter(record) for record in records]
        with self._lock:
            for letter in letters:
                known = letter.reason in self._by_reason or len(self._by_reason) < MOST_REASONS
                self._by_reason[letter.reason if known else OTHER] += 1
                self._since = letter.ts if self._since is None else min(self._since, letter.ts)
            self._samples = sorted([*self._samples, *letters[-SAMPLES:]], key=_Letter.place)[-SAMPLES:]

    def dead_letters(self, limit: int = SAMPLES, *, raw: bool = False) -> DeadLetters:
        """What has come, with at most so many samples, the newest first; with `raw` these are as they were."""
        with self._lock:
            newest = self._samples[::-1][:limit]
            counts = dict(self._by_reason.most_common())
            since = self._since
        samples = [letter.sample(raw=raw) for letter in newest]
        return DeadLetters(sum(counts.values()), since, counts, samples, *self.tail.standing)


class _Letter:
    """A dead letter as it is kept: no longer than it may be."""

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
