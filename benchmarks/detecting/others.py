"""Rivals at work: River, the usual mistake, what has an environment of its own, and two that look at nothing.

After an alarm all begin anew, as their libraries have it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import deque
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from river import drift
from scipy import stats

from detecting.streams import Values
from detecting.watching import Here, Watcher

ROOT = Path(__file__).parents[2]
WATCHER = ROOT / "benchmarks" / "rivals" / "watcher.py"
ELSEWHERE = ("frouros", "capymoa")
"""Libraries that need environments of their own."""


class OneByOne(Here):
    """A detector for each feature, which takes value by value."""

    def __init__(self, features: int) -> None:
        self._features = features
        self.restart()

    def _ready(self, values: Values) -> list[list[float]]:
        columns: list[list[float]] = values.T.tolist()
        return columns


class River(OneByOne):
    """One of River's, with its defaults but a seed where there is one. They reset themselves."""

    def __init__(self, kind: str, features: int) -> None:
        self._kind = getattr(drift, kind, None) or getattr(drift.binary, kind)
        self._options = {"seed": 1} if kind == "KSWIN" else {}
        super().__init__(features)

    def restart(self) -> None:
        self._detectors = [self._kind(**self._options) for _ in range(self._features)]

    def _observe(self, ready: list[list[float]]) -> list[int]:
        alarms = []
        for detector, column in zip(self._detectors, ready, strict=True):
            for index, value in enumerate(column):
                detector.update(value)
                if detector.drift_detected:
                    alarms.append(index)
        return sorted(alarms)


class SlidingKs(OneByOne):
    """The usual mistake: SciPy's test at alpha 0.05, every 10 values, of the newest 200 against the first 1,000."""

    REFERENCE, WINDOW, EVERY, ALPHA = 1000, 200, 10, 0.05

    def restart(self) -> None:
        self._references: list[list[float]] = [[] for _ in range(self._features)]
        self._windows: list[deque[float]] = [deque(maxlen=self.WINDOW) for _ in range(self._features)]
        self._seen = [0] * self._features

    def _observe(self, ready: list[list[float]]) -> list[int]:
        alarms = []
        for feature, column in enumerate(ready):
            for index, value in enumerate(column):
                if self._take(feature, value):
                    alarms.append(index)
        return sorted(alarms)

    def _take(self, feature: int, value: float) -> bool:
        reference, window = self._references[feature], self._windows[feature]
        if len(reference) < self.REFERENCE:
            reference.append(value)
            return False
        window.append(value)
        self._seen[feature] += 1
        if len(window) < self.WINDOW or self._seen[feature] % self.EVERY:
            return False
        if stats.ks_2samp(reference, window).pvalue >= self.ALPHA:
            return False
        reference.clear()
        window.clear()
        return True


class Elsewhere(Watcher):
    """A detector of a library that has an environment of its own, for each feature; see `rivals/watcher.py`."""

    def __init__(self, library: str, kind: str, features: int) -> None:
        self._process, self._kind, self._features = _process(library), kind, features
        self.restart()

    def restart(self) -> None:
        self._send({"kind": self._kind, "features": self._features})

    def feed(self, values: Values) -> list[int]:
        self._send({"events": len(values)}, values.T.astype("<f8").tobytes())
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        self.seconds += answer["seconds"]
        alarms: list[int] = answer["alarms"]
        return alarms

    def _send(self, head: dict[str, Any], body: bytes = b"") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(head).encode() + b"\n" + body)
        self._process.stdin.flush()


@cache
def _process(library: str) -> subprocess.Popen[bytes]:
    """One process for all measurements of a library, as some take long to start. It ends with this one."""
    command = [environment(library), str(WATCHER), library]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


class Baseline(Here):
    """Alarms always, or never."""

    def __init__(self, kind: str) -> None:
        self._always = kind == "always"

    def restart(self) -> None:
        pass

    def _observe(self, ready: Values) -> list[int]:
        return list(range(len(ready))) if self._always else []


def environment(library: str) -> str:
    """The interpreter that can import a library; empty if there is none."""
    named = os.environ.get(f"DRIFTLINE_BENCH_{library.upper()}")
    python = Path(named) if named else ROOT / f".venv-{library}" / "bin" / "python"
    return str(python) if python.exists() else ""


@cache
def version(library: str) -> str:
    """The version of a library in the environment that it is used from."""
    if library not in ELSEWHERE:
        return installed(library)
    code = f"from importlib.metadata import version; print(version({library!r}))"
    python = environment(library)
    told = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return told.stdout.strip()
