"""Following a topic from a thread: its newest records, then what comes, for as long as the process runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Final, NamedTuple, TypeAlias

import structlog

from stream.config.kafka import KafkaConfig
from stream.errors import BrokerError, DriftlineError
from stream.kafka.reader import Reader, Start
from stream.records import RawRecord

log = structlog.get_logger()

FIRST_RETRY: Final = 1.0
LAST_RETRY: Final = 15.0
"""Pauses between two tries while the broker is away or the topic is not there, in seconds; each is twice the last."""

_FETCH_WAIT_MS: Final = 1000
_POLL_SECONDS: Final = 0.25
_QUIET_SECONDS: Final = 5.0
"""Time without a record after which the broker is asked whether it is still there."""
_ANSWER_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 60.0

Take: TypeAlias = Callable[[Sequence[RawRecord]], object]
"""Takes records, those of one partition in their order, from the thread of a tail."""


class Standing(NamedTuple):
    """How a feed stands: when the broker was last heard from, in seconds since the epoch (None: never), and what is
    wrong, in words, while something is.
    """

    heard: float | None
    trouble: str | None


class Tail:
    """Hands all committed records of a topic to `take`, from `start` on, outside of any group.

    `take` gets what was there in as many batches as it likes before `caught_up` is set, and then what comes. When the
    broker goes away or the topic is not there, it tries again until it is stopped, and goes on where it was. Going away
    and coming back are one log line each. What `take` raises is a fault of ours: it is logged, and the batch left out.
    """

    def __init__(self, kafka: KafkaConfig, topic: str, start: Start, take: Take) -> None:
        self.topic = topic
        self.caught_up = threading.Event()
        self.positioned = threading.Event()
        """Set once it is settled from where on records are taken."""
        self._kafka = kafka
        self._start: Start = start
        self._take = take
        self._stopping = threading.Event()
        self._standing = Standing(None, "the topic is being read")
        self._pause = 0.0  # before the next try, in seconds
        self._thread = threading.Thread(target=self._run, name=f"driftline-tail-{topic}", daemon=True)

    def start(self) -> Tail:
        """Begin to read. Does not wait for the broker."""
        self._thread.start()
        return self

    def end(self) -> None:
        """Have it stop soon. Does not wait."""
        self._stopping.set()

    def stop(self, timeout: float = 5.0) -> None:
        """Let go of the broker. May be called twice, and without a start."""
        self.end()
        if self._thread.is_alive():
            self._thread.join(timeout)

    @property
    def standing(self) -> Standing:
        """How it stands now."""
        return self._standing

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            try:
                with closing(Reader(self._kafka, [self.topic], self._start, _FETCH_WAIT_MS)) as reader:
                    self._read(reader)
            except DriftlineError as error:
                self._lost(error)
            except Exception:
                log.exception("tail_failed", topic=self.topic)
                self._standing = Standing(self._standing.heard, "reading it failed; see the log")
            self._pause = min(LAST_RETRY, max(FIRST_RETRY, 2 * self._pause))

    def _read(self, reader: Reader) -> None:
        self._start = reader.next  # where the next reader goes on
        self.positioned.set()
        self._heard()
        heard = asked = time.monotonic()
        while not self._stopping.is_set():
            records = reader.poll(_POLL_SECONDS)
            if records:
                self._hand_over(records)
            if not self.caught_up.is_set() and reader.has_reached(reader.found):
                self.caught_up.set()
            is_quiet = not records and time.monotonic() - asked > _QUIET_SECONDS
            if records or (is_quiet and self._answers(reader, heard)):
                self._heard()
                heard = time.monotonic()
            if records or is_quiet:
                asked = time.monotonic()

    def _answers(self, reader: Reader, heard: float) -> bool:
        """Whether the broker answers. A client finds its way back by itself; one that has not for long is made anew."""
        try:
            reader.ping(_ANSWER_SECONDS)
        except BrokerError as error:
            if time.monotonic() - heard > _PATIENCE_SECONDS:
                raise
            self._lost(error)
            return False
        return True

    def _hand_over(self, records: Sequence[RawRecord]) -> None:
        try:
            self._take(records)
        except Exception:
            log.exception("tail_failed", topic=self.topic)

    def _heard(self) -> None:
        if self._standing.trouble and self._standing.heard is not None:
            log.info("tail_back", topic=self.topic)
        self._standing = Standing(time.time(), None)
        self._pause = 0.0

    def _lost(self, error: DriftlineError) -> None:
        if self._standing.trouble != error.message:
            log.warning("tail_lost", topic=self.topic, error=error.message)
        self._standing = Standing(self._standing.heard, error.message)
