"""Prequential scores: each model is scored on every label before it learns from it, over a window and over all."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from detectors.marks import Marks
from stream.core.outcomes import Outcomes
from stream.core.problem import Judge

BLOCK = 500
"""Labels whose losses are added up at once: the sums do not depend on how the stream is cut into spans."""


class Scores:
    """Outputs of the champion and of the baselines, with their labels, over the last `window` joins, and over more of
    rare classes: the last `rare` of each.
    """

    def __init__(self, sources: Sequence[str], window: int, rare: int) -> None:
        self.sources = tuple(sources)
        self.outcomes = Outcomes(window, rare)
        self.labels = 0
        self._window: deque[tuple[Any, tuple[Any, ...]]] = deque(maxlen=window)
        self._block: list[tuple[Any, tuple[Any, ...]]] = []
        self._loss_sums = [0.0] * len(self.sources)
        self.newest: dict[str, float] = {}
        """Sums of the losses of the newest `BLOCK` labels that were added up, by source."""

    def record(self, judge: Judge, labels: Sequence[Any], outputs: Sequence[tuple[Any, ...]]) -> None:
        """Add joins: their labels, and for each the outputs of all sources."""
        self.labels += len(labels)
        joins = list(zip(labels, outputs, strict=True))
        self._window.extend(joins)
        self._block += joins
        if judge.has_classes:
            self.outcomes.record(joins)
        while len(self._block) >= BLOCK:
            losses = self._losses(judge, self._block[:BLOCK])
            self._loss_sums = [total + loss for total, loss in zip(self._loss_sums, losses, strict=True)]
            self.newest = dict(zip(self.sources, losses, strict=True))
            del self._block[:BLOCK]

    def report(self, judge: Judge) -> dict[str, dict[str, float]]:
        """Windowed scores by source, and `mean_loss` over the whole stream. Empty before the first label."""
        if not self._window:
            return {}
        labels = [label for label, _ in self._window]
        columns = zip(*(outputs for _, outputs in self._window), strict=True)
        losses = self._losses(judge, self._block)
        report = {
            source: judge.scores(column, labels) | {"mean_loss": (total + loss) / self.labels}
            for source, column, total, loss in zip(self.sources, columns, self._loss_sums, losses, strict=True)
        }
        if judge.has_classes:
            for scores, sample in zip(report.values(), self.outcomes.samples(), strict=True):
                scores.update(judge.scores_of_rare(sample))
        return report

    def by_class(self, judge: Judge) -> dict[str, dict[str, float]]:
        """The champion's scores by class. Empty before the first label, and where there are no classes."""
        return judge.scores_by_class(self.outcomes.sample(0)) if judge.has_classes and self.labels else {}

    def _losses(self, judge: Judge, joins: Sequence[tuple[Any, tuple[Any, ...]]]) -> list[float]:
        """The sums of the losses of some joins, by source."""
        if not joins:
            return [0.0] * len(self.sources)
        labels = [label for label, _ in joins]
        return [judge.total_loss([made[i] for _, made in joins], labels) for i in range(len(self.sources))]


class Track(Marks[tuple[int, float]]):
    """Offset and time of the values of a stream."""

    def at(self, position: int) -> tuple[int, float] | tuple[None, None]:
        """Offset and time of the value at `position` (counted from 1), as near as `Marks` knows; (None, None) before
        the first value.
        """
        return self.place(position) or (None, None)
