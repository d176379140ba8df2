"""Has each webhook follow the alerts topic, in a thread and a consumer group of its own."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Final

import msgspec
import structlog

from stream.config.model import Config
from stream.errors import BrokerError
from stream.kafka.client import Subscriber, make_subscriber
from stream.records import Alert, RawRecord
from stream.sinks.source import is_of
from stream.telemetry import Telemetry
from stream.web.feeds.headlines import Headlines
from stream.webhooks.posting import Hook
from stream.webhooks.retrying import LONGEST, MOST_ASKED

log = structlog.get_logger()

POLL_SECONDS: Final = 0.5
RETRY_SECONDS: Final = 5.0
BEGIN_SECONDS: Final = 5.0
"""Longest wait, in seconds, until it is known where each webhook begins."""
STOP_SECONDS: Final = 2.0


class Webhooks:
    """The webhooks of one worker. Raises ConfigError when a secret of theirs is not there.

    An alert is posted at least once: its position is committed after it was taken or given up. Each webhook has a group
    of its own, so that one that hangs holds up neither the others nor predictions; the workers of a service share out
    the partitions of the alerts topic. A webhook begins with the alerts that come after its first start.
    """

    def __init__(self, config: Config, telemetry: Telemetry) -> None:
        self._stop = threading.Event()
        headline = Headlines(config).headline
        hooks = [
            Hook(hook, f"webhooks[{place}]", config.app, telemetry, self._stop, headline)
            for place, hook in enumerate(config.webhooks)
        ]
        self._followers = [_Follower(config, hook, self._stop) for hook in hooks]

    def start(self) -> None:
        """Begin to follow the alerts topic, which has to be there. What is put out after this is posted."""
        for follower in self._followers:
            follower.start()
        for follower in self._followers:
            follower.begun.wait(BEGIN_SECONDS)

    def stop(self) -> None:
        """Stop soon. What was begun and not taken is posted again by whoever takes over."""
        self._stop.set()
        for follower in self._followers:
            if follower.is_alive():
                follower.join(STOP_SECONDS)


class _Follower(threading.Thread):
    """Posts the alerts of the partitions it is given, one after the other."""

    def __init__(self, config: Config, hook: Hook, stop: threading.Event) -> None:
        super().__init__(name=f"driftline-webhook-{hook.config.name}", daemon=True)
        self.begun = threading.Event()
        self._config = config
        self._hook = hook
        self._stopping = stop
        self._decode = msgspec.json.Decoder(Alert).decode

    def run(self) -> None:
        """Follow until asked to stop. Nothing else ends it: without it alerts would reach nobody, unnoticed."""
        while not self._stopping.is_set():
            try:
                with closing(self._subscribe()) as alerts:
                    self.begun.set()
                    self._follow(alerts)
            except BrokerError as error:
                log.warning("webhook_waits", hook=self._hook.config.name, error=error.message, retry_s=RETRY_SECONDS)
                self._stopping.wait(RETRY_SECONDS)
            except Exception:
                log.exception("webhook_broken", hook=self._hook.config.name, retry_s=RETRY_SECONDS)
                self._stopping.wait(RETRY_SECONDS)
        self._hook.close()

    def _subscribe(self) -> Subscriber:
        hook = self._hook.config
        longest = hook.attempts * (hook.timeout + max(LONGEST, MOST_ASKED))
        group = f"driftline-{self._config.app}-webhooks-{hook.name}"
        return make_subscriber(self._config.kafka, self._config.topics.alerts, group, longest)

    def _follow(self, alerts: Subscriber) -> None:
        while not self._stopping.is_set():
            for record in alerts.poll(POLL_SECONDS):
                if not self._see_to(record):
                    return
                alerts.commit(record)

    def _see_to(self, record: RawRecord) -> bool:
        """Post an alert if it is ours and wanted; False when the service stops before that is done."""
        if not is_of(self._config.app, record):
            return True
        try:
            alert = self._decode(record.value or b"")
        except msgspec.MsgspecError as error:  # written by others
            log.warning("webhook_left_out", hook=self._hook.config.name, offset=record.offset, error=str(error))
            return True
        return not self._hook.wants(alert) or self._hook.post(alert)
