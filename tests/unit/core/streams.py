"""Streams whose truth may flip, and the parts of what an engine says of them."""

from __future__ import annotations

import random

from stream.records import (
    Alert,
    Effect,
    Event,
    Label,
    Prediction,
    Promote,
)
from stream.testing import event, label

DETECT = {"detectors": {"concept": [{"kind": "adwin"}]}, "adaptation": {"min_labels": 200, "margin": 0.05}}


def predictions(effects: list[Effect]) -> list[Prediction]:
    return [e for e in effects if isinstance(e, Prediction)]


def alerts(effects: list[Effect], kind: str) -> list[Alert]:
    return [e for e in effects if isinstance(e, Alert) and e.kind == kind]


def drifts(effects: list[Effect], kind: str) -> list[Alert]:
    """The alerts of a kind that something has drifted, without those that a drift is over."""
    return [e for e in alerts(effects, kind) if not e.over]


def promotions(effects: list[Effect]) -> list[Promote]:
    return [e for e in effects if isinstance(e, Promote)]


def stream(n: int, *, flip_at: int | None = None, start: int = 0, delay: int = 0) -> list[Event | Label]:
    """Events whose label is x > 0, and from `flip_at` on the opposite; each label `delay` events later."""
    rng = random.Random(7)
    truth: dict[int, bool] = {}
    out: list[Event | Label] = []
    for i in range(start, start + n):
        x = rng.uniform(-1, 1)
        truth[i] = (x > 0) != (flip_at is not None and i >= flip_at)
        out.append(event(i, {"x": x}))
        if i - delay >= start:
            out.append(label(i - delay, truth[i - delay], time=i + 0.5))
    return out
