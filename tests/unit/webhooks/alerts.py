"""Alerts to post."""

from __future__ import annotations

from typing import Any

from stream.records import Alert, Change, Contributor, Window
from tests.alerts import begun, over, swapped

NOW = 1_700_003_600.0


_MODEL: dict[str, Any] = {"model": "fraud", "model_version": 7, "partition": 3}


def drift(**known: Any) -> Alert:
    """The errors have risen, an hour before `NOW`."""
    usual: dict[str, Any] = _MODEL | {
        "ts": 1_700_000_000.0,
        "detector": "ddm",
        "before": 0.08,
        "after": 0.21,
        "statistic": 5.5,
        "threshold": 3.0,
        "expected_events_per_false_alarm": 1_000_000.0,
        "change": Change(400, 81_520, 1_699_999_000.0),
        "reference": Window(1000),
        "current": Window(400),
        "contributors": (Contributor("ddm", over=1.8), Contributor("ks", "amount <usd>", over=1.4)),
    }
    return begun("a1b2c3d4e5f60718", **(usual | known))


def ended() -> Alert:
    """The same drift is over."""
    return over(
        "ffffc3d4e5f60718",
        "a1b2c3d4e5f60718",
        ts=1_700_003_000.0,
        detector="ddm",
        before=0.21,
        after=0.085,
        reference=Window(1000),
        current=Window(400),
        since=1_700_000_000.0,
        duration=3000.0,
        **_MODEL,
    )


def swap() -> Alert:
    """A challenger serves from now on."""
    return swapped("0123456789abcdef", 7, ts=1_700_001_000.0, offset=82_500, **(_MODEL | {"model_version": 8}))
