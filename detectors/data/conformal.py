"""Conformal test martingales: bets against the ranks of new values among all values since the reference began.

Source: Vovk, Petej, Nouretdinov, Ahlberg, Carlsson and Gammerman, "Retrain or not retrain: conformal test martingales
for change-point detection", COPA (2021); Vovk, "Testing randomness online", Statistical Science 36 (2021).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from scipy import special

from detectors.base import Direction, Reading, Row, Signal, State
from detectors.data.blocks import BlockConfig, BlockDetector, stretched
from detectors.data.numbers import Moments, distance_of, moments, numeric_columns
from detectors.data.profiles import quantiles
from detectors.data.windowed import Bools, Floats

Counters: TypeAlias = npt.NDArray[np.uint64]

_ROUND = 4
"""References that fit into a round: so many values are compared with each other before the next round begins."""

_WARNING = 10.0
"""By how much less often than a warning an alarm may be false."""

_SHIFTS = [(sign * size, 1.0) for size in (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0) for sign in (1.0, -1.0)]
_SPREADS = [(0.0, 0.5), (0.0, 0.7), (0.0, 1.4), (0.0, 2.0)]
_BOTH = [(sign * size, spread) for size in (1.0, 2.0) for spread in (0.5, 2.0) for sign in (1.0, -1.0)]
_MEAN, _SPREAD = np.array(_SHIFTS + _SPREADS + _BOTH).T
_BETS = len(_MEAN)
# The density of a normal distribution relative to the standard one is exp(_SQUARE z**2 + _LINEAR z + _CONSTANT).
_SQUARE = 0.5 - 0.5 / _SPREAD**2
_LINEAR = _MEAN / _SPREAD**2
_CONSTANT = -0.5 * (_MEAN / _SPREAD) ** 2 - np.log(_SPREAD)


class ConformalConfig(BlockConfig):
    """Detects values of numeric features that are higher, lower or spread otherwise, with a proven bound on alarms."""

    kind: Literal["conformal"] = "conformal"
    run_length: float = Field(
        100_000.0,
        ge=10,
        le=1e12,
        description="values of a feature that pass on average, at least, before a false alarm for it",
    )
    reference: int = Field(1000, ge=100, le=100_000, description="values of a feature that make up its reference")
    every: int = Field(10, ge=1, le=100, description="events between two checks")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the breaking of ties; the same gives the same readings")

    @model_validator(mode="before")
    @classmethod
    def _stays(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("rolling") is not None:
            raise ValueError(
                "rolling: conformal cannot have it, as its bound on false alarms is that of values compared with all "
                "before them since the reference. Remove it, or use ks, wasserstein, psi or jensen_shannon with it"
            )
        return data


class Conformal(BlockDetector[ConformalConfig]):
    """Memory per feature in proportion to `reference`; a value costs a search in its sorted predecessors.

    Guarantee, for each feature: as long as its values are exchangeable (independent and of one distribution, of
    whatever shape, with ties or without), an alarm comes within t values after the reference with a probability of at
    most t / (2 run_length). So its mean run length is at least `run_length`. A warning is false at most ten times as
    often. Values that depend on those before them, as by the hour of the day, do not fulfil it.

    Why: values are judged in rounds of four references each, before the first of which stands the reference. In a round
    the rank of each value among all before it, with ties broken at random, is independent of the other ranks and
    uniform; so are p-values made of it. A bet is a density on them, so that the product of the bets since any moment is
    a martingale, and the sum of these products over all moments of a round, averaged over the bets (Shiryaev-Roberts),
    is a submartingale with the mean t after t values. It reaches 2 run_length within a round of n values with a
    probability of at most n / (2 run_length); over several rounds these add up, though rounds share their reference.
    The sum starts anew with each round, which bounds memory and how far new values can hide among themselves.

    Bets are made as if p-values were those of normal values that moved, spread or both (on their normal scores): best
    for features that are roughly normal, valid for all. `statistic` is the sum; `before` is of the reference, `after`
    of the newest `current_n` values, those since the change by the weight of each moment in the sum. `direction` is
    that of the most successful bet, None if means and deviations do not bear it out.
    """

    def __init__(self, config: ConformalConfig, features: Sequence[str]) -> None:
        super().__init__(config, features)
        self._threshold = 2.0 * config.run_length
        self._keys = np.array([zlib.crc32(name.encode()) << 32 | config.seed for name in features], dtype=np.uint64)
        self._earlier = np.tri(config.every, k=-1, dtype=np.bool_)
        self.reset()

    @property
    def threshold(self) -> float:
        return self._threshold

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        super().reset()
        n, size = len(self.features), self.config.reference
        self._references = np.zeros((n, size))  # in order once complete
        self._learnt = [0] * n  # values of it
        self._round = np.zeros((n, _ROUND * size))  # values as they came
        self._judged = [0] * n  # values of it
        self._followed = [0] * n  # values since the reference
        self._outside = [False] * n  # whether that is from outside
        self._sorted = np.zeros((n, (1 + _ROUND) * size))  # reference and round, in order
        # Per feature and bet: the weight of a change, and the same times the values since.
        self._bets = np.zeros((2, n, _BETS))
        self._peaks = [0.0] * n  # largest sum since the last check
        self._states = [State.WARMUP] * n

    def preset(self, rows: Sequence[Row]) -> dict[str, int]:
        """Start anew with references out of rows, and say what each feature lacks (see `DataDetector`).

        The guarantee then needs the values of the stream to be exchangeable with those of the rows.
        """
        self.reset()
        if rows:
            values, usable = numeric_columns(rows, self.features)
            for feature in range(len(self.features)):
                self._learn(feature, values[feature], usable[feature])
        self._outside = [learnt == self.config.reference for learnt in self._learnt]
        lacking = zip(self.features, self._learnt, strict=True)
        return {name: self.config.reference - learnt for name, learnt in lacking if learnt < self.config.reference}

    def readings(self) -> dict[str, Reading]:
        """The newest reading of each feature: of the last check, or its progress in the reference."""
        return {
            name: self._alarms[feature] or self._read(feature, self._states[feature])
            for feature, name in enumerate(self.features)
        }

    def _start(self, feature: int) -> None:
        self._learnt[feature] = 0
        self._followed[feature] = 0
        self._outside[feature] = False
        self._states[feature] = State.WARMUP
        self._alarms[feature] = None
        self._begin_round(feature)

    def _begin_round(self, feature: int) -> None:
        self._judged[feature] = 0
        self._sorted[feature, : self.config.reference] = self._references[feature]
        self._bets[:, feature] = 0.0
        self._peaks[feature] = 0.0

    def _take(self, first: int) -> list[Signal]:
        self._alarms = [None] * len(self.features)
        values, usable = numeric_columns(self._block, self.features)
        # The random numbers are numbered as the rows are.
        chance = _uniform(self._keys, np.arange(self._taken, self._taken + len(self._block), dtype=np.uint64))
        self._taken += len(self._block)
        self._leave_out(usable)
        for feature, learnt in enumerate(self._learnt):
            if learnt < self.config.reference:
                self._learn(feature, values[feature], usable[feature])
        judged = np.flatnonzero(usable.any(axis=1)).tolist()
        if not judged:
            return []
        ranges = np.full((2, *values.shape), 0.5)  # in which p-values lie
        for feature in judged:
            own = usable[feature]
            ranges[:, feature, own] = self._compare(feature, values[feature, own])
        low, high = ranges
        self._bet(special.ndtri(low + (high - low) * chance).T, usable.T)
        last = first + len(self._block) - 1
        return [signal for feature in judged if (signal := self._judge(feature, last))]

    def _learn(self, feature: int, values: Floats, usable: Bools) -> None:
        """Take values for the reference, and leave those usable that come after its completion."""
        start, size = self._learnt[feature], self.config.reference
        rows = np.flatnonzero(usable)[: size - start]
        self._learnt[feature] = end = start + len(rows)
        self._references[feature, start:end] = values[rows]
        usable[rows] = False
        if end == size:
            self._references[feature].sort()
            self._begin_round(feature)

    def _compare(self, feature: int, values: Floats) -> tuple[Floats, Floats]:
        """The shares, of each value and all before it, that are less, and that are not more. They are before the next.

        With the position among ties drawn evenly, the p-value is even between the two.
        """
        n = len(values)
        if self._judged[feature] + n > self._round.shape[1]:
            self._begin_round(feature)
        start = self._judged[feature]
        self._judged[feature] = end = start + n
        self._followed[feature] += n
        self._round[feature, start:end] = values
        known = self.config.reference + start
        ordered = self._sorted[feature]
        less = ordered[:known].searchsorted(values, side="left")
        upto = ordered[:known].searchsorted(values, side="right")
        earlier = self._earlier[:n, :n]
        less += (earlier & (values < values[:, np.newaxis])).sum(axis=1)
        upto += (earlier & (values <= values[:, np.newaxis])).sum(axis=1)
        ordered[known : known + n] = values
        ordered[: known + n].sort(kind="stable")  # nearly in order, which this kind makes use of
        counts = np.arange(known + 1, known + n + 1)
        return less / counts, (upto + 1) / counts

    def _bet(self, scores: Floats, usable: Bools) -> None:
        """Let all features make their bets on the scores of a block, rows by features."""
        z = scores[:, :, np.newaxis]
        likelihoods = np.exp((_SQUARE * z + _LINEAR) * z + _CONSTANT)
        likelihoods[~usable] = 1.0
        counted = usable[:, :, np.newaxis].astype(np.float64)
        stakes = counted / _BETS
        bets, sums = self._bets, np.zeros(scores.shape)
        weights, lengths = bets
        for row in range(len(scores)):
            weights += stakes[row]
            lengths += counted[row] * weights
            bets *= likelihoods[row]
            weights.sum(axis=1, out=sums[row])
        self._peaks = sums.max(axis=0).tolist()

    def _judge(self, feature: int, index: int) -> Signal | None:
        """Judge a feature after a block. After DRIFT it starts anew, with the next row."""
        before, peak = self._states[feature], self._peaks[feature]
        if peak * _WARNING < self._threshold:
            self._states[feature] = State.STABLE
            return None
        state = self._states[feature] = State.DRIFT if peak >= self._threshold else State.WARNING
        if state is before:
            return None
        reading = self._explain(feature, self._read(feature, state))
        learnt = 0 if self._outside[feature] else self._learnt[feature]
        rows = stretched(reading, self._taken - self._began[feature], learnt + self._followed[feature])
        if state is State.DRIFT:
            self._start(feature)
            self._began[feature] = self._taken
            self._alarms[feature] = reading
        return Signal(index, reading, self.features[feature], rows=rows)

    def _read(self, feature: int, state: State) -> Reading:
        """The present of a feature, with the evidence."""
        if state is State.WARMUP:
            return Reading(state, reference_n=self._learnt[feature])
        weights, lengths = self._bets[:, feature]
        judged = self._judged[feature]
        current = min(judged, max(1, round(float(lengths.sum() / weights.sum()))))
        best = int(weights.argmax())
        known = moments(self._references[feature])
        seen = moments(self._round[feature, judged - current : judged])
        direction, which = (None, 0) if state is State.STABLE else _borne_out(best, known, seen)
        return Reading(
            state,
            statistic=self._peaks[feature],
            threshold=self._threshold,
            before=known[which],
            after=seen[which],
            direction=direction,
            reference_n=self.config.reference,
            current_n=current,
        )

    def _explain(self, feature: int, reading: Reading) -> Reading:
        """The present reading of a feature, which will be told of, with what is said of a change."""
        reference, judged = self._references[feature], self._judged[feature]
        values = np.sort(self._round[feature, judged - reading.current_n : judged])
        return reading._replace(
            effect=distance_of(reference, values),
            changed_n=reading.current_n,
            apart=None if self._outside[feature] else self._followed[feature] - reading.current_n,
            known=quantiles(reference),
            seen=quantiles(values),
        )

    def __getstate__(self) -> dict[str, Any]:
        """The order of values can be made again."""
        return {name: value for name, value in super().__getstate__().items() if name != "_sorted"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        size = self.config.reference
        self._sorted = np.concatenate([self._references, self._round], axis=1)
        for feature, judged in enumerate(self._judged):
            self._sorted[feature, : size + judged].sort()


def _borne_out(bet: int, known: Moments, seen: Moments) -> tuple[Direction | None, int]:
    """The direction a bet was made on, and the moment that shows it; None and the means if neither does."""
    if _MEAN[bet] and (seen[0] > known[0]) == (_MEAN[bet] > 0.0) and seen[0] != known[0]:
        return ("up" if _MEAN[bet] > 0.0 else "down"), 0
    if _SPREAD[bet] != 1.0 and (seen[1] > known[1]) == (_SPREAD[bet] > 1.0) and seen[1] != known[1]:
        return ("wider" if _SPREAD[bet] > 1.0 else "narrower"), 1
    return None, 0


def _uniform(keys: Counters, counters: Counters) -> Floats:
    """Random numbers between 0 and 1, exclusive, keys by counters, each by its key and counter alone.

    Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA (2014).
    """
    mixed = _mix(_mix(keys)[:, np.newaxis] + (counters + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def _mix(numbers: Counters) -> Counters:
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
