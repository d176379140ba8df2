"""What the embedded Kafka and the embedded Valkey have in common: a directory, a port, a guarded process."""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from stream.embedded.datadir import DataDir
from stream.embedded.errors import StartError
from stream.embedded.ports import HOST, free_port, require_free
from stream.embedded.process import GuardedProcess
from stream.embedded.started import Started

_POLL_SECONDS = 0.02
_TAIL_LINES = 20


class EmbeddedServer(Started):
    """One server on loopback that lives no longer than this process.

    `data_dir` None means a temporary directory, removed by `close` (and by the end of this process, SIGKILL included);
    data survives `stop`, `kill` and `start` in either case. `port` None means a free one, drawn at the first start and
    kept from then on. As a context manager it starts on entering and closes on leaving.
    """

    name: ClassVar[str]

    def __init__(self, data_dir: Path | None, port: int | None, start_timeout: float) -> None:
        self._data_dir = data_dir
        self._dir: DataDir | None = None
        self._port = port
        self._start_timeout = start_timeout
        self._process: GuardedProcess | None = None
        self._log_offset = 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    @property
    def port(self) -> int:
        """The port on 127.0.0.1. Raises RuntimeError before the first start when none was given."""
        if self._port is None:
            raise RuntimeError(f"The embedded {self.name} has no port before its first start. Call start() first.")
        return self._port

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The server's process id, None when it is not running."""
        return self._process.pid if self._process is not None and self._process.running else None

    @property
    def data_dir(self) -> Path:
        """The directory with the data and the log; made when first asked for. Raises `DataDirError`."""
        if self._dir is None:
            self._dir = DataDir(self._data_dir, self.name)
        return self._dir.path

    @property
    def log_file(self) -> Path:
        """Where everything goes that the server prints; it outlives restarts."""
        return self.data_dir / f"{self.name.lower()}.log"

    def start(self) -> None:
        """Start the server and wait until it answers; nothing happens when it is running.

        Raises an `EmbeddedError` (port or directory in use, start failed, ...); then nothing is left running.
        """
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the server's process without waiting for it to answer (see `start`)."""
        if self.running:
            return
        if self._port is None:
            self._port = free_port()
        else:
            require_free(self._port, self.name)
        lock = self._lock()
        try:
            self._prepare(lock)
            self._process = self._guarded(self._command(), lock)
        finally:
            os.close(lock)

    def wait_ready(self) -> None:
        """Wait until the launched server answers; on failure or interruption it is killed before the error is raised.

        Raises `StartError` with the end of the server's log when it ends or stays silent for the start timeout.
        """
        if self._process is None:
            raise RuntimeError(f"The embedded {self.name} was not launched. Call start() instead.")
        deadline = time.monotonic() + self._start_timeout
        try:
            while not self._answers():
                if not self._process.running:
                    raise StartError(self.describe_end())
                if time.monotonic() > deadline:
                    raise StartError(
                        f"{self.name} gave no answer on {self.address} within {self._start_timeout:g} s.{self._tail()}"
                    )
                time.sleep(_POLL_SECONDS)
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout: float = 20.0) -> None:
        """End the server in order, or kill it after `timeout` seconds. Data and port are kept for the next start."""
        if self._process is not None:
            self._process.stop(timeout)

    def kill(self) -> None:
        """End the server at once, as a crash would. Data and port are kept for the next start."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Stop the server and remove its directory if that is a temporary one."""
        self.stop()
        if self._dir is not None:
            self._dir.remove()
            self._dir = None

    def describe_end(self) -> str:
        """For a server that ended by itself: its exit code and the end of its log."""
        code = self._process.exit_code if self._process is not None else None
        return f"{self.name} on {self.address} ended by itself (exit code {code}).{self._tail()}"

    def _prepare(self, lock: int) -> None:
        """Make the directory ready for `_command`. `lock` is the open file that holds the directory's lock."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The command that runs the server inside its directory in the foreground."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server gives a true answer now."""

    def _guarded(self, command: list[str], lock: int) -> GuardedProcess:
        scratch = self.data_dir if self._dir is not None and self._dir.temporary else None
        return GuardedProcess(self.name, command, cwd=self.data_dir, log=self.log_file, lock=lock, scratch=scratch)

    def _lock(self) -> int:
        _ = self.data_dir
        assert self._dir is not None
        lock = self._dir.lock()
        self._log_offset = self.log_file.stat().st_size if self.log_file.exists() else 0
        return lock

    def _tail(self) -> str:
        """The last lines logged since the launch, as the end of a message."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_offset)
            lines = log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f" The end of {self.log_file}:", *lines]) if lines else f" {self.log_file} says nothing."
