"""How a worker stands with its broker: reached or not, and since when that is known. And with what it is given."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from threading import Event as Flag
from typing import TypeVar

import structlog

from stream.errors import BrokerError
from stream.log import masked
from stream.telemetry import Telemetry
from stream.web.status import Part

log = structlog.get_logger()

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 10.0
"""Pauses between two tries to reach a broker, in seconds."""

T = TypeVar("T")


class Standing:
    """Tells logs and metrics of each change, once. `trouble` is what is wrong; empty when all is well."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._heard_at = time.monotonic()
        self.trouble = ""

    @property
    def silence(self) -> float:
        """Seconds since the broker last answered."""
        return time.monotonic() - self._heard_at

    def lost(self, error: BrokerError) -> None:
        """The broker is away, or does not take what it is given."""
        if not self.trouble:
            effect = "nothing more is taken until outputs are safe"
            log.error("kafka_trouble", error=error.message, effect=effect, **_cause(error))
        self.trouble = error.message
        self._telemetry.set_up("kafka", False)

    def heard(self) -> None:
        """The broker has answered."""
        if self.trouble:
            log.info("kafka_recovered")
        self.trouble = ""
        self._heard_at = time.monotonic()
        self._telemetry.set_up("kafka", True)

    def reach(self, make: Callable[[], T], stop: Flag) -> T | None:
        """What `make` makes once there is a broker; None when asked to stop before."""
        pause = FIRST_PAUSE
        while not stop.is_set():
            try:
                made = make()
            except BrokerError as error:
                log.warning("kafka_not_reached", error=error.message, retry_s=pause, **_cause(error))
                self.trouble = error.message
                self._telemetry.set_up("kafka", False)
                stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self.heard()
                return made
        return None

    def part(self, working: bool, waits_for: str) -> Part:
        """The broker's part of /readyz, for a worker that has tasks (`working`), or what it waits for."""
        if self.trouble:
            return Part("down", self.trouble)
        return Part("ok") if working else Part("degraded", waits_for or "the group shares out its partitions")


def _cause(error: BrokerError) -> dict[str, str]:
    """What the client raised, for those who read its source: a field of the log, and nothing to show people."""
    return {} if error.__cause__ is None else {"cause": masked(repr(error.__cause__))}


def of_input(worse: Mapping[int, Iterable[str]]) -> Part:
    """The part of /readyz that tells of records that cannot be used: of each partition, the topics with more than usual
    of them.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for partition, topics in sorted(worse.items()):
        for topic in topics:
            found[topic].append(str(partition))
    if not found:
        return Part("ok")
    where = "; ".join(f"{topic}, partition {' '.join(partitions)}" for topic, partitions in found.items())
    return Part("degraded", f"more records than usual cannot be used: {where}. The dead letters say why")
