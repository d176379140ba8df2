"""Whether models learn what holds for events to come: over- and underfitting, and how they learn.

After every 500th label each model predicts the newest 50 of these once more, which it has just learned. How much of the
loss from before is gone is the gap: little for a model that generalises, nearly all for one that learns by heart. What
it does better than the best baseline, which knows no features, is its gain: none for a model that learns nothing.

Both are shares of the loss, looked at over ten blocks. A bound is passed when the mean over these is beyond it by six
standard errors: the 1 - 1/10,000 quantile of Student's t with nine degrees of freedom. So one look in 10,000 at most
alarms by chance, as far as blocks are independent and about normal.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any, Final, NamedTuple

from learners.base import Learner
from stream.config.health import FitConfig
from stream.core.alerts import AlertMaker
from stream.core.contestants import Contestant
from stream.core.curve import Curve, Point
from stream.core.pending import Joined, Waiting
from stream.core.problem import Judge
from stream.core.scores import BLOCK, Scores
from stream.core.spells import Spells
from stream.records import Alert

SAMPLE: Final = 50
"""Newest labels of a block that are predicted once more."""

BLOCKS: Final = 10
"""Blocks that a verdict takes."""

SURE: Final = 6.01
"""Standard errors of their mean by which it must be beyond a bound."""

_FEWEST: Final = SAMPLE // 2  # predictions of its own without which a model is not looked at
_BACK: Final = 2 / 3  # of the bound, below which a gap is closed again
_ALMOST: Final = 2.0  # standard errors above the bound from which there is a gain again

RARE: Final = 100
"""Labels of other classes than the commonest without which a loss does not tell whether a model knows anything."""

CHAMPION: Final = "champion"
OVERFIT: Final = "overfit"
UNDERFIT: Final = "underfit"


class Model(NamedTuple):
    """A model that runs. `born` tells it from others of its name; `said` gives what it had predicted of an event that
    waited for its label, None where it was another that did.
    """

    name: str
    born: int
    learner: Learner[Any]
    said: Callable[[Waiting], Any]


class Health(NamedTuple):
    """Where a model stands: the share of its loss that is gone once events are learned (None before the first look),
    its learning curve, and the settings that keep it from learning by heart.
    """

    gap: float | None
    curve: list[Point]
    regularization: Mapping[str, float]


class _Record:
    """What is remembered of a model: mean losses of its newest samples, before and after they were learned, and its
    curve.
    """

    def __init__(self, born: int) -> None:
        self.born = born
        self.gaps: deque[tuple[float, float]] = deque(maxlen=BLOCKS)
        self.curve = Curve()

    def shares(self) -> list[float]:
        """Of each sample, how much of the loss is gone once it is learned, as a share of the mean loss of all."""
        usual = fmean(before for before, _ in self.gaps) if self.gaps else 0.0
        return [(before - after) / usual for before, after in self.gaps] if usual > 0.0 else []


class _Block:
    """A block of labels: sums of losses by source once it is full, how many labels each class has, and whether
    another than the serving champion had predicted some of them.
    """

    def __init__(self) -> None:
        self.losses: Mapping[str, float] = {}
        self.classes: Counter[Any] = Counter()
        self.mixed = False


class Fit:
    """Looks at the models of one task, at every 500th label. The owner hands labels over in parts that end there
    (`room`), so that it finds the same wherever spans are cut. Memory is bounded.
    """

    def __init__(self, config: FitConfig | None, *, classes: bool) -> None:
        """`classes`: whether labels are classes. Without a configuration it finds nothing, and has nothing predicted
        once more.
        """
        limits = config or FitConfig()
        self._looks = config is not None
        self._most_gap = limits.gap
        self._least_gain = limits.least_gain
        self._of_classes = classes
        self._labels = 0
        self._block = _Block()
        self._sample = Joined.none()
        self._records: dict[str, _Record] = {}
        self._compared: deque[_Block] = deque(maxlen=BLOCKS)  # newest blocks of the serving champion alone
        self._spells = Spells("performance")

    @property
    def room(self) -> int:
        """Labels up to the next look."""
        return BLOCK - self._labels % BLOCK

    def learned(
        self, judge: Judge, scores: Scores, joined: Joined, version: int, models: Callable[[], Iterable[Model]]
    ) -> None:
        """Models were scored on these labels, at most `room` of them, and have learned from them, while this version of
        the champion served. A look, if it falls here, asks for the models that run.
        """
        if not self._looks or not joined.labels:
            return
        block, labels = self._block, joined.labels
        block.mixed = block.mixed or any(one.version != version for one in joined.waiting)
        if self._of_classes:
            block.classes.update(labels)
        first = max(0, BLOCK - SAMPLE - self._labels % BLOCK)
        self._sample = self._sample.with_more(joined.part(first, len(labels)))
        self._labels += len(labels)
        if self._labels % BLOCK == 0:
            block.losses = scores.newest
            self._look(judge, list(models()))

    def told(self, maker: AlertMaker, version: int) -> list[Alert]:
        """The alerts that are due now."""
        return self._spells.told(maker, version)

    def report(self, models: Iterable[Model]) -> dict[str, Health]:
        """Where the models that run stand, by name."""
        return {model.name: self._health(model) for model in models}

    def _health(self, model: Model) -> Health:
        record = self._records.get(model.name)
        regularization = model.learner.regularization()
        if record is None or record.born != model.born:
            return Health(None, [], regularization)
        shares = record.shares()
        return Health(fmean(shares) if shares else None, record.curve.points(), regularization)

    def _look(self, judge: Judge, models: Sequence[Model]) -> None:
        block, self._block = self._block, _Block()
        sample, self._sample = self._sample, Joined.none()
        known, self._records = self._records, {}
        for model in models:
            record = known.get(model.name)
            if record is None or record.born != model.born:
                record = _Record(model.born)
                if model.name == CHAMPION:
                    self._compared.clear()
            self._records[model.name] = record
            whole = None if block.mixed and model.name == CHAMPION else block.losses.get(model.name)
            _test(judge, sample, model, record, whole)
        if not block.mixed:
            self._compared.append(block)
        at = sample.place(-1)
        champion = next(model for model in models if model.name == CHAMPION)
        self._look_at_gap(self._records[CHAMPION], champion, at)
        self._look_at_gain(at)

    def _look_at_gap(self, record: _Record, champion: Model, at: tuple[int, float]) -> None:
        shares = record.shares()
        if len(shares) < BLOCKS:
            return
        gap, error = fmean(shares), _error(shares)
        before, after = (fmean(losses) for losses in zip(*record.gaps, strict=True))
        known: dict[str, Any] = {"detector": OVERFIT, "before": before, "after": after, "effect": gap}
        if OVERFIT not in self._spells and gap - SURE * error > self._most_gap:
            settings = ", ".join(f"{name} {value:g}" for name, value in champion.learner.regularization().items())
            detail = f"{gap:.0%} of the loss is gone once events are learned" + (f" ({settings})" if settings else "")
            evidence = {"statistic": gap - SURE * error, "threshold": self._most_gap}
            self._spells.begin(OVERFIT, at, **known, **evidence, direction="worse", detail=detail)
        elif OVERFIT in self._spells and gap < _BACK * self._most_gap:
            self._spells.end(OVERFIT, "recovered", at, **known, direction="better", detail="learns less by heart")

    def _look_at_gain(self, at: tuple[int, float]) -> None:
        compared = self._compared
        classes = sum((block.classes for block in compared), Counter())
        rare = classes.total() - max(classes.values(), default=0)
        if len(compared) < BLOCKS or (self._of_classes and rare < RARE):
            return
        sources = compared[0].losses
        totals = {source: fmean(block.losses[source] for block in compared) / BLOCK for source in sources}
        best = min((source for source in sources if source != CHAMPION), key=totals.__getitem__)
        if totals[best] <= 0.0:
            return
        gains = [(block.losses[best] - block.losses[CHAMPION]) / BLOCK / totals[best] for block in compared]
        gain, error = fmean(gains), _error(gains)
        known: dict[str, Any] = {
            "detector": UNDERFIT,
            "before": totals[best],
            "after": totals[CHAMPION],
            "effect": gain,
        }
        if UNDERFIT not in self._spells and gain + SURE * error < self._least_gain:
            evidence = {"statistic": gain + SURE * error, "threshold": self._least_gain}
            detail = f"no better than {best}, which knows no features"
            self._spells.begin(UNDERFIT, at, **known, **evidence, direction="worse", detail=detail)
        elif UNDERFIT in self._spells and gain - _ALMOST * error > self._least_gain:
            detail = f"better than {best} again"
            self._spells.end(UNDERFIT, "recovered", at, **known, direction="better", detail=detail)


def running(
    version: int, champion: Learner[Any], baselines: Iterable[tuple[str, Learner[Any]]], others: Iterable[Contestant]
) -> Iterator[Model]:
    """The models of a task: what serves, what it is held against, and what may take its place, by where it comes from
    (`fresh`, `pool`, `pool 2`, ...).
    """
    yield Model(CHAMPION, version, champion, lambda one: one.outputs[0] if one.version == version else None)
    for index, (name, learner) in enumerate(baselines, start=1):
        yield Model(name, 0, learner, partial(_of_baseline, index))
    origins: Counter[str] = Counter()
    for other in others:
        origins[other.origin] += 1
        n = origins[other.origin]
        name = other.origin if n == 1 else f"{other.origin} {n}"
        yield Model(name, other.number, other.learner, partial(_of_contestant, other.number))


def _of_baseline(index: int, one: Waiting) -> Any:
    return one.outputs[index]


def _of_contestant(number: int, one: Waiting) -> Any:
    return None if one.rivals is None else one.rivals.get(number)


def _error(shares: Sequence[float]) -> float:
    """The standard error of their mean. (`statistics.stdev` takes a hundred times as long, in fractions.)"""
    mean = fmean(shares)
    return math.sqrt(math.fsum((share - mean) ** 2 for share in shares) / (len(shares) - 1) / len(shares))


def _test(judge: Judge, sample: Joined, model: Model, record: _Record, whole: float | None) -> None:
    """Let a model predict once more what it has just learned. `whole` is the sum of its losses in the block before it
    was learned, where that is known.
    """
    said = [(index, output) for index, one in enumerate(sample.waiting) if (output := model.said(one)) is not None]
    if len(said) < _FEWEST:
        return
    labels = [sample.labels[index] for index, _ in said]
    before = judge.total_loss([output for _, output in said], labels) / len(said)
    again = model.learner.predict([sample.waiting[index].features for index, _ in said])
    record.gaps.append((before, judge.total_loss(again, labels) / len(said)))
    record.curve.add(BLOCK, before if whole is None else whole / BLOCK)
