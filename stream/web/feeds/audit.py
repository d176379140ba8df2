"""The audit trail read back: who changed what by hand, and what came of it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec

from stream.audit import AuditEntry
from stream.config.model import Config
from stream.records import RawRecord
from stream.web.feeds.reading import Listeners, readable
from stream.web.feeds.tail import Tail

MOST: Final = 2000
"""Changes that are kept, the newest, and records that are read when the feed begins."""


class Changes(msgspec.Struct, frozen=True):
    """Changes, the newest first, each with what came of it as far as is known, and what to ask with for those before
    them. `heard` is when the broker was last heard from; `trouble` is why this may not be all.
    """

    entries: list[AuditEntry]
    cursor: str | None
    heard: float | None
    trouble: str | None


class AuditFeed:
    """Follows the audit topic. Safe to use from several threads."""

    def __init__(self, config: Config) -> None:
        assert config.topics.audit is not None  # the model names it
        self.tail = Tail(config.kafka, config.topics.audit, MOST, self.take)
        self.listeners = Listeners[AuditEntry]()
        """Told of each record that comes."""
        self._key = config.app.encode()
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, AuditEntry] = OrderedDict()  # by id, in the order in which they were asked for
        self._decode = msgspec.json.Decoder(AuditEntry).decode

    def take(self, records: Sequence[RawRecord]) -> None:
        """Take records of the topic. What is no entry, or of another service, was written by others."""
        ours = (record for record in records if record.key == self._key)
        for _, entry in readable(ours, self._decode):
            with self._lock:
                known = self._entries.get(entry.id)
                if known is not None and entry.outcome == "asked":  # the trail does not go back
                    continue
                self._entries[entry.id] = entry
                while len(self._entries) > MOST:
                    self._entries.popitem(last=False)
            if self.tail.caught_up.is_set():
                self.listeners.tell(entry)

    def find(self, limit: int, cursor: str | None = None) -> Changes:
        """The newest changes, or those that were asked for before the one that `cursor` names; none if that is no
        longer kept.
        """
        with self._lock:
            newest = [*reversed(self._entries.values())]
        ids = [entry.id for entry in newest]
        begin = 0 if cursor is None else ids.index(cursor) + 1 if cursor in ids else len(ids)
        found = list(islice(newest, begin, begin + limit))
        more = begin + limit < len(newest)
        return Changes(found, found[-1].id if found and more else None, *self.tail.standing)
