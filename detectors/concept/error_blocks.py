"""Errors in blocks: for errors that depend on those before them, as by weather or by bursts of similar events.

Sources: see `detectors.block_means`; batch means against dependence: Conway, "Some tactical problems in digital
simulation", Management Science 10 (1963); Runger and Willemain, "Model-based and model-free control of autocorrelated
processes", Journal of Quality Technology 27 (1995).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from detectors.base import ConceptDetector, Reading, State
from detectors.block_means import Block, BlockMeans, BlockMeansConfig, Verdict
from detectors.local_time import Period


class ErrorBlocksConfig(BlockMeansConfig):
    """Detects a rise of the mean error against what blocks of errors vary by anyhow, whatever makes them vary."""

    kind: Literal["error_blocks"] = "error_blocks"
    run_length: float = Field(100_000.0, ge=10, le=1e12, description="errors that pass on average before a false alarm")
    block: int | Period = Field(
        200,
        description="what makes up a block: so many errors (from 10), or those of events of one hour, day or week; "
        "longer than errors depend on each other",
    )


class ErrorBlocks(ConceptDetector[ErrorBlocksConfig]):
    """O(1) time per error, and memory for 28 block means. Errors may have any scale.

    Guarantee: if block means are independent and normal, `run_length` errors pass on average before a false alarm (see
    `BlockMeans`); nothing is asked of errors within a block. A change is seen at the end of a block. A spell that goes
    by leaves what is usual as it was; a lasting change is learnt, in `warmup` blocks.

    Where blocks are of time, the owner says when one ends (`end_block`), as a detector knows no time. `statistic` is
    the sum of likelihood ratios over all moments and sizes of the change, `before` the median of the usual block means
    (of a change without those since then), `after` the mean since the change, `current_n` the values of the newest
    block.
    """

    def __init__(self, config: ErrorBlocksConfig) -> None:
        self._full = config.block if isinstance(config.block, int) else 0
        self._blocks = BlockMeans(config.warmup)
        super().__init__(config)

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        self._blocks.reset()
        super().reset()

    def _forget(self) -> None:
        # What blocks know stands: after a change they decide themselves how much of it goes on to hold.
        self._count, self._sum, self._squares = 0, 0.0, 0.0
        self._verdict: Verdict | None = None
        self._level = State.WARMUP

    def end_block(self) -> Reading | None:
        """The errors taken since the last block are one; return the reading if it is a DRIFT or enters WARNING."""
        if not self._count:
            return None
        last, self._state = self._state, self._take()
        news = self._state is State.DRIFT or (self._state is State.WARNING and last is not State.WARNING)
        return self._read(self._state) if news else None

    def _update(self, error: float) -> State:
        self._n += 1
        self._count += 1
        self._sum += error
        self._squares += error * error
        return self._take() if self._count == self._full else self._level

    def _take(self) -> State:
        """Judge the block that has just ended."""
        n = self._count
        mean = self._sum / n
        block = Block(n, mean, max(0.0, self._squares / n - mean * mean))
        self._count, self._sum, self._squares = 0, 0.0, 0.0
        verdict = self._verdict = self._blocks.take(block, self.config.run_length)
        if verdict is None:
            self._level = State.WARMUP
        elif verdict.certain:
            state = State.DRIFT if verdict.up else State.STABLE
            return self._conclude(_reading(state, verdict))
        else:
            self._level = State.WARNING if verdict.up and verdict.likely else State.STABLE
        return self._level

    def _describe(self, state: State) -> Reading:
        if self._verdict is None:
            return Reading(state, current_n=self._blocks.known_n + self._count)
        return _reading(state, self._verdict)


def _reading(state: State, verdict: Verdict) -> Reading:
    return verdict.reading(state, "worse", "better", effect=abs(verdict.after - verdict.before))
