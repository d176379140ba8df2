"""A call that is made in a thread of its own, so that waiting for it can have an end."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Flight:
    """Begins `call` at once. It may go on for ever: its thread holds up nobody's exit."""

    def __init__(self, call: Callable[[], object], name: str) -> None:
        self._call = call
        self._landed = threading.Event()
        self._error: BaseException | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def landed(self) -> bool:
        """Whether it is over, one way or the other."""
        return self._landed.is_set()

    def wait(self, timeout: float) -> None:
        """Return when it is over. Raises what it raised, and TimeoutError after `timeout` seconds."""
        if not self._landed.wait(timeout):
            raise TimeoutError
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is waited for
            self._error = error
        self._landed.set()
