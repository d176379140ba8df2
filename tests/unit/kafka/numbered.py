"""Events and labels by their numbers: each what it is whenever it is asked for."""

from __future__ import annotations

from stream.records import Event, Label
from stream.testing import event, label


def x(n: int) -> float:
    return (n * 0.6180339887) % 1.0 * 2.0 - 1.0


def some(first: int, end: int, inline: int = 0) -> list[Event]:
    """Events with these numbers; every `inline`-th one has its label with it."""
    return [
        event(n, {"x": x(n), "kind": "ab"[n % 2]}, inline=x(n) > 0 if inline and n % inline == 0 else None)
        for n in range(first, end)
    ]


def their_labels(first: int, end: int, late: float = 0.5) -> list[Label]:
    return [label(n, x(n) > 0, time=n + late) for n in range(first, end)]
