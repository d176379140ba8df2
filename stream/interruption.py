"""One orderly end for a command that starts servers and then waits."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Final, Self

INTERRUPTED: Final = 130
"""Exit code of a command that was asked to stop before its work was done."""


class Interruption:
    """Makes Ctrl-C, SIGTERM and a closed terminal one orderly end, whenever they come and however often.

    While `starting`, the first of them raises KeyboardInterrupt, because starting waits in many places. Later ones, and
    all once it is up, only set `asked`: nothing disturbs the stop that is under way.
    """

    def __init__(self) -> None:
        self.starting = True
        self.asked = False

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        first, self.asked = not self.asked, True
        if first and self.starting:
            raise KeyboardInterrupt
