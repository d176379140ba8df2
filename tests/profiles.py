"""Profiles as `driftline profile build` would have made them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from stream.profile import Profile, Value

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def profile(**features: Sequence[Value]) -> Profile:
    """All events of a file, which had these features."""
    n = len(next(iter(features.values())))
    return Profile(
        model="small",
        made=MADE,
        source="training.jsonl",
        events=n,
        dead_letters=0,
        seed=1,
        times=[0.0] * n,
        features={name: list(values) for name, values in features.items()},
    )
