"""A program in a process of its own, and how fast it fills a topic."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.models import WARM
from bench.place import Ends, Place
from stream.config.model import Config

DRIFTLINE = (sys.executable, "-c", "from stream.cli import main; main()")
PROFILED = (
    "import cProfile, sys; from stream.cli import main; file = sys.argv.pop(1); p = cProfile.Profile()\n"
    "try: p.runcall(main)\nfinally: p.dump_stats(file)"
)
_PAUSE = 0.02
"""Seconds between two looks at what a process has done: it tells nobody."""


class Running:
    """A process; leaving the block ends it. What it writes is shown when it ends before its time."""

    def __init__(self, command: Sequence[str]) -> None:
        with ExitStack() as held:
            # It shares our place in the file, so it appends wherever we read.
            self._log = held.enter_context(tempfile.TemporaryFile("a+"))
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
            self._held = held.pop_all()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def alive(self) -> None:
        """Raise RuntimeError when it has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"it ended with {self._process.returncode}:\n{self.written()[-4000:]}")

    def written(self) -> str:
        """All that it has written so far."""
        self._log.seek(0)
        return self._log.read()

    def wait_for(self, condition: Callable[[], object], timeout: float = 120.0) -> float:
        """The time (`time.perf_counter`) at which the condition was found true."""
        deadline = time.perf_counter() + timeout
        while not condition():
            self.alive()
            if time.perf_counter() > deadline:
                raise TimeoutError(f"it did not get there within {timeout:g} s")
            time.sleep(_PAUSE)
        return time.perf_counter()

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._process.kill()
        self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        self._held.close()


class Worker(Running):
    """`driftline run`. With `profile` its time is written there by function, in the format of `cProfile`. It logs what
    is of `level`, one JSON object a line.
    """

    def __init__(self, place: Place, config: Config, profile: Path | None = None, level: str = "error") -> None:
        self._port = config.http.port
        command = DRIFTLINE if profile is None else (sys.executable, "-c", PROFILED, str(profile))
        log = ("--log-level", level, "--log-format", "json")
        super().__init__([*command, "run", "-c", str(place.write(config)), *log])

    def ready(self) -> bool:
        """Whether it has its partitions."""
        try:
            return bool(self._get("/readyz"))
        except OSError:
            return False

    def snapshot(self) -> float:
        """When the newest snapshot was taken, in seconds since the epoch; 0 before the first."""
        try:
            found = re.search(r"driftline_snapshot_timestamp_seconds\{.*\} (\S+)", self._get("/metrics"))
        except OSError:
            return 0.0
        return float(found[1]) if found else 0.0

    def stages(self) -> dict[str, float]:
        """Seconds spent in each stage so far."""
        found = re.findall(r'driftline_span_seconds_sum\{stage="(\w+)"\} (\S+)', self._get("/metrics"))
        return {stage: float(seconds) for stage, seconds in found}

    def _get(self, page: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{page}", timeout=10) as answer:
            return str(answer.read().decode())


def speed(program: Running, ends: Ends, n: int, timeout: float = 600.0) -> float:
    """Records per second that a program adds to a topic, once it is warm, until all `n` are there."""
    counts: list[int] = []

    def reached(goal: float) -> bool:
        counts.append(ends.count())
        return counts[-1] >= goal

    began = program.wait_for(lambda: reached(WARM * n), timeout)
    first = counts[-1]
    ended = program.wait_for(lambda: reached(n), timeout)
    return (counts[-1] - first) / (ended - began)
