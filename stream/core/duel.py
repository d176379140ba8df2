"""Duel of two models on the same labelled events: is the challenger better, at any time one cares to look?

Each pair of losses is a round of a game that nobody can expect to win while the challenger is no better. The wealth of
a gambler who began with 1 is the evidence (an e-value) that it is: it ever reaches 1/alpha with a probability of at
most alpha, however often one looks.

Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024); Choe and
Ramdas, "Comparing sequential forecasters", Operations Research 72 (2024), for averages that change; Shin, Ramdas and
Rinaldo, "E-detectors", New England Journal of Statistics in Data Science 2 (2023), for sums over all starts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

BLOCK = 50
"""Labels that are taken at once. A stretch begins at the first label of a block."""

_BETS = 0.95 * 0.5 ** np.arange(6)
"""Shares of the wealth that are lost in the worst round. The best one is the mean gap by its mean square, over the
bound: a larger edge, or a steadier one, bears larger bets. One that is twice too small or large costs a quarter."""

_LOG_PRIOR = np.log((1.0 / np.arange(1, 7)) / (1.0 / np.arange(1, 7)).sum())
"""What is put on each bet, most on the largest: models differ little on most events, which bears those."""

_AT_ONCE = 0.5
"""What is put on the stretch that begins with the first label: that the challenger is better from the start."""

_SOON = 10.0
"""Half of the rest is put on stretches that begin within so many blocks. Later ones get ever less, and none nothing."""

_REACH = 8.0
"""Losses without a bound are cut off at so many mean losses of the better model. At twice as many, a better challenger
takes half as long again to be found out."""

_MEMORY = 8
"""Blocks over which these means are taken."""

_K = len(_BETS)
_OWN = (np.arange(2)[:, None], np.arange(_K), np.arange(2)[:, None], np.arange(_K))
"""In `_Books.wealth`, what each bet has made since its own best start."""
_NOTHING = np.full((2, _K), -np.inf)


class _Stretch(NamedTuple):
    """Labels up to now: their number, the sums of both models' losses, and what speaks for either.

    `wealth` (2 x bets) is the logarithm of what each bet has made of 1 since, on challenger and champion, `log_stake`
    that of what was put on this start, and `worth` that of what this is now, in bets on the side it speaks for.
    """

    labels: int
    champion: float
    challenger: float
    log_stake: float
    wealth: Floats
    worth: float


class _Books(NamedTuple):
    """What is known after so many labels. Wealth is told by its logarithm.

    `scale` is the largest loss there can be, None while it is not known. `total` (2 x bets) is what all `starts` have
    made together, beyond the margin, on challenger and champion. For each of these bets there is the start that has
    done best by it: `log_stakes` (2 x bets) is what was put on that start, `wealth` (2 x bets x 2 x bets) what each bet
    has made of 1 since, and `sums` (2 x bets x 3) the labels and both losses since.
    """

    scale: float | None
    starts: int
    total: Floats
    log_stakes: Floats
    wealth: Floats
    sums: Floats

    def evidence(self, side: int) -> float:
        """The logarithm of all the wealth of one side, with what is kept for starts to come."""
        return float(np.logaddexp(_log_sum(_LOG_PRIOR + self.total[side]), math.log(_unstaked(self.starts))))

    def stretch(self, side: int) -> _Stretch:
        """The stretch that speaks most clearly for one side."""
        worth = self.log_stakes[side] + np.logaddexp.reduce(_LOG_PRIOR + self.wealth[side, :, side], axis=-1)
        best = int(worth.argmax())
        labels, champion, challenger = self.sums[side, best].tolist()
        stake, wealth = float(self.log_stakes[side, best]), self.wealth[side, best]
        return _Stretch(int(labels), champion, challenger, stake, wealth, float(worth[best]))

    def deciding(self) -> _Stretch:
        """The stretch that counts: the later of both sides' if it is evidence by itself, else the clearer."""
        sides = self.stretch(0), self.stretch(1)
        later = min(sides, key=lambda found: found.labels)
        return later if later.worth > 0.0 else max(sides, key=lambda found: found.worth)


