"""The parent of one server: the server never outlives the process that wanted it, however that process ends.

Run by file (`python -I -S guard.py OWNER_PID LOCK_FD SCRATCH COMMAND...`), with the standard library only, so that it
is up in milliseconds and works on Linux and macOS alike.

- The first line on its standard output is the server's process id, or `error: ...` when it could not be run.
- Its standard input is a pipe from the owner: `stop` ends the server in order (SIGTERM), `kill` at once with all that
  it started (SIGKILL to its process group). When the pipe closes, or the guard gets another parent, the owner is dead:
  the server is killed and SCRATCH (a temporary directory, or empty) is removed. The second sign is needed because a
  forked child of the owner holds the pipe open.
- LOCK_FD, an open file with a lock on the data directory, is passed on to the server, so that the directory counts as
  in use for exactly as long as the server lives.
- It leads its own session: Ctrl-C in a terminal reaches the owner, not the server.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys

OWNER_CHECK_SECONDS = 1.0


def main(owner: int, lock: int, scratch: str, command: list[str]) -> int:
    """Run `command` to its end and return its exit code (128 + N when signal N ended it)."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, _only_wake)
    try:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=2, stderr=2, pass_fds=(lock,), process_group=0
        )
    except OSError as error:
        _tell(f"error: {error}")
        return 127
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: server.terminate())
    _tell(str(server.pid))
    while server.poll() is None:
        ready, _, _ = select.select([0, woken], [], [], OWNER_CHECK_SECONDS)
        if woken in ready:
            os.read(woken, 4096)
        orders = os.read(0, 4096) if 0 in ready else None
        if orders == b"" or os.getppid() != owner:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
            if scratch:
                shutil.rmtree(scratch, ignore_errors=True)
        elif orders is not None and b"kill" in orders:
            os.killpg(server.pid, signal.SIGKILL)
        elif orders is not None:
            server.terminate()
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _only_wake(*_: object) -> None:
    """Nothing to do: that a handler exists makes the signal write to the wake-up pipe."""


def _tell(line: str) -> None:
    # The owner may be dead already; the closed input pipe then says what to do.
    with contextlib.suppress(OSError):
        os.write(1, line.encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]))
