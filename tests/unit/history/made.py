"""Points, layouts and tasks that tests put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stream.config.model import Config
from stream.core.engine import Engine
from stream.history.frames import Layout, Point, packed_drift, packed_scores
from stream.testing import drive, event, label, small_config

LAYOUT = Layout((("champion", "brier"), ("majority", "brier")), (("ks", "x"), ("adwin", "")))
LAYOUTS = {LAYOUT.id: LAYOUT}
NO_LABELS: dict[str, Any] = {"topics": {"labels": None}, "events": {"label": "y"}}


def point(
    at: float,
    partition: int = 0,
    *,
    scores: Mapping[str, float] | None = None,
    drift: Sequence[float | None] = (None, None),
    **known: Any,
) -> Point:
    """A point at a time; `scores` are Brier scores by source, `drift` is as the layout has it."""
    usual: dict[str, Any] = {
        "time": at - 5.0,
        "version": 1,
        "events": 0,
        "labels": 0,
        "dead_letters": 0,
        "lag_events": 0,
        "lag_labels": 0,
        "pending": 0,
        "held": 0,
        "join_rate": None,
        "label_delay_p50": None,
        "label_delay_p90": None,
        "latency_p50_ms": None,
        "latency_p99_ms": None,
    }
    packed = packed_scores(LAYOUT, {source: {"brier": value} for source, value in (scores or {}).items()})
    return Point(
        partition=partition, at=at, layout=LAYOUT.id, scores=packed, drift=packed_drift(drift), **(usual | known)
    )


def engine_after(n: int, overrides: Mapping[str, Any] | None = None) -> Engine:
    """An engine that has seen `n` events, each with its label half a second after it."""
    config: Config = small_config(overrides)
    engine = Engine(config, 0)
    for number in range(n):
        x = number * 0.6180339887 % 1.0
        drive(engine, [event(number, {"x": x, "kind": "ab"[number % 2]}), label(number, x > 0.5)])
    return engine
