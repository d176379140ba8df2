"""Turns effects into Kafka records: each is serialised once, alerts carry CloudEvents headers, dead letters their
reason.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from stream.config.model import Config
from stream.kafka.client import PRODUCER_MAX_BYTES, Outgoing
from stream.records import Alert, Prediction, Rejected
from stream.sinks.source import HEADER, source

_HEADROOM = 16 * 1024


class KafkaSink:
    """Encodes what the engine of one service puts out."""

    def __init__(self, config: Config) -> None:
        self._topics = config.topics
        self._app = config.app
        self._json = msgspec.json.Encoder()

    def prediction(self, prediction: Prediction) -> Outgoing:
        """A prediction, keyed like its event."""
        key = None if prediction.key is None else prediction.key.encode()
        return Outgoing(self._topics.predictions, key, self._json.encode(prediction), [])

    def alert(self, alert: Alert) -> Outgoing:
        """An alert, keyed by model, with CloudEvents 1.0 headers (binary mode). The type of one that tells that a drift
        is over ends with how.
        """
        over = f".{alert.state}" if alert.over else ""
        headers = {
            "ce_specversion": "1.0",
            "ce_id": alert.id,
            HEADER: f"{source(self._app)}{alert.model}/{alert.partition}",
            "ce_type": f"driftline.{alert.kind}{over}",
            "ce_time": datetime.fromtimestamp(alert.ts, UTC).isoformat(),
            "content-type": "application/json",
        }
        return Outgoing(
            self._topics.alerts,
            alert.model.encode(),
            self._json.encode(alert),
            [(name, value.encode()) for name, value in headers.items()],
        )

    def dead_letter(self, record: Rejected) -> Outgoing:
        """The original key, bytes and headers, with the reason. Bytes that would not fit a record are cut."""
        reasons = {
            "driftline-reason": record.reason,
            "driftline-message": record.message,
            "driftline-topic": record.topic,
            "driftline-partition": str(record.partition),
            "driftline-offset": str(record.offset),
        }
        value, key = record.value, record.key
        room = PRODUCER_MAX_BYTES - _HEADROOM - len(key or b"") - sum(len(n) + len(v or b"") for n, v in record.headers)
        if value is not None and len(value) > room:
            reasons["driftline-cut-from-bytes"] = str(len(value))
            value = value[: max(0, room)]
        if value is None and key is None:
            value = b""
        headers = [(name, body or b"") for name, body in record.headers]
        return Outgoing(
            self._topics.dead_letters, key, value, headers + [(name, text.encode()) for name, text in reasons.items()]
        )
