"""How a worker is doing, as `/healthz` and `/readyz` tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

Condition: TypeAlias = Literal["ok", "degraded", "down"]
_ORDER: tuple[Condition, ...] = ("ok", "degraded", "down")


class Part(NamedTuple):
    """One thing the worker relies on. `reason` says what is wrong and what comes of it; empty when all is well."""

    state: Condition
    reason: str = ""


class Status(NamedTuple):
    """A worker at one instant.

    `idle` is the number of seconds since its loop last turned. `predicting` is False only when an event that came now
    could not be predicted: no broker, or no partition assigned yet. Redis down does not change it.
    """

    idle: float
    predicting: bool
    parts: Mapping[str, Part]

    @property
    def state(self) -> Condition:
        """The worst of the parts."""
        return max((part.state for part in self.parts.values()), key=_ORDER.index, default="ok")

    def report(self) -> dict[str, Any]:
        """What `/readyz` answers: each part with its state, and the reason where it is not ok."""
        parts = {
            name: {"state": part.state} | ({"reason": part.reason} if part.reason else {})
            for name, part in self.parts.items()
        }
        return {"ready": self.predicting, "state": self.state, "parts": parts}
