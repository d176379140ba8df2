"""Alerts as they come by the topic, for tests of what is made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from stream.records import Alert, Change, Contributor
from stream.testing import Raw
from stream.web.feeds.acknowledged import Note
from tests.alerts import begun, over, swapped

T0 = 1_360_296_000.0
"""8 February 2013, 04:00 UTC."""


def alert(id_: str = "a1", **known: Any) -> Alert:
    """An open drift of the errors from 18% to 31%, told two hours after it began, unless something else is said."""
    usual: dict[str, Any] = {
        "ts": T0 + 7200.0,
        "detector": "adwin",
        "before": 0.18,
        "after": 0.31,
        "change": Change(400, 81500, T0),
        "expected_events_per_false_alarm": 1e6,
        "contributors": (Contributor("adwin"),),
    }
    return begun(id_, **(usual | known))


def end(of: str = "a1", state: str = "recovered", **known: Any) -> Alert:
    """The alert that the drift `of` is over, two days after it was told."""
    usual: dict[str, Any] = {
        "ts": T0 + 7200.0 + 172_800.0,
        "state": state,
        "detector": "adwin",
        "since": T0 + 7200.0,
        "duration": 172_800.0,
        "before": 0.31,
        "after": 0.19,
    }
    return over(f"{of}-{state}", of, **(usual | known))


def swap(id_: str = "s1", **known: Any) -> Alert:
    """A challenger's promotion, a day after the drift was told."""
    return swapped(id_, 3, **({"ts": T0 + 7200.0 + 86_400.0, "offset": 90_000} | known))


def record(alert: Alert, at: float = 100.0, app: str = "test") -> Raw:
    """The alert on its topic, written at this second of the wall clock."""
    source = f"/driftline/{app}/{alert.model}/{alert.partition}".encode()
    return Raw(msgspec.json.encode(alert), b"small", "alerts", 0, 0, round(at * 1000), (("ce_source", source),))


class InMemory:
    """Notes of which none is ever lost. See `Notes`."""

    def __init__(self) -> None:
        self.kept: dict[str, Note] = {}
        self.most: int | None = None

    def notes(self) -> Mapping[str, Note]:
        return self.kept

    def set(self, id_: str, note: Note, keep: Collection[str], most: int) -> None:
        self.kept[id_] = note
        self.most = most

    def remove(self, id_: str) -> None:
        self.kept.pop(id_, None)
