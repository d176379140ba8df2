"""What detectors share that compare numeric features over bins: quantiles of the reference cut a feature into them.

Source of what such distances are if nothing changed: Yurdakul, "Statistical properties of population stability index",
dissertation, Western Michigan University (2018).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self, TypeVar

import numpy as np
from pydantic import Field, model_validator
from scipy import special

from detectors.base import Profile, Reading, State
from detectors.calibration.counts import critical
from detectors.data.counted import CountedDetector
from detectors.data.numbers import Moments, NumericDetector, change_of, least_move, moments
from detectors.data.profiles import quantiles
from detectors.data.ranks import Ranks
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import ALL, Bools, Floats, Ints, Slots, States, states_of

_LEAST_EXPECTED = 5
_SURER = 5
"""Values, for each bin, by which a reference counts as larger: where bins hold few, alarms hang less on it than in the
limit of large samples. Fitted to simulated alarms.
"""


class BinnedConfig(WindowedConfig):
    """Common to detectors that compare shares of bins."""

    bins: int = Field(10, ge=2, le=100, description="bins that hold equally many values of the reference")

    @model_validator(mode="after")
    def _are_filled(self) -> Self:
        smaller = min(self.reference, self.window)
        if self.bins * _LEAST_EXPECTED > smaller:
            raise ValueError(
                f"bins: got {self.bins}; expected at most {smaller // _LEAST_EXPECTED}, so that {_LEAST_EXPECTED} of "
                f"the {smaller} values of the smaller sample fall into each. Lower bins or raise window"
            )
        return self


B = TypeVar("B", bound=BinnedConfig)


class BinnedDetector(CountedDetector[B], NumericDetector[B]):
    """Memory per feature in proportion to `window` + `bins`; a check costs O(bins) per feature.

    Bins end at quantiles of the reference. A value that makes up half a bin or more where one ends has a bin of its
    own, so that what lies beside a frequent value is told from it: of a constant reference, what is below, at and above
    it. Bins that are empty in both samples do not count. `threshold` is the larger of `min_effect` and the critical
    value: by the limit distribution, a multiple of chi-squared, where `alpha` is given, and by `run_length` as in
    `detectors.calibration`, where it does not take samples for large. `direction` is up or down if the means have moved
    clearly, else wider or narrower if the deviations have; None is a change of shape.

    A part of a value, `added`, is added to every bin that counts, in both samples, as else the distance would reach the
    critical value too often where bins hold few values, or be infinite where one is empty.

    Subclasses say what the distance is.
    """

    added: ClassVar[float]

    def __init__(self, config: B, features: Sequence[str]) -> None:
        n, edges = len(features), config.bins - 1
        slots = 2 * edges + 1
        self._ranks = Ranks(n, edges)
        self._bins = np.zeros((n, self._ranks.width), dtype=np.int64)  # of the slots of ranks
        self._reference = np.zeros((n, slots), dtype=np.int64)
        self._moments: list[Moments] = [(0.0, 0.0)] * n
        self._profiles: list[Profile] = [{}] * n
        super().__init__(config, features, slots=slots)
        self._unit = 1.0 / config.reference + 1.0 / config.window
        # By degrees of freedom, found when first needed; there is no critical distance where there is but one bin.
        self._drift_at, self._warning_at = (np.full(self._width, np.nan) for _ in range(2))
        self._drift_at[0] = self._warning_at[0] = math.inf

    @staticmethod
    @abstractmethod
    def _terms(before: Floats, after: Floats) -> Floats:
        """What bins add to the index, from their shares in reference and window. In the limit of large samples the
        index is chi-squared, times the sum of one over either size, if nothing changed.
        """

    @staticmethod
    @abstractmethod
    def _distance(index: Floats) -> Floats:
        """The distances that go with indices."""

    @staticmethod
    @abstractmethod
    def _index(distance: float) -> float:
        """The inverse of `_distance`."""

    def _find_critical(self, freedom: int) -> None:
        """Find the least distances to act on, with so many degrees of freedom."""
        config, share = self.config, self._warning_share
        chance = self._chance(freedom, _SURER * config.bins)
        if config.run_length is None:
            self._drift_at[freedom] = self._critical(self._unit * float(special.chdtri(freedom, chance)))
        else:
            sizes = config.reference, config.window, freedom + 1
            self._drift_at[freedom] = self._critical(critical(*sizes, self.added, self._terms, chance))
        self._warning_at[freedom] = self._drift_at[freedom]
        if share is not None:
            self._warning_at[freedom] = self._critical(self._unit * float(special.chdtri(freedom, share)))

    def _critical(self, index: float) -> float:
        return max(float(self._distance(np.array(index))), self.config.min_effect)

    def _learn(self, feature: int, values: Floats) -> None:
        bins, size = self.config.bins, len(values)
        ordered = np.sort(values)
        ends = np.unique(ordered[[size * part // bins - 1 for part in range(1, bins)]])
        upto, below = np.searchsorted(ordered, ends, side="right"), np.searchsorted(ordered, ends)
        frequent = 2 * bins * (upto - below) >= size
        table = np.zeros(self._ranks.width, dtype=np.int64)
        table[1 : 2 * len(ends) : 2] = frequent  # the end itself begins a bin
        table[2 : 2 * len(ends) + 1 : 2] = 1  # and so does what lies above
        table = np.cumsum(table)
        self._ranks.learn(feature, ends)
        self._bins[feature] = feature * self._width + table
        counts = np.diff(np.stack([below, upto], axis=1).reshape(-1), prepend=0, append=size)
        self._reference[feature] = np.bincount(table[: len(counts)], weights=counts, minlength=self._width - 1)
        self._moments[feature] = moments(values)
        self._profiles[feature] = quantiles(ordered)

    def _reference_counts(self, feature: int) -> Ints:
        counts: Ints = self._reference[feature]
        return counts

    def _place(self, values: Floats, usable: Bools, features: slice = ALL) -> Slots:
        slots: Slots = self._bins.reshape(-1).take(self._ranks.slots(values, features))
        return slots

    def _compare(self, features: Ints) -> tuple[Floats, Ints]:
        """Distance and degrees of freedom of some features."""
        before, after = self._reference[features], self._counts[features, :-1]
        filled = before + after > 0
        bins = np.count_nonzero(filled, axis=1)
        extra = self.added * bins[:, np.newaxis]
        known = (before + self.added) / (self.config.reference + extra)
        seen = (after + self.added) / (self.config.window + extra)
        terms = self._terms(np.where(filled, known, 1.0), np.where(filled, seen, 1.0))
        return self._distance(terms.sum(axis=1)), bins - 1

    def _judge(self, features: Ints) -> States:
        distance, freedom = self._compare(features)
        for unknown in set(freedom[np.isnan(self._drift_at[freedom])].tolist()):
            self._find_critical(unknown)
        return states_of(distance >= self._warning_at[freedom], distance >= self._drift_at[freedom])

    def _read(self, feature: int, state: State) -> Reading:
        config = self.config
        distances, freedoms = self._compare(np.array([feature]))
        distance, freedom = float(distances[0]), int(freedoms[0])
        known, seen = self._moments[feature], moments(self._values[feature])
        least = least_move(self._furthest(feature, self._counts[feature, :-1] / config.window), known, seen)
        direction, before, after = change_of(state, known, seen, least)
        return Reading(
            state,
            statistic=distance,
            threshold=float(self._drift_at[freedom]) if freedom else None,
            p_value=float(special.chdtrc(freedom, self._index(distance) / self._unit)) if freedom else 1.0,
            before=before,
            after=after,
            direction=direction,
            reference_n=config.reference,
            current_n=config.window,
        )

    def _explain(self, feature: int, reading: Reading) -> Reading:
        changed_n, counts = self._since_change(feature)
        return reading._replace(
            effect=self._furthest(feature, counts / changed_n),
            changed_n=changed_n,
            known=self._profiles[feature],
            seen=quantiles(np.sort(self._values[feature])),
        )

    def _furthest(self, feature: int, shares: Floats) -> float:
        """The Kolmogorov-Smirnov distance from the reference, over the bins of which these are shares."""
        return float(np.abs(np.cumsum(shares - self._reference[feature] / self.config.reference)).max())
