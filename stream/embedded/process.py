"""The owner's side of a guarded server process (the other side is `guard.py`)."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from stream.embedded.errors import StartError

_GUARD = Path(__file__).with_name("guard.py")


class GuardedProcess:
    """One running server that dies with this process: on its end, its SIGKILL, or when this object is collected.

    Output of the server is appended to `log`. `lock` is an open file that the server keeps open while it lives.
    `scratch`, when given, is removed should this process die without stopping the server. `env` is the server's
    environment; this process's own when left out.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path,
        log: Path,
        lock: int,
        scratch: Path | None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), str(lock), str(scratch or ""), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd=cwd,
                env=env,
                pass_fds=(lock,),
                start_new_session=True,
            )
        try:
            self.pid = self._answer(command[0])
        except BaseException:  # interrupted: nobody else knows of the server, and its directory may be removed next
            self._close()
            self._guard.wait()
            raise

    @property
    def running(self) -> bool:
        return self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """The server's exit code, 128 + N when signal N ended it, None while it runs."""
        code = self._guard.poll()
        if code is not None:
            self._close()
        return code

    def wait(self, timeout: float) -> int:
        """Wait for the server to end by itself; return its exit code. Raises TimeoutError after `timeout` seconds."""
        try:
            code = self._guard.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self._name} did not end within {timeout:g} s") from None
        self._close()
        return code

    def stop(self, timeout: float) -> None:
        """End the server in order; kill it when that takes more than `timeout` seconds."""
        self._order(b"stop\n")
        try:
            self.wait(timeout)
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """End the server at once, as a crash would (SIGKILL)."""
        self._order(b"kill\n")
        self._guard.wait()
        self._close()

    def _answer(self, program: str) -> int:
        """The server's process id, as the guard tells it."""
        assert self._guard.stdout is not None
        with self._guard.stdout as answer:
            first = answer.readline().decode(errors="replace").strip()
        if not first.isdigit():
            raise StartError(f"{self._name} could not be run: {first or 'its guard ended at once'}. Command: {program}")
        return int(first)

    def _order(self, order: bytes) -> None:
        assert self._guard.stdin is not None
        if self._guard.stdin.closed:
            return
        # The guard ends with the server: a closed pipe means that what was ordered is so already.
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.write(order)
            self._guard.stdin.flush()

    def _close(self) -> None:
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._guard.stdin.close()
