"""A terminal in a directory of its own, in which the commands of one page are typed one after the other."""

from __future__ import annotations

import multiprocessing
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from stream.cli import again
from tests.docs.pages import Block, Command, commands_of
from tests.docs.shapes import missing
from tests.docs.unrun import STANDS
from tests.integration.support.stage import merged
from tests.integration.support.waiting import until

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["stream.service", "stream.cli.commands", "stream.kafka.client.confluent"])

PATIENCE = 40.0
_ENDS = 30.0
_INTERRUPTED = (0, 128 + signal.SIGINT)

# Only what nothing is written by may be asked again, until what the page shows has come.
_LOOKS = re.compile(r"^(driftline (alerts|predictions|deadletters) tail|driftline models (list|show)|curl (?!.* -d ))")
_STAYS = re.compile(r"driftline run|driftline simulate(?!.*--(events|end|to-file))")
_FOR_A_SHELL = re.compile(r"[|><;&*`$~()]")
_COMMENT = re.compile(r"\s# .*$")
_ADDRESS = re.compile(r"localhost:(\d+)|(?<=DRIFTLINE_HTTP_PORT=)(\d+)")


class Terminal:
    """`addresses` are those that stand on pages (localhost:9092, ...) and where these servers really are."""

    def __init__(self, folder: Path, env: Mapping[str, str], addresses: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = dict(env)
        self._addresses = addresses
        self._running: list[_Running] = []
        self._count = 0
        tools = folder / ".bin"
        tools.mkdir()
        for name, command in (
            ("driftline", again.command()),
            ("python", [sys.executable]),
            ("curl", [sys.executable, str(Path(__file__).with_name("curl.py"))]),
            ("redis-cli", [sys.executable, str(Path(__file__).with_name("redis_cli.py"))]),
        ):
            (tools / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            (tools / name).chmod(0o755)
        self.env["PATH"] = f"{tools}{os.pathsep}{self.env['PATH']}"

    def play(self, block: Block) -> None:
        """Do what a reader does with a block: type it, or write it to the file it names."""
        if block.kind == "console":
            given = [Command(line) for line in block.given]
            for command in [*given, *commands_of(block)]:
                self._type(command, block.where)
        elif block.into:
            self._edit(self.folder / block.into, block.text)
        elif block.file:
            (self.folder / block.file).write_text(self._here(block.text))

    def _edit(self, file: Path, text: str) -> None:
        file.write_text(yaml.safe_dump(merged(yaml.safe_load(file.read_text()), yaml.safe_load(text)), sort_keys=False))

    def _type(self, command: Command, where: str) -> None:
        line = _COMMENT.sub("", command.line).strip()
        for stand in STANDS:
            if re.fullmatch(stand.command, line):
                if stand.instead is None:
                    return
                line = stand.instead
        if "driftline run" in line:
            line += " --log-format console"  # as at a terminal, where its reader sits
        if _STAYS.search(line):
            self._begin(self._here(line), command, where)
            return
        if re.search(r"driftline (alerts|predictions|deadletters) tail", line):
            line += " --no-follow"
        complaint = ""

        def done() -> bool:
            nonlocal complaint
            complaint = self._complaint(self._run(self._here(line)), command.shown)
            return not complaint

        until(done, PATIENCE if _LOOKS.search(line) else 0.0, lambda: f"{where}: $ {line}\n{complaint}")

    def _here(self, text: str) -> str:
        """A text of a page with the addresses of these servers."""
        return _ADDRESS.sub(lambda match: self._addresses.get(match[0], match[0]), text)

    @staticmethod
    def _complaint(done: tuple[int, str], shown: Sequence[str]) -> str:
        """What is wrong with a command that ended; empty if it did as the page shows."""
        code, printed = done
        fails = any(line.startswith("driftline: ") or "✗" in line for line in shown)
        if fails != bool(code):
            return f"ended with {code}\n{printed}"
        absent = missing(shown, printed)
        return "" if absent is None else f"has not printed: {absent}\nbut\n{printed}"

    def _run(self, line: str) -> tuple[int, str]:
        """Run a command to its end: its exit code and what it printed."""
        if (quick := _Running.forked(line, self.env, self.folder, self._log())) is not None:
            return quick.wait(PATIENCE), quick.printed
        log, kept = self._log(), self.folder / ".env"
        with log.open("w") as out:
            shell = f"set -e\n{line}\nenv -0 > {shlex.quote(str(kept))}"
            code = subprocess.run(
                ["/bin/bash", "-c", shell],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                check=False,
            ).returncode
        if code == 0:
            pairs = (pair.partition("=") for pair in kept.read_text().split("\0") if pair)
            self.env = {name: value for name, _, value in pairs}
        return code, log.read_text()

    def _begin(self, line: str, command: Command, where: str) -> None:
        """Start what goes on until Ctrl-C. A service ends the one before it on the same port, as its reader must."""
        port = self._port(line)
        if "driftline run" in line:
            for before in [one for one in self._running if one.port == port]:
                before.interrupt()
                self._end(before)
        running = _Running.forked(line, self.env, self.folder, self._log())
        assert running is not None, f"{where}: {line} needs a shell"
        if "driftline run" in line:
            running.port = port
        self._running.append(running)
        until(
            lambda: running.ended or (self._ready(running) and missing(command.shown, running.printed) is None),
            PATIENCE,
            lambda: f"{where}: $ {line}\n{missing(command.shown, running.printed)} has not come:\n{running.printed}",
        )
        assert not running.ended, f"{where}: $ {line}\nended by itself:\n{running.printed}"

    def _port(self, line: str) -> str:
        named = re.match(r"DRIFTLINE_HTTP_PORT=(\d+)", line)
        return named[1] if named else self.env["DRIFTLINE_HTTP_PORT"]

    @staticmethod
    def _ready(running: _Running) -> bool:
        if running.port is None:
            return running.begun
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{running.port}/readyz", timeout=30) as answer:
            return bool(answer.status == 200)
        return False

    def _end(self, running: _Running) -> None:
        """Wait for one that was interrupted."""
        code = running.wait(_ENDS)
        self._running.remove(running)
        assert code in _INTERRUPTED, f"$ {running.line} ended with {code} on Ctrl-C:\n{running.printed}"

    def _log(self) -> Path:
        self._count += 1
        return self.folder / f".out{self._count}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ctrl-C to all that still runs."""
        try:
            for running in self._running:
                running.interrupt()
            for running in list(self._running):
                self._end(running)
        finally:
            for running in self._running:
                running.kill()


class _Running:
    """A `driftline` command in a process forked from one that has everything imported, which saves seconds each."""

    def __init__(self, line: str, process: ForkServerProcess, log: Path) -> None:
        self.line = line
        self.port: str | None = None
        self._process = process
        self._log = log

    @classmethod
    def forked(cls, line: str, env: Mapping[str, str], folder: Path, log: Path) -> _Running | None:
        """Start it; None if it is no plain `driftline` command, which only a shell understands."""
        if _FOR_A_SHELL.search(line):
            return None
        words = shlex.split(line)
        own = dict(env)
        while words and "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            own[name] = value
        if not words or words[0] != "driftline":
            return None
        process = _FORK.Process(target=_driftline, args=(words[1:], own, folder, log))
        process.start()
        return cls(line, process, log)

    @property
    def printed(self) -> str:
        return self._log.read_text(errors="replace") if self.begun else ""

    @property
    def begun(self) -> bool:
        """Whether Ctrl-C reaches it already."""
        return self._log.exists()

    @property
    def ended(self) -> bool:
        return not self._process.is_alive()

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            self.kill()
            raise AssertionError(f"$ {self.line}\nruns for more than {timeout:g} s:\n{self.printed}")
        return self._process.exitcode

    def interrupt(self) -> None:
        """Ctrl-C."""
        assert self._process.pid is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


def _driftline(arguments: Sequence[str], env: Mapping[str, str], folder: Path, log: Path) -> None:
    """`driftline ARGUMENTS`, in the process that was forked for it."""
    from stream.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["driftline", *arguments]
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(out, stream)
    main()
