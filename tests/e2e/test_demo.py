"""The demo as a person meets it: through a pipe, in a terminal, interrupted, and killed.

Everything is real: broker, store, service and simulator. Only the stretch of the year is short.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from stream.cli import again

DAYS = "4"
SECONDS = 100.0
IN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # from now on Ctrl-C reaches this process
os.execv(sys.argv[1], sys.argv[1:])
"""
LEAVE_SCREEN = b"\x1b[?1049l"


def environment(tmp_path: Path) -> dict[str, str]:
    """Temporary directories go where they can be counted."""
    return {**again.environment(), "TMPDIR": str(tmp_path), "TERM": "xterm-256color"}


def left_over(tmp_path: Path) -> list[str]:
    """What the demo left behind."""
    return sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("driftline-"))


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def gone(processes: list[psutil.Process], seconds: float = 15.0) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


class Terminal:
    """The demo in a terminal of 80 by 24, and all that it wrote there."""

    def __init__(self, tmp_path: Path, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.written = bytearray()
        self.process = subprocess.Popen(
            [sys.executable, "-c", IN_TERMINAL, *again.command("demo", *arguments)],
            env=environment(tmp_path),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def read_until(self, wanted: bytes) -> None:
        """Read what is written until it has `wanted` in it."""
        looked = 0  # megabytes come in small pieces: what was looked through once is not looked through again

        def found() -> bool:
            nonlocal looked
            start, looked = max(0, looked - len(wanted)), len(self.written)
            return self.written.find(wanted, start) >= 0

        self._read(found, wanted)

    def press_ctrl_c(self) -> None:
        os.write(self._master, b"\x03")

    def end(self) -> int:
        """The exit code, when all that was written is read."""
        self._read(lambda: self.process.poll() is not None, b"the end")
        while self._take(0.1):
            pass
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self._master)

    def _read(self, enough: Callable[[], bool], wanted: bytes) -> None:
        deadline = time.monotonic() + SECONDS
        while not enough():
            ended = self.process.poll() is not None
            if (not self._take(0.1) and ended) or time.monotonic() > deadline:
                assert enough(), f"{wanted!r} did not come; at last: {self.written[-4000:].decode()}"

    def _take(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            self.written += os.read(self._master, 65536)
        except OSError:  # Linux says so when the other side is closed
            return False
        return True


@contextmanager
def terminal(tmp_path: Path, *arguments: str) -> Iterator[Terminal]:
    running = Terminal(tmp_path, *arguments)
    try:
        yield running
    finally:
        running.close()


class Piped(NamedTuple):
    """What came of a run through a pipe, and where its data are kept."""

    run: subprocess.CompletedProcess[str]
    kept: Path
    left_over: list[str]


def through_a_pipe(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end."""
    return subprocess.run(
        again.command("demo", *arguments),
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory) -> Piped:
    """Four days at full speed."""
    temporary, kept = tmp_path_factory.mktemp("temporary"), tmp_path_factory.mktemp("data") / "kept"
    run = through_a_pipe(temporary, "--days", DAYS, "--speed", "max", "--data-dir", str(kept))
    return Piped(run, kept, left_over(temporary))


def test_through_a_pipe_it_tells_in_lines_what_came_of_every_record(piped: Piped) -> None:
    run = piped.run

    assert (run.returncode, run.stderr) == (0, "")
    assert "\x1b" not in run.stdout
    flights = re.search(r"([\d,]+) flights predicted in", run.stdout)
    assert flights
    assert int(flights[1].replace(",", "")) > 3_000
    assert re.search(rf"^events +{flights[1]} = {flights[1]} predicted *$", run.stdout, re.MULTILINE)
    assert re.search(r"^labels +([\d,]+) = \1 joined *$", run.stdout, re.MULTILINE)
    assert re.search(rf"^predictions +{flights[1]} = .* joined", run.stdout, re.MULTILINE)
    assert "unaccounted" not in run.stdout
    assert re.search(r"^log loss, mean of the windows +[\d.]+ +[\d.]+", run.stdout, re.MULTILINE)
    assert piped.left_over == []


def test_what_is_kept_can_be_looked_at_and_is_not_overwritten(piped: Piped, tmp_path: Path) -> None:
    names = {path.name for path in piped.kept.iterdir()}
    second = through_a_pipe(tmp_path, "--flights", "500", "--data-dir", str(piped.kept))

    assert {"flights.yaml", "env", "service.log", "simulator.log", "kafka", "valkey"} <= names
    assert (piped.kept / "env").stat().st_mode & 0o077 == 0
    assert second.returncode == 1
    assert f"{piped.kept} holds an earlier run of the demo" in second.stderr


def test_in_a_terminal_it_draws_a_screen_and_ctrl_c_gives_the_terminal_back_with_what_is_known(tmp_path: Path) -> None:
    with terminal(tmp_path, "--speed", "50000") as demo:
        demo.read_until(b"majority")
        processes = descendants(demo.process.pid)
        demo.press_ctrl_c()
        code = demo.end()

    before, _, after = demo.written.rpartition(LEAVE_SCREEN)
    assert code == 130
    on_screen = "15 or more minutes late?", "predictions", "in another terminal", "alerts tail -c $DEMO", "service.log"
    assert [shown for shown in on_screen if shown.encode() not in before] == []
    assert b"flights" in after
    assert b"log loss" in after
    assert b"unaccounted" not in after
    assert b"Traceback" not in after
    assert gone(processes)
    assert left_over(tmp_path) == []


def test_ctrl_c_while_it_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    with terminal(tmp_path) as demo:
        demo.read_until(b"Starting Apache Kafka")
        demo.press_ctrl_c()
        code = demo.end()

    assert code == 130
    assert b"Traceback" not in demo.written
    assert left_over(tmp_path) == []


def test_killed_it_takes_all_its_processes_and_files_with_it(tmp_path: Path) -> None:
    with terminal(tmp_path) as demo:
        demo.read_until(b"in another terminal")
        processes = descendants(demo.process.pid)
        os.kill(demo.process.pid, signal.SIGKILL)
        demo.process.wait(10)

        assert len(processes) == 8  # Kafka, Valkey, service, simulator, each with its guard
        assert gone(processes)
    assert left_over(tmp_path) == []


def test_a_service_that_dies_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with terminal(tmp_path, "--plain") as demo:
        demo.read_until(b"In another terminal")
        processes = descendants(demo.process.pid)
        (service,) = (p for p in processes if "run" in p.cmdline() and "guard.py" not in " ".join(p.cmdline()))
        service.kill()
        code = demo.end()

    assert code == 1
    assert b"driftline: The service ended by itself (exit code 137). The end of " in demo.written
    assert b"Traceback" not in demo.written
    assert gone(processes)


@pytest.mark.parametrize("option", [("--speed", "0"), ("--days", "366"), ("--flights", "0")])
def test_an_option_out_of_range_starts_nothing(tmp_path: Path, option: tuple[str, str]) -> None:
    run = through_a_pipe(tmp_path, *option)

    assert run.returncode == 2
    assert option[0] in run.stderr
    assert "Starting" not in run.stdout
