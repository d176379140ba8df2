"""Dead letters: how many for which reason, and what the newest of them are like."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from stream.config.model import Config
from stream.deadletters import Letter, Sample
from stream.records import RawRecord
from stream.web.feeds.tail import Tail

SAMPLES: Final = 200
"""Newest dead letters that are kept."""
COUNTED: Final = 1000
"""Newest dead letters of each partition that are counted when the feed begins; all that come later are too."""
MOST_REASONS: Final = 100
OTHER: Final = "other"


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
        self._samples: list[Letter] = []

    def take(self, records: Sequence[RawRecord]) -> None:
        """Take records of the topic. What is no dead letter of a service was written by others, and has no reason."""
        letters = [Letter(record) for record in records]
        with self._lock:
            for letter in letters:
                known = letter.reason in self._by_reason or len(self._by_reason) < MOST_REASONS
                self._by_reason[letter.reason if known else OTHER] += 1
                self._since = letter.ts if self._since is None else min(self._since, letter.ts)
            self._samples = sorted([*self._samples, *letters[-SAMPLES:]], key=Letter.place)[-SAMPLES:]

    def dead_letters(self, limit: int = SAMPLES, *, raw: bool = False) -> DeadLetters:
        """What has come, with at most so many samples, the newest first; with `raw` these are as they were."""
        with self._lock:
            newest = self._samples[::-1][:limit]
            counts = dict(self._by_reason.most_common())
            since = self._since
        samples = [letter.sample(raw=raw) for letter in newest]
        return DeadLetters(sum(counts.values()), since, counts, samples, *self.tail.standing)
