"""Shiryaev-Roberts on the means of blocks, whose level and spread are learnt: for values that depend on each other.

Sources: Shiryaev (1963) and Roberts (1966), whose sum of likelihood ratios, less the number of terms, is a martingale
as long as nothing changes; Pollak and Siegmund, "Sequential detection of a change in a normal mean when the initial
value is unknown", Annals of Statistics 19 (1991); Quesenberry, "SPC Q charts for start-up processes and short or long
runs", Journal of Quality Technology 23 (1991), whose scores are the standard here.
"""

from __future__ import annotations

import math
from statistics import median
from typing import NamedTuple, Self

from pydantic import Field, model_validator
from scipy import special

from detectors.base import Direction, Reading, State
from detectors.local_time import Period, Timezone
from detectors.settings import DetectorConfig

REFERENCE = 28
"""Newest blocks by which level and spread are judged: of days, four weeks."""

_SHIFTS = (1.0, 2.0, 3.0)
"""Changes that are bet on alike, in standard deviations of block means."""

_BLOCKS, _POWER = 7.43, 0.789
"""Blocks per false rise are the first, times the threshold to the power of the second: fitted by
scripts/calibrate_blocks.py. For exact scores they would grow as the threshold does; with a spread that is itself found
from a few blocks, great scores are too frequent."""

_WARNING = 10.0
"""By how much less often than a warning an alarm may be false."""

_MAD = 1.4826
"""Standard deviations of normal values per median absolute deviation."""

_EFFICIENCY = 0.37
"""What the median absolute deviation of normal values tells of their spread, of what the standard deviation tells."""

_FEWEST = 10
"""Blocks per false alarm, at least: fewer could not be told from no rule at all."""

_LEAST = 0.5
"""Spread of block means, at least, in that of means of independent values: chance can make a few blocks agree."""

_FEW = 5
"""Blocks whose median is a level."""

_LARGEST_SCORE = 8.0
_ROUNDING = 1e-9


class BlockMeansConfig(DetectorConfig):
    """Common to detectors on blocks."""

    run_length: float
    block: int | Period
    timezone: Timezone = "UTC"
    warmup: int = Field(
        7, ge=5, le=REFERENCE, description="blocks from which the usual level and spread are learnt before judging"
    )

    @model_validator(mode="after")
    def _blocks_fit(self) -> Self:
        """Blocks of so few or so many values are no blocks, and enough of them have to make up the run length."""
        block, run_length = self.block, self.run_length
        if isinstance(block, str):
            return self
        if not 10 <= block <= 1_000_000:
            raise ValueError(
                f"block: got {block}; expected 10 to 1000000 values, whose mean says something and comes in time, or "
                "one of hour, day, week"
            )
        if run_length < _FEWEST * block:
            raise ValueError(
                f"run_length: got {run_length:,.0f} along with block={block}; expected at least {_FEWEST * block:,}, "
                f"{_FEWEST} blocks. Raise it or lower block"
            )
        return self


class Block(NamedTuple):
    """How many values, their mean, and their variance around it."""

    n: int
    mean: float
    variance: float


class Verdict(NamedTuple):
    """What a block brought: how far a rise (`up`) or fall is from being certain, and what lies before and after it.

    `statistic` reaches `threshold` at an alarm. `newest_n` are the values of the newest block, `after_n` those
    since the change; `deviation` is that of single values, within and between blocks. Where a change is told of,
    `before` leaves out the blocks since then.
    """

    up: bool
    statistic: float
    threshold: float
    before: float
    after: float
    before_n: int
    after_n: int
    newest_n: int
    deviation: float

    @property
    def certain(self) -> bool:
        """Whether it is an alarm."""
        return self.statistic >= self.threshold

    @property
    def likely(self) -> bool:
        """Whether it is worth a warning."""
        return self.statistic * _WARNING >= self.threshold and self.up == (self.after > self.before)

    def reading(self, state: State, rise: Direction, fall: Direction, effect: float) -> Reading:
        """The reading of a detector with this verdict; `rise` and `fall` are its words for the directions."""
        told = state is not State.STABLE or self.certain
        return Reading(
            state,
            statistic=self.statistic,
            threshold=self.threshold,
            before=self.before,
            after=self.after,
            direction=None if not told else rise if self.up else fall,
            reference_n=self.before_n,
            current_n=self.newest_n,
            effect=effect if told else None,
            changed_n=self.after_n if told else None,
        )


class _Side:
    """The evidence for a change in one direction: per size of change, the weight of all moments at which it may have
    begun, and the same times the values since and times their sum.
    """

    def __init__(self, sign: float) -> None:
        self._sign = sign
        self.clear()

    def clear(self) -> None:
        self._bets = [(0.0, 0.0, 0.0)] * len(_SHIFTS)

    def take(self, block: Block, score: float) -> float:
        """Take a block and its standard score; return the statistic."""
        share, total = 1.0 / len(_SHIFTS), block.n * block.mean
        for index, shift in enumerate(_SHIFTS):
            weight, values, sums = self._bets[index]
            ratio = math.exp(shift * self._sign * score - shift * shift / 2.0)
            weight += share
            self._bets[index] = (weight * ratio, (values + block.n * weight) * ratio, (sums + total * weight) * ratio)
        return sum(weight for weight, _, _ in self._bets)

    def since(self) -> tuple[int, float]:
        """How many values there are since the change, and their mean, by the weights of moments in the best bet."""
        weight, values, sums = max(self._bets)
        return max(1, round(values / weight)), sums / values


