"""The service and the simulator, each a process of its own that cannot outlive the demo."""

from __future__ import annotations

from collections.abc import Mapping

from stream.cli import again
from stream.demo.place import DemoError, Place
from stream.embedded.process import GuardedProcess

_TAIL_LINES = 20


class Child:
    """A `driftline` command at work. What it prints goes to `log`, a file in `place`."""

    def __init__(self, name: str, arguments: list[str], place: Place, env: Mapping[str, str]) -> None:
        self.name = name
        self.log = place.path / f"{name}.log"
        self._process = GuardedProcess(
            name,
            again.command(*arguments),
            cwd=place.path,
            log=self.log,
            lock=place.lock,
            scratch=place.path if place.temporary else None,
            env={**again.environment(), **env},
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def finished(self) -> bool:
        """Whether it has done its work. Raises DemoError, with the end of its log, when it failed."""
        code = self._process.exit_code
        if code:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
            what = f"The {self.name} ended by itself (exit code {code}). The end of {self.log}:"
            raise DemoError("\n  ".join([what, *lines]))
        return code == 0

    def stop(self, timeout: float) -> None:
        """End it in order, or kill it after `timeout` seconds."""
        self._process.stop(timeout)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
