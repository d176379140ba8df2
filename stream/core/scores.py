"""Prequential scores: each model is scored on every label before it learns from it, over a window and over all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from stream.core.problem import Judge

BLOCK = 500
"""Labels whose losses are added up at once: the sums do not depend on how the stream is cut into spans."""


class Scores:
    """Outputs of the champion and of the baselines, with their labels, over the last `window` joins."""

    def __init__(self, sources: Sequence[str], window: int) -> None:
        self.sources = tuple(sources)
        self.labels = 0
        self._window: deque[tuple[Any, tuple[Any, ...]]] = deque(maxlen=window)
        self._block: list[tuple[Any, tuple[Any, ...]]] = []
        self._loss_sums = [0.0] * len(self.sources)

    def record(self, judge: Judge, labels: Sequence[Any], outputs: Sequence[tuple[Any, ...]]) -> None:
        """Add joins: their labels, and for each the outputs of all sources."""
        self.labels += len(labels)
        joins = list(zip(labels, outputs, strict=True))
        self._window.extend(joins)
        self._block += joins
        while len(self._block) >= BLOCK:
            self._loss_sums = self._sums(judge, self._block[:BLOCK])
            del self._block[:BLOCK]

    def report(self, judge: Judge) -> dict[str, dict[str, float]]:
        """Windowed scores by source, and `mean_loss` over the whole stream. Empty before the first label."""
        if not self._window:
            return {}
        labels = [label for label, _ in self._window]
        columns = zip(*(outputs for _, outputs in self._window), strict=True)
        sums = self._sums(judge, self._block)
        return {
            source: judge.scores(column, labels) | {"mean_loss": total / self.labels}
            for source, column, total in zip(self.sources, columns, sums, strict=True)
        }

    def _sums(self, judge: Judge, joins: Sequence[tuple[Any, tuple[Any, ...]]]) -> list[float]:
        """The sums of losses with those of more joins added."""
        if not joins:
            return self._loss_sums
        labels = [label for label, _ in joins]
        columns = zip(*(outputs for _, outputs in joins), strict=True)
        return [
            total + judge.total_loss(column, labels) for total, column in zip(self._loss_sums, columns, strict=True)
        ]


class Track:
    """Remembers the offset and time of every `step`-th value of a stream, over a bounded past."""

    def __init__(self, step: int = 32, bound: int = 8192) -> None:
        self.count = 0
        self._step = step
        self._marks: deque[tuple[int, float]] = deque(maxlen=bound)
        self._first = 1  # number of the oldest mark kept; mark m is that of value (m - 1) * step + 1

    def note(self, n: int, at: Callable[[int], tuple[int, float]]) -> None:
        """`n` more values have come; `at(i)` gives offset and time of the i-th of them, counted from 0."""
        for index in range(-self.count % self._step, n, self._step):
            if len(self._marks) == self._marks.maxlen:
                self._first += 1
            self._marks.append(at(index))
        self.count += n

    def at(self, position: int) -> tuple[int, float] | tuple[None, None]:
        """Offset and time of the value at `position` (counted from 1), or of one at most `step` before it.

        Of the oldest one kept when the position is further back; (None, None) before the first value.
        """
        if not self._marks:
            return (None, None)
        mark = (position - 1) // self._step + 1 - self._first
        return self._marks[min(max(mark, 0), len(self._marks) - 1)]
