"""Which boxes this user is running: one small locked file per box in the cache, so that any terminal can find them.

The file is locked for as long as its process lives. A file that is not locked is left over from one that is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from stream.embedded.errors import EmbeddedError
from stream.embedded.jars import cache_dir

_PATIENCE_SECONDS = 3.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Instance:
    """A box and the process that runs it. The addresses are None while it is starting."""

    pid: int
    data_dir: str | None
    bootstrap_servers: str | None = None
    redis_url: str | None = None


class Registration:
    """The entry of this process; see `register`."""

    def __init__(self, entry: IO[str], data_dir: Path | None) -> None:
        self._entry = entry
        self._data_dir = None if data_dir is None else str(data_dir)

    def announce(self, bootstrap_servers: str | None = None, redis_url: str | None = None) -> Instance:
        """Write the addresses for others to read and return the whole entry."""
        instance = Instance(os.getpid(), self._data_dir, bootstrap_servers, redis_url)
        self._entry.seek(0)
        self._entry.write(json.dumps(asdict(instance)))
        self._entry.flush()
        self._entry.truncate()
        return instance


@contextlib.contextmanager
def register(data_dir: Path | None) -> Iterator[Registration]:
    """Enter this process as the one that runs the box in `data_dir` (None: the one without a directory of its own).

    Raises `EmbeddedError` when another process does.
    """
    resolved = None if data_dir is None else data_dir.expanduser().resolve()
    path = _entry_of(resolved)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        entry = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")
    except OSError as error:
        raise EmbeddedError(
            f"Cannot write to {path.parent} ({error.strerror}).",
            cure="Name a directory of yours in the environment variable DRIFTLINE_CACHE_DIR.",
        ) from error
    with entry:
        # Others lock the file too, for an instant, to see whether anybody holds it.
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _lock(entry, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise _running_already(path, resolved)
            time.sleep(_POLL_SECONDS)
        registration = Registration(entry, resolved)
        registration.announce()
        try:
            yield registration
        finally:
            entry.truncate(0)


def running(data_dir: Path | None = None) -> list[Instance]:
    """The boxes that run now, or only the one in `data_dir`."""
    entries = [_entry_of(data_dir.expanduser().resolve())] if data_dir else sorted(_folder().glob("*.json"))
    return [instance for entry in entries if (instance := _read(entry))]


def stop(instance: Instance, timeout: float) -> None:
    """Ask the process of `instance` to stop in order and wait until it has; `EmbeddedError` after `timeout` seconds."""
    path = _entry_of(None if instance.data_dir is None else Path(instance.data_dir))
    deadline = time.monotonic() + timeout
    with contextlib.suppress(ProcessLookupError):
        os.kill(instance.pid, signal.SIGTERM)
    while (found := _read(path)) is not None and found.pid == instance.pid:
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"Process {instance.pid} did not stop within {timeout:g} s.",
                cure=f"`kill -9 {instance.pid}` ends it and its servers at once.",
            )
        time.sleep(_POLL_SECONDS)


def _folder() -> Path:
    return cache_dir() / "dev"


def _entry_of(resolved: Path | None) -> Path:
    name = "temporary" if resolved is None else hashlib.sha256(os.fsencode(resolved)).hexdigest()[:16]
    return _folder() / f"{name}.json"


def _read(path: Path) -> Instance | None:
    """The live instance entered in `path`, if there is one."""
    try:
        entry = path.open(encoding="utf-8")
    except FileNotFoundError:
        return None
    with entry:
        while not _lock(entry, fcntl.LOCK_SH):
            # Caught in the middle of a write, it is whole at the next look.
            entry.seek(0)
            with contextlib.suppress(json.JSONDecodeError):
                return Instance(**json.loads(entry.read()))
            time.sleep(_POLL_SECONDS)
    return None


def _lock(entry: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(entry, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _running_already(path: Path, data_dir: Path | None) -> EmbeddedError:
    found = _read(path)
    where = "without a data directory" if data_dir is None else f"in {data_dir}"
    who = f" (process {found.pid}, Kafka on {found.bootstrap_servers or '... still starting'})" if found else ""
    return EmbeddedError(
        f"Kafka and Redis are running {where} already{who}.",
        cure="Use them, stop them with `driftline dev down`, or name another directory with --data-dir.",
    )
