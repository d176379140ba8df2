"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(look: Callable[[], T | None], timeout: float = 30.0, otherwise: Callable[[], str] = lambda: "") -> T:
    """Look again and again until something true is seen, and return it; fail with `otherwise` when time is up."""
    deadline = time.monotonic() + timeout
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {timeout:g} s: {otherwise()}")
        time.sleep(0.02)
    return seen
