"""The cells of the table: each is one measurement, that depends on nothing but what it says and the code it runs."""

from __future__ import annotations

import hashlib
import json
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np

from detecting.contenders import Contender, watch
from detecting.keys import code
from detecting.others import version
from detecting.streams import LAWS, Change, blocks
from detecting.watching import Refused, Watcher

Result: TypeAlias = dict[str, Any]

SEED = 1
_BLOCK = 20_000
"""Values of a stream that are made at once."""
_FIRST = 50
"""Events after a change that are looked at together at first; then twice as many, and so on."""
_WARMED, _TIMED, _ROUNDS = 2_000, 4_000, 5
"""Events to warm up with, events timed, turns of both."""


@dataclass(frozen=True)
class Cell(ABC):
    """A measurement of one contender."""

    contender: Contender
    features: int

    @property
    @abstractmethod
    def watched(self) -> str:
        """Errors, absolute errors, numbers or categories."""

    @property
    @abstractmethod
    def work(self) -> float:
        """Values it may take to measure, to begin with the cheap ones."""

    @property
    def libraries(self) -> set[str]:
        """The other libraries that take part in it."""
        return {self.contender.library} - {"driftline", "baseline"}

    @property
    def key(self) -> str:
        """A digest of all that the result depends on: the cell, our code, the other libraries."""
        versions = [version(library) for library in sorted(self.libraries)]
        contender = self.contender
        told = [type(self).__name__, asdict(self), SEED, code(contender.library, contender.kind), versions]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]

    def measure(self) -> Result:
        """Measure it; `refused` says why that cannot be."""
        try:
            return self._measure(watch(self.contender, self.watched, self.features))
        except Refused as refusal:
            return {"refused": str(refusal)}

    @abstractmethod
    def _measure(self, watcher: Watcher) -> Result:
        """Measure with a watcher that has seen nothing."""


@dataclass(frozen=True)
class RunLength(Cell):
    """How many events pass per false alarm on a stream that stays as it is.

    A detector that is calibrated to a run length of so many events, counted over as many of a new stream, is given new
    streams of that length; any other one long stream. It ends after `enough` alarms, with the stream it is at.
    """

    law: str
    events: int
    enough: int

    @property
    def watched(self) -> str:
        return LAWS[self.law].watched

    @property
    def work(self) -> float:
        return float(self.events * self.features)

    def _measure(self, watcher: Watcher) -> Result:
        stated = self.contender.stated
        length = self.events if stated is None else round(stated)
        seen = alarms = run = 0
        while seen < self.events and alarms < self.enough:
            watcher.restart()
            seed = (SEED, zlib.crc32(self.law.encode()), self.features, run)
            for values in blocks(self.law, self.features, length, seed, max(1_000, _BLOCK // self.features)):
                alarms += len(watcher.feed(values))
                seen += len(values)
                if stated is None and alarms >= self.enough:
                    break
            run += 1
        return {"events": seen, "alarms": alarms, "streams": run, "seconds": watcher.seconds}


@dataclass(frozen=True)
class Delay(Cell):
    """How many events after a change the first alarm comes, run by run; the first changed event is 1.

    `delays` has None where none came within `patience` events, `early` whether there was an alarm before the change.
    """

    change: Change
    runs: int
    before: int
    patience: int

    @property
    def watched(self) -> str:
        return LAWS[self.change.law].watched

    @property
    def work(self) -> float:
        return float(self.runs * self.before * self.features)

    def _measure(self, watcher: Watcher) -> Result:
        delays: list[int | None] = []
        early: list[bool] = []
        moved = self.change.moved(self.patience)
        for run in range(self.runs):
            rng = np.random.default_rng((SEED, zlib.crc32(self.change.name.encode()), self.features, run))
            source = LAWS[self.change.law](rng, self.features, self.change.size)
            watcher.restart()
            early.append(bool(watcher.feed(source.take(np.zeros(self.before)))))
            delays.append(None)
            start, block = 0, _FIRST
            while start < self.patience:
                alarms = watcher.feed(source.take(moved[start : start + block]))
                if alarms:
                    delays[-1] = start + alarms[0] + 1
                    break
                start, block = start + block, 2 * block
        return {"delays": delays, "early": early}


@dataclass(frozen=True)
class Cost(Cell):
    """The time per value, and that of River's ADWIN on the same values, in turns; the least of all turns."""

    law: str

    @property
    def watched(self) -> str:
        return LAWS[self.law].watched

    @property
    def libraries(self) -> set[str]:
        return super().libraries | {"river"}

    @property
    def work(self) -> float:
        return float(_TIMED * self.features)

    def _measure(self, watcher: Watcher) -> Result:
        numbers = "normal" if self.watched == "categories" else self.law
        adwin = watch(Contender("river", "ADWIN"), "numbers", self.features)
        own, theirs = (_timed(who, law, self.features) for who, law in ((watcher, self.law), (adwin, numbers)))
        pairs = [(next(own), next(theirs)) for _ in range(_ROUNDS)]
        seconds, base = (min(found) for found in zip(*pairs, strict=True))
        values = _TIMED * self.features
        return {"seconds": seconds / values, "adwin": base / values}


def _timed(watcher: Watcher, law: str, features: int) -> Iterator[float]:
    """The seconds of turn after turn."""
    stream = blocks(law, features, _WARMED + _ROUNDS * _TIMED, (SEED,), _WARMED)
    watcher.feed(next(stream))
    for _ in range(_ROUNDS):
        before = watcher.seconds
        for _ in range(_TIMED // _WARMED):
            watcher.feed(next(stream))
        yield watcher.seconds - before
