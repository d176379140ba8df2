"""Points at which the fault tests kill a worker. Without `DRIFTLINE_FAULT` in the environment they do nothing.

`DRIFTLINE_FAULT=NAME:N` kills the process with SIGKILL when it passes the point NAME for the Nth time. Points are the
steps of docs/delivery.md, by name.
"""

from __future__ import annotations

import os
import signal
from functools import cache
from itertools import count
from typing import Final

VARIABLE: Final = "DRIFTLINE_FAULT"

POINTS: Final = (
    "replayed",
    "polled",
    "processed",
    "outputs_sent",
    "journal_sent",
    "offsets_sent",
    "outputs_acknowledged",
    "committed",
    "promoting",
    "model_published",
    "champion_moved",
    "swapped",
    "snapshot_sealed",
    "snapshot_saved",
)
"""All points, in the order in which a worker passes them."""

_passes = count(1)


@cache
def _armed() -> tuple[str, int]:
    """The point at which to die, and at which pass; read once, when the first point is passed."""
    name, _, number = os.environ.get(VARIABLE, "").partition(":")
    return name, int(number or 1)


def passing(point: str) -> None:
    """The process is at `point`. Does not return when this is where it is to die."""
    name, number = _armed()
    if point == name and next(_passes) >= number:
        os.kill(os.getpid(), signal.SIGKILL)
