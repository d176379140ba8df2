"""The directory of one server: given or temporary, writable, and owned by one running server at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from pathlib import Path

from stream.embedded.errors import DataDirError

# A server whose owner was killed ends within milliseconds; one that is stopped in another terminal may need longer.
_PATIENCE_SECONDS = 3.0


class DataDir:
    """Makes `path`, or a temporary directory that `remove` takes away (so does the end of this process)."""

    def __init__(self, path: Path | None, server: str) -> None:
        self._server = server
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if path is None:
            prefix = f"driftline-{server.lower()}-"
            self._temporary = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
            self.path = Path(self._temporary.name).resolve()
        else:
            # Absolute, because servers run inside their directory.
            self.path = path.expanduser().resolve()
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._unusable(error) from error

    @property
    def temporary(self) -> bool:
        return self._temporary is not None

    def lock(self) -> int:
        """Lock the directory and return the open file that holds the lock; the lock ends when all its copies close.

        Raises `DataDirError` when another server holds it or the directory cannot be written.
        """
        try:
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._unusable(error) from error
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(lock)
                    raise DataDirError(
                        f"Data directory {self.path} is in use by another running {self._server}.",
                        cure="Stop that one (`driftline dev down`) or choose another directory.",
                    ) from None
                time.sleep(0.05)

    def remove(self) -> None:
        """Remove the directory if it is temporary."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def _unusable(self, error: OSError) -> DataDirError:
        return DataDirError(
            f"Data directory {self.path}: cannot write there ({error.strerror}).",
            cure="Choose a directory of yours, or change the rights of this one.",
        )
