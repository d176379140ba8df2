"""Changes of several features together that none of them shows alone, such as of a correlation: whole rows compared.

Source: Chwialkowski, Ramdas, Sejdinovic and Gretton, "Fast two-sample testing with analytic representations of
probability measures", NIPS (2015); Epps and Singleton, "An omnibus test for the two-sample problem using the empirical
characteristic function", Journal of Statistical Computation and Simulation 26 (1986). As a test of means: Hotelling,
"The generalization of Student's ratio", Annals of Mathematical Statistics 2 (1931).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator
from scipy import special

from detectors.base import Reading, Row, Signal, State
from detectors.data.blocks import BlockDetector
from detectors.data.numbers import numeric_columns
from detectors.data.ranks import Ranks
from detectors.data.window_config import WindowedConfig
from detectors.data.windowed import Floats, Ints

_UNIT = math.sqrt(3.0)
"""Ranks are spread evenly from minus this to this, so that their deviation is one."""
_SLOWEST, _FASTEST = 0.5, 1.5
"""Of waves, in radians per deviation: slower ones see little but means, faster ones little at all."""
_LEAST_VARIANCE = 0.03
"""Directions with less, as a share of the largest, are left out: their covariance is known worst."""
_ROWS_EACH = 10
"""Rows of the reference it takes for each component, for their covariance to be known."""
_NORMAL_PEAKS = 3.0
"""The fourth moment of a standard normal variable."""
_IMAGINED = 10
"""Events without a change that those since its beginning are added to: a few prove nothing."""
_TOLD, _CLEAR = 3, 3.0
"""Parts of a change that are named, and the standard errors that all but the first have to have moved by."""


class MultivariateConfig(WindowedConfig):
    """Detects changes of numeric features together, such as of a correlation. The effect is Mahalanobis' distance."""

    kind: Literal["multivariate"] = "multivariate"
    reference: int = Field(1000, ge=100, le=100_000, description="events that make up the reference")
    window: int = Field(500, ge=30, le=100_000, description="newest events, compared with the reference")
    features: tuple[str, ...] | None = Field(
        None, min_length=1, description="features to watch together; all numeric ones if absent"
    )
    min_effect: float = Field(
        0.1, ge=0, description="smallest distance worth an alarm, in standard deviations of the components"
    )
    components: int = Field(
        20, ge=4, le=100, description="numbers that rows are reduced to: half of them waves, half of them products"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the components; the same gives the same readings")

    @model_validator(mode="after")
    def _stays(self) -> Self:
        if self.rolling is not None:
            raise ValueError(
                "rolling: multivariate cannot have it, as all of its window would have to be reduced anew with each "
                "reference. Remove it, or watch the features one by one with a kind that can, such as ks"
            )
        return self

    @model_validator(mode="after")
    def _are_known(self) -> Self:
        if self.components * _ROWS_EACH > self.reference:
            most = self.reference // _ROWS_EACH
            raise ValueError(
                f"components: got {self.components}; expected at most {most}, so that there are {_ROWS_EACH} events of "
                "the reference for each. Lower components or raise reference"
            )
        return self


class _Part(NamedTuple):
    """A part of a change: what it is of, before and after, and how much it moved, in standard errors."""

    name: str
    before: float
    after: float
    moved: float


class Multivariate(BlockDetector[MultivariateConfig]):
    """Memory per feature in proportion to `reference` + `window`; time in proportion to features times `components`.

    Every event counts: `reference` and `window` are events, a missing value stands in the middle of its feature.
    Values are replaced by their rank in the reference, from -sqrt(3) to sqrt(3), so that outliers have no weight; rows
    of ranks by `components` numbers: sines and cosines of random directions, which see a change of any kind if there
    are enough events, and products of two features, which see changes of correlation sooner. With more pairs than
    products each of these is a random sum over pairs that have no feature in common. Their means in window and
    reference are compared by Hotelling's test, with the covariance of the reference, which counts as one of fewer
    events where components are not normal.

    One reading, for all features together: its name is empty, and the feature of its signals None. `statistic` is
    Mahalanobis' distance of the means, `threshold` what it had to reach, `p_value` that of Hotelling's distribution.
    `detail` names what changed most, by feature or by pair of features, and `before` and `after` are the first of them:
    the chance that a value is larger than one of the reference (a half before), or the rank correlation of a pair.
    Where nothing varied in the reference nothing is compared; detectors on single features see that. `effect` is the
    Kolmogorov-Smirnov distance along the change, of events whose components are normal; there are no profiles.
    """

    at_once = 100

    together: ClassVar[bool] = True

    def __init__(self, config: MultivariateConfig, features: Sequence[str]) -> None:
        super().__init__(config, features)
        self._directions, self._pairs, self._signs = _components(config, len(features))
        self._root = math.sqrt(config.reference * config.window / (config.reference + config.window))
        self._count = 2 * self._directions.shape[1] + len(self._pairs)
        self.reset()

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        super().reset()
        n, config = len(self.features), self.config
        self._reference = np.zeros((n, config.reference))  # NaN is missing, as in the window
        self._values = np.zeros((n, config.window))
        self._window = np.zeros((config.window, self._count))  # components
        self._derive()
        self._start(0)

    def _derive(self) -> None:
        n, config = len(self.features), self.config
        self._ranks = Ranks(n, config.reference)
        self._grades = np.zeros((n, self._ranks.width))  # by slot of ranks

    def _start(self, feature: int) -> None:
        self._learnt = 0  # events of the reference
        self._entered = 0  # events that have entered the window
        self._outside = False  # whether the reference is from outside
        self._state = State.WARMUP
        self._alarm: Reading | None = None

    def preset(self, rows: Sequence[Row]) -> dict[str, int]:
        """Start anew with a reference out of rows, and say what each feature lacks (see `DataDetector`).

        Where some feature is named by no row, all is learnt from the stream.
        """
        self.reset()
        named = frozenset[str]().union(*rows)
        if rows and named.issuperset(self.features):
            self._gather(self._columns(rows))
        lacking = self.config.reference - self._learnt
        self._outside = not lacking
        return {name: lacking for name in self.features if lacking and (self._learnt or name not in named)}

    def readings(self) -> dict[str, Reading]:
        """The newest reading, of the last check, or the progress if nothing was compared yet. Its name is empty."""
        return {"": self._alarm or self._read(self._state)}

    def _take(self, first: int) -> list[Signal]:
        values = self._columns(self._block)
        signals: list[Signal] = []
        every, size, rows = self.config.every, self.config.reference, values.shape[1]
        self._taken += rows
        at, components, known_from = max(self._skip), None, 0
        self._skip = [0] * len(self._skip)
        while at < rows:
            if self._learnt < size:
                at += self._gather(values[:, at:])
                continue
            if components is None:
                known_from, components = at, self._reduced(values[:, at:])
            upto = (at // every + 1) * every
            self._enter(values[:, at:upto], components[at - known_from : upto - known_from])
            at = upto
            if self._entered >= self.config.window and (signal := self._judge(first + at - 1)):
                signals.append(signal)
                if self._state is State.WARMUP:
                    components = None
        if not signals or signals[-1].index < first + rows - 1:
            self._alarm = None
        return signals

    def _columns(self, rows: Sequence[Row]) -> Floats:
        """The values of rows, features by rows; NaN for those that are missing."""
        values, usable = numeric_columns(rows, self.features)
        values[~usable] = np.nan
        return values

    def _gather(self, values: Floats) -> int:
        """Take events for the reference, as many as it lacks; returns how many."""
        n = min(len(values[0]), self.config.reference - self._learnt)
        self._reference[:, self._learnt : self._learnt + n] = values[:, :n]
        self._learnt += n
        if self._learnt == self.config.reference:
            self._learn()
        return n

    def _enter(self, values: Floats, components: Floats) -> None:
        cells = (self._entered + np.arange(len(components))) % self.config.window
        self._values[:, cells] = values
        self._window[cells] = components
        self._entered += len(components)

    def _learn(self) -> None:
        """Make the events gathered the reference."""
        self._learn_ranks()
        components = self._reduced(self._reference)
        self._means = components.mean(axis=0)
        variances, directions = np.linalg.eigh(np.cov(components, rowvar=False))
        kept = variances > max(_LEAST_VARIANCE * float(variances[-1]), 1e-12)
        self._whiten: Floats = directions[:, kept] / np.sqrt(variances[kept])
        peaks = float(np.mean(((components - self._means) @ self._whiten) ** 4)) if kept.any() else _NORMAL_PEAKS
        self._sure = self._as_sure(max(0.0, peaks - _NORMAL_PEAKS))

    def _as_sure(self, excess: float) -> float:
        """The rows of normal values with which Hotelling's distribution is as wide as where the fourth moment is larger
        by `excess`: variances are known less well, and means are not quite normal.
        """
        n, m = self.config.reference, self.config.window
        of_variance = (1.0 + excess / (_NORMAL_PEAKS - 1.0)) / n
        of_means = excess / 6.0 * (n**2 / m + m**2 / n) / (n + m) ** 2  # as Student's distribution has
        return 1.0 / (of_variance + of_means)

    def _learn_ranks(self) -> None:
        for feature, values in enumerate(self._reference):
            points, counts = np.unique(values[np.isfinite(values)], return_counts=True)
            self._grades[feature] = 0.0
            if len(points):
                self._ranks.learn(feature, points)
                upto = np.cumsum(counts)
                slots = np.stack([2 * (upto - counts), 2 * upto - counts], axis=1).reshape(-1) / upto[-1]
                self._grades[feature, : len(slots)] = _UNIT * (slots - 1.0)
                self._grades[feature, len(slots) :] = _UNIT

    def _ranked(self, values: Floats) -> Floats:
        """The ranks of values, features by rows, from -sqrt(3) to sqrt(3); 0 for those that are missing."""
        missing = np.isnan(values)
        ranked: Floats = self._grades.reshape(-1).take(self._ranks.slots(np.where(missing, 0.0, values)))
        ranked[missing] = 0.0
        return ranked

    def _reduced(self, values: Floats) -> Floats:
        """The components of rows: rows by components."""
        ranked = self._ranked(values)
        angles = ranked.T @ self._directions
        found = np.empty((values.shape[1], self._count))
        waves = angles.shape[1]
        found[:, :waves], found[:, waves : 2 * waves] = np.sin(angles), np.cos(angles)
        for index, (one, other) in enumerate(self._pairs):
            found[:, 2 * waves + index] = self._signs[index] @ (ranked[one] * ranked[other])
        return found

    def _compare(self) -> tuple[float, int]:
        """Mahalanobis' distance of the window, and the degrees of freedom."""
        apart = (self._window.mean(axis=0) - self._means) @ self._whiten
        return math.sqrt(float(apart @ apart)), len(apart)

    def _critical(self, freedom: int, share: float) -> float:
        """The least distance to act on; the covariance is that of the reference."""
        rest = max(self._sure - freedom, 1.0) / 2.0
        part = float(special.betaincinv(rest, freedom / 2.0, share))
        return max(math.sqrt((self._sure - 1.0) * (1.0 / part - 1.0)) / self._root, self.config.min_effect)

    def _p_value(self, distance: float, freedom: int) -> float:
        squares = (self._root * distance) ** 2 / (self._sure - 1.0)
        return float(special.betainc(max(self._sure - freedom, 1.0) / 2.0, freedom / 2.0, 1.0 / (1.0 + squares)))

    def _judge(self, index: int) -> Signal | None:
        """Judge the window after a check. After DRIFT it starts anew, with the next row."""
        (distance, freedom), before, config = self._compare(), self._state, self.config
        self._state = State.STABLE
        if freedom and distance >= self._critical(freedom, config.chance(1, freedom)):
            self._state = State.DRIFT
        elif freedom and config.warning_alpha and distance >= self._critical(freedom, config.warning_alpha):
            self._state = State.WARNING
        if self._state is State.STABLE or self._state is before:
            return None
        apart = None if self._outside else self._entered - config.window
        reading = self._explain(self._read(self._state))._replace(apart=apart)
        if self._state is State.DRIFT:
            self._start(0)
            self._alarm = reading
        return Signal(index, reading)

    def _read(self, state: State) -> Reading:
        """The present, with the evidence."""
        config = self.config
        if state is State.WARMUP:
            current = min(self._entered, config.window)
            return Reading(state, reference_n=self._learnt, current_n=current)
        distance, freedom = self._compare()
        first, *others = self._most_moved()
        return Reading(
            state,
            statistic=distance,
            threshold=self._critical(freedom, config.chance(1, freedom)) if freedom else None,
            p_value=self._p_value(distance, freedom) if freedom else 1.0,
            before=first.before,
            after=first.after,
            direction=None if state is State.STABLE else "up" if first.after > first.before else "down",
            reference_n=config.reference,
            current_n=config.window,
            detail="; ".join(part.name for part in (first, *others)),
        )

    def _explain(self, reading: Reading) -> Reading:
        """The present reading, which will be told of, with when the change began and its size.

        Each moment of the window parts the events that came since from all before, the reference among them; it is the
        one at which the means of both are furthest apart, for so many events. As components are reduced to deviations,
        the effect is that of normal ones, their distance less what chance adds to it.
        """
        n, window = self.config.reference, self.config.window
        apart = np.roll((self._window - self._means) @ self._whiten, -(self._entered % window), axis=0)
        since = np.arange(1, window + 1)[:, np.newaxis]
        sums, before = apart[::-1].cumsum(axis=0), n + window - since
        counted = since + _IMAGINED
        gaps = sums / counted - (sums[-1] - sums) / before
        weights = counted * before / (counted + before)
        changed_n = int((weights * (gaps**2).sum(axis=1, keepdims=True)).argmax()) + 1
        means = sums[changed_n - 1] / changed_n
        squared = float(means @ means) - len(means) * (1.0 / n + 1.0 / changed_n)
        effect = math.erf(math.sqrt(max(squared, 0.0)) / math.sqrt(8.0))
        return reading._replace(effect=effect, changed_n=changed_n)

    def _most_moved(self) -> list[_Part]:
        """What changed most, first: features and pairs of them, each feature but once."""
        known, seen = self._ranked(self._reference), self._ranked(self._values)
        before, after = _correlations(known), _correlations(seen)
        means = seen.mean(axis=1)
        moved = np.abs(np.arctanh(after) - np.arctanh(before)) * self._root
        moved[np.diag_indices_from(moved)] = np.abs(means) * self._root
        parts: list[_Part] = []
        while len(parts) < min(_TOLD, len(self.features)) and (moved.max() > 0.0 or not parts):
            one, other = (int(index) for index in np.unravel_index(int(moved.argmax()), moved.shape))
            size = float(moved[one, other])
            if one == other:
                part = _Part(self.features[one], 0.5, float(means[one] / _UNIT + 1.0) / 2.0, size)
            else:
                name = f"correlation of {self.features[one]} and {self.features[other]}"
                part = _Part(name, float(before[one, other]), float(after[one, other]), size)
            if parts and size < max(_CLEAR, parts[0].moved / 2.0):
                break
            parts.append(part)
            for feature in {one, other}:
                moved[feature], moved[:, feature] = 0.0, 0.0
        return parts

    def __getstate__(self) -> dict[str, Any]:
        """What can be made again from the reference is left out."""
        return {name: value for name, value in super().__getstate__().items() if name not in {"_ranks", "_grades"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._derive()
        if self._learnt == self.config.reference:
            self._learn_ranks()


def _components(config: MultivariateConfig, n: int) -> tuple[Floats, list[tuple[Ints, Ints]], list[Floats]]:
    """The directions of waves, features by waves; the pairs of each product, their first and their second features;
    and the weights of the pairs.
    """
    rng = np.random.default_rng([config.seed, n])
    waves, products = config.components // 4, config.components // 2
    directions = rng.normal(size=(n, waves))
    directions *= rng.uniform(_SLOWEST, _FASTEST, size=waves) / np.sqrt((directions**2).sum(axis=0))
    one, other = np.triu_indices(n, k=1)
    if len(one) <= products:
        return directions, [(one[i : i + 1], other[i : i + 1]) for i in range(len(one))], [np.ones(1)] * len(one)
    orders = [rng.permutation(n) for _ in range(products)]
    pairs = [(order[: n // 2], order[n // 2 : n // 2 * 2]) for order in orders]
    return directions, pairs, [rng.choice((-1.0, 1.0), size=n // 2) / math.sqrt(n // 2) for _ in pairs]


def _correlations(ranked: Floats) -> Floats:
    """The correlations of features, features by features; 0 of one that is constant. Never quite 1."""
    apart = ranked - ranked.mean(axis=1, keepdims=True)
    sizes = np.sqrt((apart**2).sum(axis=1))
    apart /= np.where(sizes > 0.0, sizes, 1.0)[:, np.newaxis]
    found: Floats = np.clip(apart @ apart.T, -0.999, 0.999)
    return found
