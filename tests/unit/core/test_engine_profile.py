"""An engine whose detectors start with references from outside."""

from __future__ import annotations

import pickle
import random

from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.profile import Profile
from stream.records import Alert
from stream.testing import drive, event, small_config
from tests.profiles import profile

CONFIG = small_config(
    {
        "detectors": {
            "data": [
                {"kind": "ks", "reference": 100, "window": 50, "every": 10},
                {"kind": "chi_squared", "reference": 100, "window": 50, "every": 10},
            ]
        },
        "alerts": {"cooldown": 0},
    }
)


def values(n: int, mean: float, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(mean, 1.0) for _ in range(n)]


def around(mean: float) -> Profile:
    return profile(x=values(100, mean), kind=["a", "b"] * 50)


def alerts(engine: Engine, mean: float, n: int = 400) -> list[tuple[str | None, int]]:
    """Which features drifted, and at which offsets."""
    events = [event(i, {"x": x, "kind": "ab"[i % 2]}) for i, x in enumerate(values(n, mean, seed=2))]
    effects = drive(engine, events, span=37)
    return [(effect.feature, effect.offset) for effect in effects if isinstance(effect, Alert) and not effect.over]


def test_a_stream_that_differs_from_the_profile_is_an_alarm_once_the_window_is_full() -> None:
    assert alerts(Engine(CONFIG, 0, profile=around(0.0)), mean=3.0) == [("x", 49)]
    assert alerts(Engine(CONFIG, 0), mean=3.0) == [], "learnt from the stream, it is what is usual"
    assert alerts(Engine(CONFIG, 0, profile=around(3.0)), mean=3.0) == []


def test_after_the_drift_the_stream_is_what_is_usual() -> None:
    engine = Engine(CONFIG, 0, profile=around(0.0))
    assert alerts(engine, mean=3.0, n=1000) == [("x", 49)]


def test_a_state_that_was_saved_goes_on_without_the_profile() -> None:
    engine = Engine(CONFIG, 0, profile=around(0.0))
    restored = Engine(CONFIG, 0, pickle.loads(pickle.dumps(engine.state)))
    assert alerts(restored, mean=3.0) == alerts(engine, mean=3.0) == [("x", 49)]
    assert fingerprint(restored.state) == fingerprint(engine.state)
