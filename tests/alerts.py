"""Alerts that tests make up: only what a test is about has to be said."""

from __future__ import annotations

from typing import Any

from stream.records import Alert


def alert(**known: Any) -> Alert:
    """That something drifted, and nothing more."""
    usual: dict[str, Any] = {
        "id": "a1",
        "ts": 0.0,
        "kind": "data_drift",
        "severity": "warning",
        "model": "small",
        "model_version": 3,
        "partition": 0,
        "offset": 81_920,
    }
    return Alert(**(usual | known))


def begun(id_: str = "a1", **known: Any) -> Alert:
    """The errors have risen, and a challenger was started."""
    usual: dict[str, Any] = {
        "id": id_,
        "incident": id_,
        "kind": "concept_drift",
        "severity": "critical",
        "state": "open",
        "direction": "worse",
        "action": "challenger_started",
    }
    return alert(**(usual | known))


def over(id_: str, of: str, **known: Any) -> Alert:
    """The same drift is over."""
    usual = {"incident": of, "state": "recovered", "severity": "info", "direction": "better", "action": "none"}
    return begun(id_, **(usual | known))


def swapped(id_: str, before: int, **known: Any) -> Alert:
    """The challenger serves from now on."""
    usual: dict[str, Any] = {
        "id": id_,
        "kind": "model_swap",
        "severity": "info",
        "model_version": before + 1,
        "detail": f"version {before} to {before + 1}: beat_champion",
        "action": "swapped",
    }
    return alert(**(usual | known))