class BlockMeans:
    """Judges each block against up to `REFERENCE` before it, once there are `warmup` of them. O(1) memory.

    A block mean's score is its distance from the median of theirs in units of their spread, by the median absolute
    deviation, so that a few exceptional blocks do not pass for usual; the score of Student's distribution with the
    degrees of freedom that this spread is worth is made standard normal. The spread is taken to be at least half of
    what the values within blocks would bring about if they were independent.

    After a change it rests for `warmup` blocks. If these then look like those before the change, which was a spell
    and is over, what was usual goes on to be; else they make up what is usual.

    Guarantee: for independent normal block means `run_length` values pass on average, by calibration, before a rise
    is found; as many before a fall. Block means are the more normal and independent the longer blocks are.
    """

    def __init__(self, warmup: int) -> None:
        self._warmup = warmup
        self.reset()

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        self._usual: list[Block] = []  # the newest
        self._fresh: list[Block] = []  # since the beginning, or the last change
        self._rests = True
        self._rise, self._fall = _Side(1.0), _Side(-1.0)

    @property
    def rests(self) -> bool:
        """Whether blocks are taken without being judged."""
        return self._rests

    @property
    def known_n(self) -> int:
        """Values in the blocks by which others are, or will be, judged."""
        return sum(block.n for block in (self._fresh if self._rests else self._usual))

    def take(self, block: Block, run_length: float) -> Verdict | None:
        """Take a block; return the more certain of rise and fall, or None while it rests. After a certain one it rests.

        `run_length` is in values.
        """
        if self._rests:
            self._fresh.append(block)
            if len(self._fresh) == self._warmup:
                self._settle()
            return None
        level, deviation, score = self._score(block)
        threshold = self._threshold(run_length)
        rise, fall = self._rise.take(block, score), self._fall.take(block, score)
        up = rise >= fall
        after_n, after = (self._rise if up else self._fall).since()
        verdict = Verdict(up, max(rise, fall), threshold, level, after, self.known_n, after_n, block.n, deviation)
        if verdict.certain or verdict.likely:
            before = self._before(after_n - block.n)
            if before is not None and (after > before) is up:
                verdict = verdict._replace(before=before)
        if verdict.certain:
            self._rests = True
            self._rise.clear()
            self._fall.clear()
        else:
            self._remember([block])
        return verdict

    def _settle(self) -> None:
        """Decide what is usual after a rest."""
        self._rests = False
        if self._usual:
            level, spread = _level_and_spread(self._usual)
            if abs(median(block.mean for block in self._fresh) - level) > spread:
                self._usual = []
        self._remember(self._fresh)
        self._fresh = []

    def _remember(self, blocks: list[Block]) -> None:
        self._usual = [*self._usual, *blocks][-REFERENCE:]

    def _before(self, changed: int) -> float | None:
        """The level of the usual blocks without the newest ones, which have so many changed values; None if too few are
        left.
        """
        blocks = self._usual
        while changed > 0 and blocks:
            changed -= blocks[-1].n
            blocks = blocks[:-1]
        return median(block.mean for block in blocks) if len(blocks) >= _FEW else None

    def _threshold(self, run_length: float) -> float:
        """The statistic from which a change is certain."""
        size = self.known_n / len(self._usual)
        return max(1.0, math.pow(run_length / size / _BLOCKS, 1.0 / _POWER))

    def _score(self, block: Block) -> tuple[float, float, float]:
        """Of what is usual the level and the deviation of single values; and the standard score of a block."""
        n = len(self._usual)
        level, spread = _level_and_spread(self._usual)
        within = (sum(one.variance for one in self._usual) + block.variance) / (n + 1)
        deviation = math.sqrt(within + spread * spread)
        spread = max(spread, math.sqrt(within / block.n) * _LEAST)
        distance = block.mean - level
        if abs(distance) <= _ROUNDING * max(abs(level), abs(block.mean)):
            return level, deviation, 0.0
        if spread == 0.0:
            return level, deviation, math.copysign(_LARGEST_SCORE, distance)
        # The median of n normal values has a variance of pi / 2 / n, in that of one.
        student = abs(distance) / (spread * math.sqrt(1.0 + math.pi / 2.0 / n))
        rarity = float(special.stdtr(max(1.5, _EFFICIENCY * (n - 1)), -student))
        score = -float(special.ndtri(rarity)) if rarity > 0.0 else _LARGEST_SCORE
        return level, deviation, math.copysign(min(score, _LARGEST_SCORE), distance)


def _level_and_spread(blocks: list[Block]) -> tuple[float, float]:
    """Median and scaled median absolute deviation of block means."""
    means = [block.mean for block in blocks]
    level = median(means)
    n = len(means)
    return level, _MAD * n / (n - 0.8) * median(abs(mean - level) for mean in means)
