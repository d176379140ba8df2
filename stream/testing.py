"""For tests, yours and ours: a small configuration, records, and an engine driven without a broker.

engine = Engine(small_config(), partition=0)
effects = drive(engine, [event(0, {"x": 1.0}), label(0, True)])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from stream.config.model import Config
from stream.core.engine import Engine
from stream.records import Effect, Event, Features, Label, Span, Target

_SMALL: dict[str, Any] = {
    "app": "test",
    "topics": {
        "events": "events",
        "labels": "labels",
        "predictions": "predictions",
        "alerts": "alerts",
        "dead_letters": "dead-letters",
    },
    "events": {"features": {"x": {"type": "number"}, "kind": {"type": "category"}}},
    "labels": {"ttl": "1h", "max_pending": 10_000},
    "model": {"name": "small", "problem": "binary", "learner": {"kind": "logistic"}},
}


class Raw(NamedTuple):
    """A record as a Kafka client gives it to the decoders; `timestamp` in milliseconds since the epoch."""

    value: bytes | None
    key: bytes | None = b"key"
    topic: str = "events"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


def small_config(overrides: Mapping[str, Any] | None = None) -> Config:
    """A valid configuration: binary, features `x` (number) and `kind` (category), no detectors. `overrides` is merged
    into it, section by section.
    """
    return Config.model_validate(_merged(_SMALL, overrides or {}))


def event(
    n: int, features: Features, *, time: float | None = None, inline: Target | None = None, text: str | None = None
) -> Event:
    """Event `n`: id `e{n}`, offset n, one second after event n - 1 unless `time` is given. `text`: how its label is
    written.
    """
    at = float(n) if time is None else time
    return Event(f"e{n}", at, at, n, features, b"key", inline, text)


def label(
    n: int, value: Target, *, time: float | None = None, offset: int | None = None, text: str | None = None
) -> Label:
    """The label of event `n`, half a second after it unless `time` is given; `text` is how it is written."""
    return Label(f"e{n}", value, n + 0.5 if time is None else time, n if offset is None else offset, text)


def drive(engine: Engine, records: Iterable[Event | Label], *, now: float = 1e9, span: int = 1) -> list[Effect]:
    """Give records to the engine in their order, in spans of at most `span` events followed by their labels."""
    effects: list[Effect] = []
    current = Span([], [], [], now)
    for record in records:
        if isinstance(record, Event) and (current.labels or len(current.events) == span):
            effects += engine.process(current, now)
            current = Span([], [], [], now)
        (current.events if isinstance(record, Event) else current.labels).append(record)  # type: ignore[arg-type]
    return effects + engine.process(current, now)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        known = merged.get(name)
        if isinstance(value, Mapping) and isinstance(known, Mapping) and name not in ("features", "learner"):
            merged[name] = _merged(known, value)
        else:
            merged[name] = value
    return merged
