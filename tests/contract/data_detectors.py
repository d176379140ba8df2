"""Every registered data detector, with values that are usual to it and values that are not, for the laws."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from detectors.base import DataDetector, Reading, Row, Signal, State, Value
from detectors.registry import NUMERIC, DataConfig, build_data

Draw = Callable[[random.Random, bool], Value]
Make = Callable[[], DataDetector[Any]]

SIZES: dict[str, Any] = {"reference": 200, "window": 100, "every": 20}
FULL = 300  # reference + window: events until a feature without gaps is judged
UNUSABLE: Any = object()
"""No value that a feature can have."""
WARNS: dict[str, Any] = {"warning_alpha": 0.05}


class Case(NamedTuple):
    """How to draw a usual or a changed value, one that is always the same, and values that count as missing.

    Then what differs for a detector that has no window of fixed size, or judges otherwise.
    """

    draw: Draw
    same: Value
    missing: tuple[Any, ...]
    wild: tuple[Value, ...]
    least_effect: float = 0.95  # that no change reaches
    judges_missing: bool = False
    sizes: dict[str, Any] = SIZES
    warns: dict[str, Any] = WARNS
    full: int = FULL
    windowed: bool = True
    whole: bool = False  # judges rows, not features
    profile: str | None = "quantiles"
    known: int = 200  # values of the reference at the first alarm
    in_blocks: bool = False  # a change may be older than the newest window

    @property
    def signalled(self) -> str | None:
        """The feature of signals of a change of `a`."""
        return None if self.whole else "a"

    def reading(self, detector: DataDetector[Any]) -> Reading:
        """That which `a` has a part in."""
        return detector.readings()["" if self.whole else "a"]


def number(rng: random.Random, changed: bool) -> float:
    return rng.gauss(2.0 if changed else 0.0, 1.0)


def letter(rng: random.Random, changed: bool) -> str:
    return rng.choice("aab" if changed else "abbcd")


def far(rng: random.Random, changed: bool) -> float:
    return rng.gauss(4.0 if changed else 0.0, 1.0)


def renamed(rng: random.Random, changed: bool) -> str:
    return rng.choice("aez" if changed else "abbcd")


def gap(rng: random.Random, changed: bool) -> float | None:
    return None if rng.random() < (0.7 if changed else 0.1) else 1.5


def kind_of_value(rng: random.Random, changed: bool) -> Value:
    return "1.5" if changed and rng.random() < 0.9 else rng.gauss(0.0, 1.0)


NO_NUMBERS: tuple[Any, ...] = (None, math.nan, math.inf, -math.inf, "1.5", 10**400, [1.5], 1 + 2j)
NO_CATEGORIES: tuple[Any, ...] = (None, math.nan, math.inf, -math.inf, ["a"], {"a": 1}, 1 + 2j)
WILD_NUMBERS: tuple[Value, ...] = (1e308, -1e308, 5e-324, 0, True, 2**1000)
WILD_CATEGORIES: tuple[Value, ...] = ("", "ä" * 1000, 0, True, 1e308, 10**400)

BETS: dict[str, Any] = {"reference": 200, "every": 20, "run_length": 1e6}

BLOCKS: dict[str, Any] = {"block": 10, "warmup": 20, "run_length": 2e5}

CASES: dict[str, Case] = {
    "chi_squared": Case(letter, "a", NO_CATEGORIES, WILD_CATEGORIES, profile="shares"),
    "conformal": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS, sizes=BETS, warns={}, full=220, windowed=False),
    "feature_blocks": Case(
        number,
        1.5,
        NO_NUMBERS,
        WILD_NUMBERS,
        sizes=BLOCKS,
        warns={},
        full=210,
        windowed=False,
        profile=None,
        known=280,
        in_blocks=True,
    ),
    "jensen_shannon": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS),
    "ks": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS),
    "multivariate": Case(
        number,
        1.5,
        NO_NUMBERS,
        WILD_NUMBERS,
        least_effect=50.0,
        sizes={**SIZES, "components": 8},
        whole=True,
        profile=None,
    ),
    "missing_rate": Case(gap, "a", NO_CATEGORIES, WILD_CATEGORIES, judges_missing=True, profile=None),
    "new_category": Case(renamed, "a", NO_CATEGORIES, WILD_CATEGORIES, profile="shares"),
    "psi": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS, least_effect=50.0),
    "schema": Case(kind_of_value, "a", (None,), WILD_CATEGORIES, judges_missing=True, profile="shares"),
    "value_range": Case(far, 1.5, NO_NUMBERS, WILD_NUMBERS, least_effect=0.999, profile=None),
    "wasserstein": Case(number, 1.5, NO_NUMBERS, WILD_NUMBERS, least_effect=5.0),
}


def build(kind: str, **options: Any) -> DataDetector[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(DataConfig)
    config = adapter.validate_python({"kind": kind, **CASES[kind].sizes, **options})
    detector = build_data(config, *((["a", "b"], []) if kind in NUMERIC else ([], ["a", "b"])))
    assert detector is not None
    return detector


def events(case: Case, *stretches: tuple[int, bool], seed: int = 1) -> list[Row]:
    """Events whose feature `a` is usual or changed, stretch by stretch, and whose feature `b` is always usual."""
    rng = random.Random(seed)
    return [
        {"a": case.draw(rng, changed), "b": case.draw(rng, False), "unwatched": UNUSABLE}
        for count, changed in stretches
        for _ in range(count)
    ]


def seen(signals: Sequence[Signal], start: int = 0) -> list[tuple[int, str | None, State]]:
    return [(start + signal.index, signal.feature, signal.reading.state) for signal in signals]
