"""All that comes by the topics of one service, for the web application."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import redis

from stream.config.model import Config
from stream.errors import DriftlineError
from stream.stores.connection import connect
from stream.web.feeds.acknowledged import Acknowledged
from stream.web.feeds.alerts import AlertsFeed
from stream.web.feeds.audit import AuditFeed
from stream.web.feeds.gateway import Gateway
from stream.web.feeds.incidents import Readings
from stream.web.feeds.lookup import Lookup
from stream.web.feeds.quality import QualityFeed
from stream.web.parts import History, Mark, News, Usual

FRESH_SECONDS: Final = 2.0
"""Age up to which what the history has is good enough: to say that a drift recovers, or how far the stream is."""

_CONCERN: Final = ("drift", "warning", "stable", "warmup")


class TopicFeeds:
    """See `stream.web.parts.Feeds`. Nothing is sent to the broker before it is started, nor to Redis before somebody
    asks for alerts.
    """

    def __init__(self, config: Config, history: History | None = None, client: redis.Redis | None = None) -> None:
        acknowledged = Acknowledged(client or connect(config.redis), config.app)
        self.alerts = AlertsFeed(config, acknowledged, Detectors(history))
        self.quality = QualityFeed(config)
        self.audit = AuditFeed(config)
        self.lookup = Lookup(config)
        self.gateway = Gateway(config, stream_time=StreamTime(history))
        self._tails = (self.alerts.tail, self.quality.tail, self.audit.tail)

    def start(self) -> None:
        """Begin to follow the topics."""
        for tail in self._tails:
            tail.start()

    def stop(self) -> None:
        """Let go of the broker, within a few seconds."""
        for tail in self._tails:
            tail.end()
        for tail in self._tails:
            tail.stop()
        self.gateway.close()

    def marks(self, partition: int | None, since: float | None) -> list[Mark]:
        """What happened since a time, oldest first."""
        return self.alerts.marks(partition, since)

    def open_alerts(self) -> int:
        """How many drifts were told and are not over."""
        return self.alerts.open()

    def alerts_of(self, feature: str) -> list[str]:
        """Ids of the alerts that name a feature, newest first."""
        return self.alerts.of_feature(feature)

    def look(self) -> None:
        """Tell of drifts that have begun to recover, or drift again, since the last look."""
        self.alerts.look()

    def usual(self, feature: str, partition: int | None) -> Usual | None:
        """What a feature was like when all was well, as its newest alert has it; None where none tells of it."""
        return self.alerts.usual(feature, partition)

    def listen(self, take: Callable[[News, Any], None]) -> Callable[[], None]:
        """Have `take` told of each new or changed alert, and each new record of the audit. Returns what ends it."""
        ends = (
            self.alerts.listeners.add(lambda shown: take("alert", shown)),
            self.audit.listeners.add(lambda entry: take("audit", entry)),
        )

        def end() -> None:
            for one in ends:
                one()

        return end


class StreamTime:
    """How far the stream has come, as the history has it; None while that cannot be had."""

    def __init__(self, history: History | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._history = history
        self._clock = clock
        self._read_at = float("-inf")
        self._known: float | None = None

    def __call__(self) -> float | None:
        if self._history is not None and self._clock() - self._read_at >= FRESH_SECONDS:
            try:
                self._known = self._history.stream_time()
            except DriftlineError:
                self._known = None
            self._read_at = self._clock()
        return self._known


class Detectors:
    """The newest states of a partition's detectors, as the history has them; none while it cannot be had."""

    def __init__(self, history: History | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._history = history
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[int, tuple[float, Readings]] = {}

    def __call__(self, partition: int) -> Readings:
        """Of a detector that watches segments apart, the state of most concern."""
        with self._lock:
            read_at, known = self._known.get(partition, (float("-inf"), {}))
            if self._clock() - read_at < FRESH_SECONDS:
                return known
            readings = self._read(partition)
            self._known[partition] = self._clock(), readings
            return readings

    def _read(self, partition: int) -> Readings:
        if self._history is None:
            return {}
        try:
            rows: list[Mapping[str, Any]] = msgspec.to_builtins(self._history.drift(partition, None, 2))["rows"]
        except DriftlineError:
            return {}
        readings: dict[tuple[str, str | None], str] = {}
        for row in rows:
            where, state = (row["detector"], row["feature"] or None), row["state"]
            if state in _CONCERN:
                readings[where] = min(state, readings.get(where, state), key=_CONCERN.index)
        return readings
