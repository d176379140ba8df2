"""What detectors share that watch how often something is the case with the values of a feature."""

from __future__ import annotations

import math
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar, TypeVar

import numpy as np
from pydantic import Field
from scipy import special

from detectors.base import Reading, State
from detectors.data.counted import CountedDetector
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import Floats, Ints, States, states_of

UNUSUAL = 1
"""The slot of values with which it is the case."""


class RateConfig(WindowedConfig):
    """Common to detectors on a share of events."""

    min_effect: float = Field(
        0.01, ge=0, lt=1, description="smallest change of the share of events that is worth an alarm"
    )


R = TypeVar("R", bound=RateConfig)


class RateDetector(CountedDetector[R]):
    """Memory per feature in proportion to `window`; a check compares one number per feature with a limit.

    The share in the window is compared with that in the reference by Fisher's exact test: given how many of both
    together are unusual, how they fall to the two is drawing without replacement if nothing changed. `statistic` is the
    change of the share, `threshold` the least that would be an alarm (None if there is none), `before` and `after` are
    the shares. Of two-sided detectors `statistic` is the size of the change and `p_value` twice the smaller tail.
    """

    both_sides: ClassVar[bool] = False

    def __init__(self, config: R, features: Sequence[str]) -> None:
        n = len(features)
        self._usual = [(0, config.reference)] * n  # unusual values of the reference, and out of how many
        # Counts in the window: at most, and at least, so many are a drift; a warning.
        self._limits = np.zeros((n, 4), dtype=np.int64)
        super().__init__(config, features, slots=2)

    @abstractmethod
    def _detail(self, feature: int) -> str | None:
        """What a person would ask for first, of a full feature."""

    def _expect(self, feature: int, unusual: int, out_of: int) -> None:
        """Make `unusual` values of `out_of` what is usual of a feature."""
        self._usual[feature] = unusual, out_of
        warning_share = self._share if self._warning_share is None else self._warning_share
        self._limits[feature] = *self._limit(feature, self._share), *self._limit(feature, warning_share)

    def _limit(self, feature: int, share: float) -> tuple[int, int]:
        (unusual, n), m, least = self._usual[feature], self.config.window, self.config.min_effect
        if not self.both_sides:
            return -1, least_count(unusual, n, m, share, least)
        return m - least_count(n - unusual, n, m, share / 2.0, least), least_count(unusual, n, m, share / 2.0, least)

    def _reference_counts(self, feature: int) -> Ints:
        unusual, n = self._usual[feature]
        return np.array([n - unusual, unusual])

    def _judge(self, features: Ints) -> States:
        counts, limits = self._counts[features, UNUSUAL], self._limits[features].T
        return states_of((counts <= limits[2]) | (counts >= limits[3]), (counts <= limits[0]) | (counts >= limits[1]))

    def _read(self, feature: int, state: State) -> Reading:
        (unusual, n), m = self._usual[feature], self.config.window
        count = int(self._counts[feature, UNUSUAL])
        fewest, most = self._limits[feature, :2].tolist()
        before, after = unusual / n, count / m
        falls = self.both_sides and after < before
        p_value = tail(m - count, n - unusual, n, m) if falls else tail(count, unusual, n, m)
        possible = fewest >= 0 if falls else most <= m
        threshold = (before - fewest / m if falls else most / m - before) if possible else None
        return Reading(
            state,
            statistic=before - after if falls else after - before,
            threshold=threshold,
            p_value=min(1.0, 2.0 * p_value) if self.both_sides else p_value,
            before=before,
            after=after,
            direction=None if state is State.STABLE else "down" if falls else "up",
            reference_n=self.config.reference,
            current_n=m,
            detail=self._detail(feature),
        )

    def _explain(self, feature: int, reading: Reading) -> Reading:
        (unusual, n), (changed_n, counts) = self._usual[feature], self._since_change(feature)
        effect = abs(float(counts[UNUSUAL]) / changed_n - unusual / n)
        return reading._replace(effect=effect, changed_n=changed_n)


@lru_cache(maxsize=10_000)
def tail(count: int, unusual: int, reference: int, window: int) -> float:
    """The probability of `count` or more unusual values in a window, given how many are in both samples together."""
    both = unusual + count
    counts = np.arange(count, min(both, window) + 1)
    ways = _log_choose(window, counts) + _log_choose(reference, both - counts)
    return min(1.0, float(np.exp(ways - _log_choose(reference + window, np.array([both]))).sum()))


def _log_choose(n: int, k: Ints) -> Floats:
    chosen: Floats = math.lgamma(n + 1) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
    return chosen


@lru_cache(maxsize=10_000)
def least_count(unusual: int, reference: int, window: int, share: float, min_effect: float) -> int:
    """The fewest unusual values in a window that are an alarm; `window` + 1 if any number is not."""
    effect = max(1, math.ceil((unusual / reference + min_effect) * window - 1e-9))
    return bisect_left(
        range(window + 1), True, lo=min(effect, window + 1), key=lambda n: tail(n, unusual, reference, window) <= share
    )
