"""Features in blocks: for values that depend on those before them, as the weather of an hour does on that before.

Sources: see `detectors.block_means`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from detectors.base import LARGEST_ERROR, DataDetector, Reading, Row, Signal, State
from detectors.block_means import Block, BlockMeans, BlockMeansConfig, Verdict
from detectors.data.blocks import FeaturesConfig, looked_at, stretched
from detectors.data.numbers import numeric_columns
from detectors.local_time import Period

_AT_ONCE = 64
"""Rows that are added up at once."""


class FeatureBlocksConfig(BlockMeansConfig, FeaturesConfig):
    """Detects that the mean of a numeric feature has left the range in which blocks of values vary anyhow."""

    kind: Literal["feature_blocks"] = "feature_blocks"
    run_length: float = Field(
        100_000.0, ge=10, le=1e12, description="values of a feature that pass on average before a false alarm"
    )
    block: int | Period = Field(
        200,
        description="what makes up a block: so many events (from 10), or those of one hour, day or week; longer than "
        "values depend on each other",
    )


class FeatureBlocks(DataDetector[FeatureBlocksConfig]):
    """O(1) time per value, and memory for 28 block means of each feature.

    Guarantee, for each feature: if block means are independent and normal, `run_length` of its values pass on average
    before a false alarm, rise or fall (see `BlockMeans`). A spell that goes by leaves what is usual as it was; a
    lasting change is learnt, in `warmup` blocks. A block in which a feature has no usable value is none for it.

    Where blocks are of time, the owner says when one ends (`end_block`), as a detector knows no time. `statistic` is
    the sum of likelihood ratios over all moments and sizes of the change, `before` the median of the usual block means
    (of a change without those since then), `after` the mean since the change, `current_n` the values of the newest
    block, `effect` the Kolmogorov-Smirnov distance that this is for normal values.
    """

    def __init__(self, config: FeatureBlocksConfig, features: Sequence[str]) -> None:
        super().__init__(config, features)
        self._blocks = [BlockMeans(config.warmup) for _ in self.features]
        self.reset()

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        n = len(self.features)
        self._rows: list[Row] = []  # of the present block, not added up yet
        self._taken = 0  # rows of the present block that are
        self._skip = [0] * n  # waiting rows that came before the feature was rebased
        self._counts = np.zeros(n, dtype=np.int64)
        self._sums = np.zeros((2, n))  # of values and of squares
        self._readings = [Reading(State.WARMUP)] * n  # of the last block
        self._of_all = 0  # rows of all blocks
        self._values = [0] * n  # values of all blocks
        for blocks in self._blocks:
            blocks.reset()

    def _rebase(self, feature: int) -> None:
        self._blocks[feature].reset()
        self._skip[feature] = len(self._rows)
        self._counts[feature] = 0
        self._sums[:, feature] = 0.0
        self._readings[feature] = Reading(State.WARMUP)

    def observe(self, rows: Sequence[Row]) -> list[Signal]:
        """Take a span of rows; return a signal, with its feature, for every DRIFT and every entry into WARNING."""
        full = self.config.block if isinstance(self.config.block, int) else math.inf
        signals: list[Signal] = []
        for index, row in enumerate(rows):
            self._rows.append(row)
            if self._taken + len(self._rows) == full:
                signals += self.end_block(index)
            elif len(self._rows) == _AT_ONCE:
                self._add_up()
        return signals

    def readings(self) -> dict[str, Reading]:
        """The newest reading of each feature: of the last block, or its progress in learning what is usual."""
        return dict(zip(self.features, self._readings, strict=True))

    def end_block(self, index: int) -> list[Signal]:
        """The rows taken since the last block are one; return the signals, at position `index` of a span."""
        self._add_up()
        self._of_all += self._taken
        self._taken = 0
        n = np.maximum(self._counts, 1)
        means = self._sums[0] / n
        variances = np.maximum(self._sums[1] / n - means * means, 0.0)
        blocks = [Block(*of) for of in zip(self._counts.tolist(), means.tolist(), variances.tolist(), strict=True)]
        self._counts[:] = 0
        self._sums[:] = 0.0
        judged = [self._judge(feature, block, index) for feature, block in enumerate(blocks) if block.n]
        return [signal for signal in judged if signal is not None]

    def _add_up(self) -> None:
        """Add the waiting rows to the sums of the block."""
        if not self._rows:
            return
        values, usable = numeric_columns(self._rows, self.features)
        for feature, skipped in enumerate(self._skip):
            usable[feature, :skipped] = False
        np.clip(values, -LARGEST_ERROR, LARGEST_ERROR, out=values)
        values[~usable] = 0.0
        self._counts += usable.sum(axis=1)
        self._sums += values.sum(axis=1), (values * values).sum(axis=1)
        self._taken += len(self._rows)
        self._skip = [0] * len(self._skip)
        self._rows = []

    def _judge(self, feature: int, block: Block, index: int) -> Signal | None:
        self._values[feature] += block.n
        blocks, before = self._blocks[feature], self._readings[feature].state
        verdict = blocks.take(block, 2.0 * self.config.run_length)  # half of the false alarms are rises, half are falls
        if verdict is None:
            self._readings[feature] = Reading(State.WARMUP, reference_n=blocks.known_n)
            return None
        state = State.DRIFT if verdict.certain else State.WARNING if verdict.likely else State.STABLE
        reading = verdict.reading(state, "up", "down", _effect(verdict))
        self._readings[feature] = reading
        if state is State.DRIFT or (state is State.WARNING and before is not State.WARNING):
            rows = stretched(reading, self._of_all, self._values[feature])
            return Signal(index, reading, self.features[feature], rows=rows)
        return None

    def __getstate__(self) -> dict[str, Any]:
        """Of the rows that wait, only what will be looked at is kept."""
        return {**self.__dict__, "_rows": looked_at(self._rows, self.features)}


def _effect(verdict: Verdict) -> float:
    """The largest distance between the distribution functions of normal values whose means are so far apart."""
    apart = abs(verdict.after - verdict.before)
    return math.erf(apart / verdict.deviation / math.sqrt(8.0)) if verdict.deviation else float(apart > 0.0)