class Duel:
    """Compares two models by their losses on the same events. O(1) time and memory per label, and a small pickle.

    **What is proven.** Let d be the champion's loss, less its share `margin`, minus the challenger's, and m the mean of
    d given all the losses recorded before. With a probability of at least 1 - alpha, whenever `evidence` is 1/alpha or
    more, there is a stretch of labels that ends now over which the average of m is positive: over which the
    challenger's expected loss was smaller by the margin. Losses may depend on each other, drift, jump, and come late;
    nothing is asked of them but their bound. It is not said that the challenger is better from here on, nor on each
    event, and evidence fades when it no longer is. `evidence_against` says the same with the roles exchanged.

    Why: a bet b in (0, 1) on the challenger multiplies its wealth by 1 + b d / bound. The product of these over that of
    1 + b m / bound is a martingale, and the latter is at most exp(b sum(m) / bound), so at most 1 where the average of
    m is not positive. The mixture of all bets and all starts, with stakes set beforehand that add up to 1, is thus at
    most a martingale wherever no stretch that ends now has a positive average; Ville's inequality does the rest. Bets
    do not depend on the event: they weigh all events alike, so that a challenger that is better on most and much worse
    on few does not pass for better.

    Losses without a bound (absolute errors) are cut off at a scale, which is eight times the mean loss of the better
    model in the last blocks: known before the losses that it is used for. What is proven is then about losses that are
    cut off and counted in scales, and `better` asks for a smaller mean of the uncut losses besides. The first block
    only teaches the scale. A loss that is not finite counts as the largest.
    """

    def __init__(self, bound: float | None, margin: float = 0.0) -> None:
        """`bound` is the largest possible loss (Brier score: 1, of several classes 2), or None if there is none.

        `margin`, in [0, 1), is the improvement that is worth a swap, as a share of the loser's loss.
        """
        if bound is not None and not 0.0 < bound < math.inf:
            raise ValueError(f"bound is {bound}; expected a positive number, or None for losses without a bound")
        if not 0.0 <= margin < 1.0:
            raise ValueError(f"margin is {margin}; expected a share of the loss, at least 0 and below 1")
        self._bounded = bound is not None
        self._margin = margin
        self._whole = 0  # labels in the books
        self._books = _Books(bound, 0, _NOTHING, _NOTHING, np.zeros((2, _K, 2, _K)), np.zeros((2, _K, 3)))
        self._champion: list[float] = []  # losses that wait for their block to be full
        self._challenger: list[float] = []

    @property
    def n(self) -> int:
        """Labels compared."""
        return self._whole + len(self._champion)

    @property
    def stretch(self) -> int:
        """The number of latest labels that count: they speak most clearly for one side, none since for the other."""
        return self._now().deciding().labels

    def record(self, champion: Sequence[float], challenger: Sequence[float]) -> None:
        """Add the losses of both on the same events, in the order in which their labels came."""
        if len(champion) != len(challenger):
            raise ValueError(f"got {len(champion)} losses of the champion and {len(challenger)} of the challenger")
        self._champion += champion
        self._challenger += challenger
        while len(self._champion) >= BLOCK:
            self._books = self._after(self._champion[:BLOCK], self._challenger[:BLOCK])
            self._whole += BLOCK
            del self._champion[:BLOCK], self._challenger[:BLOCK]

    def means(self) -> tuple[float, float]:
        """Mean losses of champion and challenger over the `stretch`; 0 before the first label."""
        found = self._now().deciding()
        labels = max(1, found.labels)
        return found.champion / labels, found.challenger / labels

    def evidence(self) -> float:
        """How many times its stake a bet on the challenger has become; 1 at first, and at most about 1e304."""
        return math.exp(min(self._now().evidence(0), 700.0))

    def evidence_against(self) -> float:
        """The same of a bet on the champion."""
        return math.exp(min(self._now().evidence(1), 700.0))

    def better(self, alpha: float) -> bool:
        """Whether the challenger is proven better, by the margin, with an error probability of at most `alpha`.

        If the champion is so as well, in its own stretch, the stretch that began later counts.
        """
        return self._wins(0, alpha)

    def worse(self, alpha: float) -> bool:
        """Whether the champion is proven better in the same sense."""
        return self._wins(1, alpha)

    def interval(self, alpha: float) -> tuple[float, float]:
        """Where the champion's minus the challenger's mean loss over the `stretch` lies, whatever the margin.

        More exactly the average of its means given the losses before. With a probability of at least 1 - `alpha` that
        holds at all times and for all stretches at once. Of losses without a bound, they are cut off, and averaged in
        scales; it is told in scales of now.
        """
        books = self._now()
        scale, found = books.scale, books.deciding()
        if scale is None or found.labels == 0 or math.isinf(found.log_stake):
            return -math.inf if scale is None else -scale, math.inf if scale is None else scale
        needed = math.log(2.0 / alpha) - found.log_stake
        low, high = ((_LOG_PRIOR + found.wealth - needed) / (_BETS * found.labels)).max(axis=1)
        return max(-1.0, float(low)) * scale, min(1.0, -float(high)) * scale

    def _wins(self, side: int, alpha: float) -> bool:
        books, needed = self._now(), -math.log(alpha)
        if books.evidence(side) < needed:
            return False
        own, other = books.stretch(side), books.stretch(1 - side)
        if books.evidence(1 - side) >= needed and own.labels >= other.labels:
            return False
        gap = (1.0 - self._margin) * (own.champion, own.challenger)[side] - (own.challenger, own.champion)[side]
        return self._bounded or gap > 0.0

    def _now(self) -> _Books:
        """The books with the labels that wait."""
        return self._after(self._champion, self._challenger) if self._champion else self._books

    def _after(self, champion: Sequence[float], challenger: Sequence[float]) -> _Books:
        """The books after a block, or a part of one."""
        books, losses = self._books, np.array((champion, challenger), dtype=float)
        if books.scale is None:
            return self._taught(losses)
        scale = books.scale
        losses = np.where(np.isfinite(losses), losses, scale)
        gains = _gains(np.clip(losses / scale, 0.0, 1.0), self._margin)
        log_stake = math.log(_unstaked(books.starts) - _unstaked(books.starts + 1))
        old = books.log_stakes + books.wealth[_OWN] >= log_stake
        if not self._bounded and len(champion) == BLOCK:
            scale = _rescaled(scale, books.starts + 1, losses)
        return _Books(
            scale=scale,
            starts=books.starts + 1,
            total=np.logaddexp(books.total, log_stake) + gains[2:],
            log_stakes=np.where(old, books.log_stakes, log_stake),
            wealth=np.where(old[..., None, None], books.wealth, 0.0) + gains[:2],
            sums=np.where(old[..., None], books.sums, 0.0) + _sums(losses),
        )

    def _taught(self, losses: Floats) -> _Books:
        """The books after losses that teach the scale, as far as they do."""
        losses = np.where(np.isfinite(losses), losses, 0.0)
        mean = _lesser_mean(losses) if losses.shape[1] == BLOCK else None
        scale = None if mean is None else _REACH * mean
        return self._books._replace(scale=scale, sums=self._books.sums + _sums(losses))


