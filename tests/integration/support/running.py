"""A service that runs: in a thread, or as a process of its own where a promise is about processes."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from stream import faultpoints
from stream.config.load import load
from stream.log import configure
from stream.service import Service, stop_on_signals
from tests.integration.support.stage import Stage
from tests.integration.support.waiting import until

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["stream.service", "tests.integration.support.running"])

DRIFTLINE = (sys.executable, "-c", "from stream.cli import main; main()")


class Http:
    """What a running service tells over HTTP."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._address = f"http://127.0.0.1:{port}"

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all series that have these labels."""
        found = [
            sample.value
            for family in text_string_to_metric_families(self._get("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found)

    def readyz(self) -> tuple[int, dict[str, Any]]:
        """Status code and report; (0, {}) while nobody listens."""
        try:
            code, body = self._get("/readyz")
        except OSError:
            return 0, {}
        return code, json.loads(body)

    def wait_ready(self, timeout: float = 30.0) -> None:
        until(lambda: self.readyz()[0] == 200, timeout, lambda: f"/readyz says {self.readyz()}")

    def wait_version(self, version: int, timeout: float = 30.0) -> None:
        """Wait until a version serves."""
        until(
            lambda: self.metric("driftline_model_info", version=str(version)),
            timeout,
            lambda: f"version {version} does not serve; /readyz says {self.readyz()}",
        )

    def _get(self, page: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self._address + page, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


class InThread(Http):
    """A service in a thread of the test's process. Leaving the block stops it in order and raises what it raised."""

    def __init__(self, stage: Stage) -> None:
        config = stage.config
        super().__init__(config.http.port)
        self._service = Service(config)
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)
        self._raised: BaseException | None = None

    def _run(self) -> None:
        try:
            self._service.run()
        except BaseException as error:  # noqa: BLE001 - the test's own thread raises it again
            self._raised = error

    def wait_ready(self, timeout: float = 30.0) -> None:
        until(
            lambda: self._raised or self.readyz()[0] == 200,
            timeout,
            lambda: f"/readyz says {self.readyz()}",
        )
        if self._raised:
            raise self._raised

    def stop(self) -> None:
        """Stop in order."""
        self._service.stop()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the service did not stop"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is None and self._raised is not None:
            raise self._raised


class Logged(Http):
    """A service whose log lines can be read."""

    @property
    @abstractmethod
    def log(self) -> str:
        """All that it wrote to stderr so far."""

    def said(self, event: str) -> list[dict[str, Any]]:
        """The log lines of an event."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in lines if line["event"] == event]

    def wait_said(self, event: str, timeout: float = 30.0) -> dict[str, Any]:
        """The first log line of an event, once there is one."""
        return until(lambda: self.said(event), timeout, lambda: f"nothing said of {event}; its log:\n{self.log}")[0]


class Process(Logged):
    """`driftline run` as a process. Leaving the block kills it if it still runs."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage.config.http.port)
        self._folder = tempfile.TemporaryDirectory()
        self._log = Path(self._folder.name, "log")
        with self._log.open("w") as written:
            self._process = subprocess.Popen(
                [*DRIFTLINE, "run", "-c", str(stage.file), "--log-format", "json"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=written,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_ready(self, timeout: float = 40.0) -> None:
        until(
            lambda: self._process.poll() is not None or self.readyz()[0] == 200,
            timeout,
            lambda: f"/readyz says {self.readyz()}; its log:\n{self.log}",
        )
        assert self._process.poll() is None, f"it ended with {self._process.returncode}; its log:\n{self.log}"

    def wait(self, timeout: float = 40.0) -> int:
        """Its exit code, once it has ended by itself."""
        return self._process.wait(timeout)

    def terminate(self) -> int:
        """Ask it to stop (SIGTERM); its exit code."""
        self._process.terminate()
        return self._process.wait(40)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._process.kill()
        self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.kill()
        self._folder.cleanup()


class Forked(Logged):
    """A service in a process forked from one that has everything imported: up in a moment, killed like any other.

    `fault` is a point of `stream.faultpoints` with the pass at which it dies there, such as `committed:3`. Leaving the
    block kills it if it still runs.
    """

    def __init__(self, stage: Stage, fault: str = "") -> None:
        super().__init__(stage.config.http.port)
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name, "service.yaml")
        file.write_text(stage.file.read_text())  # as it is now: the stage may be configured anew for another worker
        self._log = Path(self._folder.name) / "log"
        self._process = _FORK.Process(target=_serve, args=(file, fault, self._log))
        self._process.start()

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    @property
    def pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid

    def wait_ready(self, timeout: float = 30.0) -> None:
        until(
            lambda: not self._process.is_alive() or self.readyz()[0] == 200,
            timeout,
            lambda: f"/readyz says {self.readyz()}; its log:\n{self.log}",
        )
        assert self._process.is_alive(), f"it ended with {self._process.exitcode}; its log:\n{self.log}"

    def wait(self, timeout: float = 40.0) -> int | None:
        """Its exit code (negative: the signal), once it has ended; None if it does not."""
        self._process.join(timeout)
        return self._process.exitcode

    def terminate(self) -> int | None:
        """Ask it to stop (SIGTERM), as soon as it can take that; its exit code."""
        until(lambda: not self._process.is_alive() or '"starting"' in self.log)
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._process.kill()
        self._process.join(10)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still (SIGSTOP), and goes on after the block (SIGCONT)."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.is_alive():
            self.kill()
        if error is not None:
            sys.stderr.write(self.log)
        self._folder.cleanup()


def _serve(file: Path, fault: str, log: Path) -> None:
    os.environ[faultpoints.VARIABLE] = fault
    with log.open("w") as written:
        os.dup2(written.fileno(), 2)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    configure("json")
    service = Service(load(file))
    stop_on_signals(service)
    service.run()
