"""Chi-squared test of categorical features against a reference window.

Source: Pearson, "On the criterion that a given system of deviations ... can be reasonably supposed to have arisen from
random sampling", Philosophical Magazine 50 (1900); as a test of two samples, since a reference is one too: to take its
shares for the truth would raise more false alarms than `alpha`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import special

from detectors.base import Reading, Row, State
from detectors.data.categories import category_columns
from detectors.data.counted import CountedDetector
from detectors.data.profiles import OTHER, shares
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import ALL, Bools, Floats, Ints, Slots, States
from detectors.settings import Seasonal

_LEAST_EXPECTED = 5.0


class ChiSquaredConfig(WindowedConfig):
    """Detects a change of the shares of categories. The effect is the total variation distance, from 0 to 1."""

    seasonal: ClassVar[Seasonal] = "shares"

    kind: Literal["chi_squared"] = "chi_squared"
    max_categories: int = Field(
        50, ge=2, le=1000, description="most frequent categories of the reference told apart; the rest count as one"
    )


class _Comparison(NamedTuple):
    statistic: float
    freedom: int
    effect: float


class ChiSquared(CountedDetector[ChiSquaredConfig]):
    """Memory per feature in proportion to `reference` + `window`.

    Categories outside the `max_categories` most frequent of the reference, new ones among them, count as "(other)", and
    so do those of which fewer than five are expected in either sample. `statistic` is chi-squared, `threshold` its
    critical value; there is no alarm as long as less than `min_effect` of the events would have to change category.
    `before`, `after` and `direction` are of the category whose share changed most, which `detail` names.
    """

    def __init__(self, config: ChiSquaredConfig, features: Sequence[str]) -> None:
        self._codes: list[dict[Any, int]] = [{} for _ in features]
        self._reference = np.zeros((len(features), config.max_categories + 1), dtype=np.int64)
        super().__init__(config, features, slots=config.max_categories + 1)

    def _columns(self, block: Sequence[Row]) -> tuple[npt.NDArray[np.object_], Bools]:
        return category_columns(block, self.features)

    def _learn(self, feature: int, values: npt.NDArray[np.object_]) -> None:
        kept = Counter(values.tolist()).most_common(self.config.max_categories)
        self._codes[feature] = {value: code for code, (value, _) in enumerate(kept)}
        counts = [count for _, count in kept]
        self._reference[feature] = 0
        self._reference[feature, : len(counts)] = counts
        self._reference[feature, -1] = len(values) - sum(counts)

    def _place(self, values: npt.NDArray[np.object_], usable: Bools, features: slice = ALL) -> Slots:
        other = self.config.max_categories
        found = [
            [codes.get(value, other) for value in column]
            for codes, column in zip(self._codes[features], values, strict=True)
        ]
        return np.array(found) + self._firsts()[features]

    def _reference_counts(self, feature: int) -> Ints:
        counts: Ints = self._reference[feature]
        return counts

    def _pool(self, feature: int) -> tuple[Floats, Floats, Bools]:
        """Counts in reference and window by category, the last being "(other)", and which kept a place of their own."""
        before, after = self._reference[feature].astype(np.float64), self._counts[feature, :-1].astype(np.float64)
        both = before + after
        sizes = self.config.reference, self.config.window
        least = _LEAST_EXPECTED * sum(sizes) / min(sizes)  # in both samples, for five expected in the smaller one
        own = both >= least
        own[-1] = False
        if 0.0 < both[~own].sum() < least and own.any():
            own[np.argmin(np.where(own, both, math.inf))] = False
        before[-1], after[-1] = before[~own].sum(), after[~own].sum()
        own[-1] = before[-1] + after[-1] > 0.0
        return before, after, own

    def _compare(self, feature: int) -> _Comparison:
        before, after, own = self._pool(feature)
        before, after = before[own], after[own]
        n, m = self.config.reference, self.config.window
        terms = (math.sqrt(m / n) * before - math.sqrt(n / m) * after) ** 2 / (before + after)
        return _Comparison(float(terms.sum()), len(before) - 1, float(np.abs(before / n - after / m).sum() / 2.0))

    def _judge(self, features: Ints) -> States:
        return np.array([self._state_of(self._compare(feature)) for feature in features.tolist()], dtype=np.int8)

    def _state_of(self, comparison: _Comparison) -> State:
        if comparison.freedom == 0 or comparison.effect < self.config.min_effect:
            return State.STABLE
        p_value = special.chdtrc(comparison.freedom, comparison.statistic)
        if p_value <= self._chance(comparison.freedom):
            return State.DRIFT
        return State.WARNING if self._warning_share is not None and p_value <= self._warning_share else State.STABLE

    def _read(self, feature: int, state: State) -> Reading:
        before, after, own = self._pool(feature)
        statistic, freedom, _ = self._compare(feature)
        shares = before / self.config.reference, after / self.config.window
        most = int(np.argmax(np.where(own, np.abs(shares[1] - shares[0]), -1.0)))
        names = list(self._codes[feature])
        share_before, share_after = float(shares[0][most]), float(shares[1][most])
        return Reading(
            state,
            statistic=statistic,
            threshold=float(special.chdtri(freedom, self._chance(freedom))) if freedom else None,
            p_value=float(special.chdtrc(freedom, statistic)) if freedom else 1.0,
            before=share_before,
            after=share_after,
            direction=None if state is State.STABLE else "up" if share_after > share_before else "down",
            reference_n=self.config.reference,
            current_n=self.config.window,
            detail=OTHER if most == len(own) - 1 else str(names[most]),
        )

    def _explain(self, feature: int, reading: Reading) -> Reading:
        names = [*map(str, self._codes[feature]), OTHER]
        counts = self._reference[feature], self._counts[feature, :-1]
        known, seen = (_by_name(names, [*of[: len(names) - 1].tolist(), int(of[-1])]) for of in counts)
        profiles = shares(known, seen)
        changed_n, since = self._since_change(feature)
        before, _, own = self._pool(feature)
        since[-1] = changed_n - since[:-1][own[:-1]].sum()
        change = before[own] / self.config.reference - since[own] / changed_n
        return reading._replace(
            effect=float(np.abs(change).sum() / 2.0), changed_n=changed_n, known=profiles[0], seen=profiles[1]
        )


def _by_name(names: list[str], counts: list[int]) -> Counter[str]:
    """Counts under the names of categories, which different ones (1 and "1") may share."""
    found: Counter[str] = Counter()
    for name, count in zip(names, counts, strict=True):
        found[name] += count
    return found
