"""Watching a run from outside: one consumer on the topics, one look at /metrics a second."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import msgspec

from stream.config.model import Config
from stream.demo.metrics import scrape
from stream.demo.picture import Picture
from stream.errors import BrokerError
from stream.kafka.reader import Reader
from stream.records import Alert

_LOOK_SECONDS = 1.0
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)
"""What is raised for records that others wrote, to try out what becomes of them: they are the service's to judge."""


class _Predicted(msgspec.Struct):
    """What the picture needs of a prediction."""

    ts: float
    model_version: int
    partition: int


class _Labelled(msgspec.Struct):
    """What the picture needs of a label."""

    label: bool


class Watch:
    """Fills a picture. It is a subscriber like any other: the service does not know of it."""

    def __init__(self, config: Config, http_port: int, picture: Picture) -> None:
        topics = config.topics
        assert topics.labels is not None
        self._events, self._labels = topics.events, topics.labels
        self._picture = picture
        self._port = http_port
        self._looked_at = 0.0
        self._take = {
            topics.predictions: self._take_prediction,
            topics.labels: self._take_label,
            topics.alerts: self._take_alert,
        }
        self._decode_prediction = msgspec.json.Decoder(_Predicted).decode
        self._decode_label = msgspec.json.Decoder(_Labelled).decode
        self._decode_alert = msgspec.json.Decoder(Alert).decode
        self._reader = Reader(config.kafka, list(self._take))

    def turn(self, seconds: float) -> None:
        """Take what comes within so many seconds. Raises BrokerError."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for record in self._reader.poll(left):
                with suppress(*_UNREADABLE):
                    self._take[record.topic](record)
        if time.monotonic() - self._looked_at >= _LOOK_SECONDS:
            self.look()

    def look(self) -> None:
        """Ask the service, then the broker, how far things are: in this order nothing seems to be missing."""
        self._looked_at = time.monotonic()
        metrics = scrape(self._port)
        try:
            events, labels = (self._reader.size(topic) for topic in (self._events, self._labels))
        except BrokerError:
            return
        self._picture.looked(metrics, events, labels)

    def close(self) -> None:
        """Let go of the broker."""
        self._reader.close()

    def _take_prediction(self, record: Any) -> None:
        prediction = self._decode_prediction(record.value or b"")
        self._picture.predicted(prediction.ts, prediction.model_version, prediction.partition)

    def _take_label(self, record: Any) -> None:
        self._picture.labelled(record.timestamp / 1000.0, self._decode_label(record.value or b"").label)

    def _take_alert(self, record: Any) -> None:
        self._picture.alerted(self._decode_alert(record.value or b""))
