"""A detector at work, whoever made it: it takes a block of a stream and says at which events it alarmed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Any

from detecting.streams import Values


class Refused(Exception):
    """A detector says that it can't do what it was asked for."""


class Watcher(ABC):
    """A contender at work. `seconds` is the time that detection took; making values ready for it does not count."""

    seconds = 0.0

    @abstractmethod
    def feed(self, values: Values) -> list[int]:
        """Take a block of events; return at which of them it alarmed, once for each alarm."""

    @abstractmethod
    def restart(self) -> None:
        """Begin anew, as if nothing had been seen."""


class Here(Watcher):
    """One that works in this process."""

    def feed(self, values: Values) -> list[int]:
        ready = self._ready(values)
        started = time.perf_counter()
        alarms = self._observe(ready)
        self.seconds += time.perf_counter() - started
        return alarms

    def _ready(self, values: Values) -> Any:
        return values

    @abstractmethod
    def _observe(self, ready: Any) -> list[int]:
        """Take what `_ready` made."""
