"""Schema: what kind of values a feature has, such as numbers or text, and whether it has any, against a reference.

Source: Fisher, "On the interpretation of chi-squared from contingency tables, and the calculation of P", Journal of
the Royal Statistical Society 85 (1922), for the exact test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from detectors.base import Reading, Row, State
from detectors.data.blocks import plain
from detectors.data.categories import flat_values
from detectors.data.counted import CountedDetector
from detectors.data.profiles import shares
from detectors.data.rates import RateConfig, least_count, tail
from detectors.data.windowed import ALL, Bools, Ints, Slots, States, states_of
from detectors.settings import Seasonal

KINDS = ("missing", "number", "boolean", "text", "not finite", "other")
_MISSING, _NUMBER, _BOOLEAN, _TEXT, _NOT_FINITE, _OTHER = range(len(KINDS))
_SIDES = 2
"""Kinds that are new, and those that are gone: half of the chance of a false alarm is for either."""
_GONE = _SIDES * (len(KINDS) - 1)
"""By what it is divided for each kind that may be gone: all but missing values."""


class SchemaConfig(RateConfig):
    """Detects that values of a feature, of any type, become of another kind, or that it vanishes or appears."""

    seasonal: ClassVar[Seasonal] = None

    kind: Literal["schema"] = "schema"
    features: tuple[str, ...] | None = Field(
        None, min_length=1, description="features to watch; all, of either type, if absent"
    )


class _Limits(NamedTuple):
    """What is an alarm, by feature."""

    new: Ints  # so many values of kinds that the reference does not have
    gone: Bools  # whether it is one that a kind is gone; features by kinds


class Schema(CountedDetector[SchemaConfig]):
    """Memory per feature in proportion to `window`; a check compares a few numbers per feature.

    Every event counts: `reference` and `window` are events. A value is missing if the row lacks it or it is None; NaN
    and infinities are a kind of their own, and so are booleans; what is neither number nor text is "other". An alarm is
    a kind that the reference does not have at all, from a share of `min_effect` on, or one that it has, but missing
    values, and the window has no more; mere shares of kinds are for `missing_rate` and the like. Either is judged by
    Fisher's exact test, so that runs are as long as stated at least. `statistic` is how much the share of kinds has
    changed, `before` and `after` are the shares of what `detail` says: the kind that is new or else the one that is
    gone, and the most frequent on the other side.
    """

    def __init__(self, config: SchemaConfig, features: Sequence[str]) -> None:
        n = len(features)
        self._reference = np.zeros((n, len(KINDS)), dtype=np.int64)
        self._drift_at, self._warning_at = (
            _Limits(np.zeros(n, dtype=np.int64), np.zeros((n, len(KINDS)), dtype=np.bool_)) for _ in range(2)
        )
        super().__init__(config, features, slots=len(KINDS))

    def _columns(self, block: Sequence[Row]) -> tuple[npt.NDArray[np.int8], Bools]:
        kinds = [
            (_NUMBER if math.isfinite(value) else _NOT_FINITE) if type(value) is float else _kind_of(value)
            for value in flat_values(block, self.features)
        ]
        found = np.array(kinds, dtype=np.int8).reshape(len(block), len(self.features)).T.copy()
        return found, np.ones(found.shape, dtype=np.bool_)

    def _learn(self, feature: int, values: npt.NDArray[np.int8]) -> None:
        self._reference[feature] = np.bincount(values, minlength=len(KINDS))
        share = self._chance()
        self._limit(self._drift_at, feature, share)
        self._limit(self._warning_at, feature, share if self._warning_share is None else self._warning_share)

    def _limit(self, limits: _Limits, feature: int, share: float) -> None:
        limits.new[feature] = self._least_new(share)
        limits.gone[feature] = self._reference[feature] >= self._least_gone(share)
        limits.gone[feature, _MISSING] = False

    def _least_new(self, share: float) -> int:
        """The fewest values in a window that are an alarm if the reference has none of their kind."""
        n, m = self.config.reference, self.config.window
        return least_count(0, n, m, share / _SIDES, self.config.min_effect)

    def _least_gone(self, share: float) -> int:
        """The fewest values of a kind in the reference that make it an alarm if the window has none."""
        n, m = self.config.reference, self.config.window
        return least_count(0, m, n, share / _GONE, self.config.min_effect)

    def _place(self, values: npt.NDArray[np.int8], usable: Bools, features: slice = ALL) -> Slots:
        return values.astype(np.int64) + self._firsts()[features]

    def _reference_counts(self, feature: int) -> Ints:
        counts: Ints = self._reference[feature]
        return counts

    def _judge(self, features: Ints) -> States:
        counts = self._counts[features, :-1]
        new = np.where(self._reference[features] > 0, 0, counts).sum(axis=1)
        warns, alarms = (
            (new >= limits.new[features]) | (limits.gone[features] & (counts == 0)).any(axis=1)
            for limits in (self._warning_at, self._drift_at)
        )
        return states_of(warns, alarms)

    def _read(self, feature: int, state: State) -> Reading:
        n, m, share = self.config.reference, self.config.window, self._chance()
        known, seen = self._reference[feature], self._counts[feature, :-1]
        new = np.where(known > 0, 0, seen)
        gone = np.where((seen > 0) | ~self._warning_at.gone[feature], 0, known)
        usual, present = KINDS[int(known.argmax())], KINDS[int(seen.argmax())]
        if gone.any() and new.sum() < self._drift_at.new[feature]:
            kind = int(gone.argmax())
            count, least, size = int(gone[kind]), self._least_gone(share), n
            p_value, detail = _GONE * tail(count, 0, m, n), f"{present} instead of {KINDS[kind]}"
        else:
            kind = int(new.argmax())
            count, least, size = int(new.sum()), self._least_new(share), m
            p_value, detail = _SIDES * tail(count, 0, n, m), f"{KINDS[kind]} instead of {usual}"
        before, after = float(known[kind] / n), float(seen[kind] / m)
        quiet = state is State.STABLE
        return Reading(
            state,
            statistic=count / size,
            threshold=least / size if least <= size else None,
            p_value=min(1.0, p_value),
            before=before,
            after=after,
            direction=None if quiet else "up" if after > before else "down",
            reference_n=n,
            current_n=m,
            detail=None if quiet else detail,
        )

    def _explain(self, feature: int, reading: Reading) -> Reading:
        n, (changed_n, since) = self.config.reference, self._since_change(feature)
        samples = (
            dict(zip(KINDS, of.tolist(), strict=True)) for of in (self._reference[feature], self._counts[feature, :-1])
        )
        known, seen = shares(*samples)
        effect = float(np.abs(self._reference[feature] / n - since / changed_n).sum()) / 2.0
        return reading._replace(effect=effect, changed_n=changed_n, known=known, seen=seen)


def _kind_of(value: Any) -> int:
    if value is None:
        return _MISSING
    found = plain(value)
    if isinstance(found, bool):
        return _BOOLEAN
    if isinstance(found, str):
        return _TEXT
    if isinstance(found, float) and not math.isfinite(found):
        return _NOT_FINITE
    return _OTHER if found is None else _NUMBER