def _unstaked(starts: int) -> float:
    """What is kept for stretches that are yet to begin, after so many starts."""
    return 1.0 if starts == 0 else (1.0 - _AT_ONCE) * _SOON / (_SOON + starts - 1)


def _gains(losses: Floats, margin: float) -> Floats:
    """By what the logarithms of wealth grow: on challenger and champion, then the same beyond the margin (4 x bets).

    `losses` (2 x labels) are in [0, 1].
    """
    champion, challenger = losses
    less = (1.0 - margin) * losses
    gaps = np.array((champion - challenger, challenger - champion, less[0] - challenger, less[1] - champion))
    gains: Floats = np.log(np.prod(1.0 + _BETS[:, None] * gaps[:, None, :], axis=-1))
    return gains


def _sums(losses: Floats) -> Floats:
    """The number of labels, and the sums of both losses."""
    return np.array((losses.shape[1], *losses.sum(axis=1)))


def _rescaled(scale: float, blocks: int, losses: Floats) -> float:
    """The scale after one more block, in which losses beyond it count as itself."""
    mean = _lesser_mean(np.minimum(losses, scale))
    return scale if mean is None else scale + (_REACH * mean - scale) / min(blocks + 1, _MEMORY)


def _lesser_mean(losses: Floats) -> float | None:
    """The mean loss of the better model, of the other one if that is 0; None if both are."""
    means: list[float] = losses.mean(axis=1).tolist()
    return min((mean for mean in means if mean > 0.0), default=None)


def _log_sum(logs: Floats) -> float:
    """The logarithm of the sum of what these are logarithms of."""
    return float(np.logaddexp.reduce(logs))
