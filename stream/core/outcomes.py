"""The newest labels with what was said of them, kept longer for rare classes: what scores by class are reckoned from.

In a window of the newest labels, one positive in thousands is hardly ever there. So the last `rare` of each class are
kept as well, however old. Each class is then weighted by how often its labels come: shares and costs are those of the
stream, not of what was kept.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

MOST_CLASSES = 50
"""Classes told apart, in order of appearance; labels of further ones are not kept here."""


class Sample(NamedTuple):
    """Labels with one model's outputs. The weights of a class's labels add up to its share of all labels."""

    labels: list[Any]
    outputs: list[Any]
    weights: npt.NDArray[np.float64]


class _Kept:
    """The newest labels of a class: the number of each among all labels, and the outputs."""

    def __init__(self) -> None:
        self.joins: deque[tuple[int, tuple[Any, ...]]] = deque()
        self.gone = 0
        """Number of the newest label that was let go."""

    def add(self, joins: Sequence[tuple[int, tuple[Any, ...]]], window: int, rare: int) -> None:
        """Keep these too, and let go of those that had left the window by the last of them."""
        kept, oldest = self.joins, joins[-1][0] - window
        kept.extend(joins)
        while len(kept) > rare and kept[0][0] <= oldest:
            self.gone = kept.popleft()[0]


class Outcomes:
    """The last `window` labels, and of each class at least the last `rare`."""

    def __init__(self, window: int, rare: int) -> None:
        self._window = window
        self._rare = rare
        self._count = 0
        self._classes: dict[Any, _Kept] = {}

    def record(self, joins: Sequence[tuple[Any, tuple[Any, ...]]]) -> None:
        """Add labels, each with the outputs of all models."""
        more: defaultdict[Any, list[tuple[int, tuple[Any, ...]]]] = defaultdict(list)
        for number, (label, outputs) in enumerate(joins, self._count + 1):
            more[label].append((number, outputs))
        self._count += len(joins)
        for label, found in more.items():
            if label in self._classes or len(self._classes) < MOST_CLASSES:
                self._classes.setdefault(label, _Kept()).add(found, self._window, self._rare)

    def labels_of(self, label: Any) -> int:
        """How many labels of a class are kept."""
        return len(self._classes[label].joins) if label in self._classes else 0

    def sample(self, model: int) -> Sample:
        """What is kept, with the outputs of one model, by its place among them."""
        return self.samples()[model]

    def samples(self) -> list[Sample]:
        """What is kept, for each model. Empty before the first label."""
        labels: list[Any] = []
        outputs: list[tuple[Any, ...]] = []
        weights: list[npt.NDArray[np.float64]] = []
        oldest = self._count - self._window
        for label, kept in self._classes.items():
            joins, gone, start = list(kept.joins), kept.gone, 0
            while len(joins) - start > self._rare and joins[start][0] <= oldest:  # left the window since it was added
                gone, start = joins[start][0], start + 1
            del joins[:start]
            span = self._count - gone if joins[0][0] <= oldest else min(self._count, self._window)
            labels += [label] * len(joins)
            outputs += [made for _, made in joins]
            weights.append(np.full(len(joins), 1.0 / span))
        each = np.concatenate(weights) if weights else np.empty(0)
        models = len(outputs[0]) if outputs else 0
        return [Sample(labels, [made[model] for made in outputs], each) for model in range(models)]


def average_precision(
    outputs: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> float | None:
    """Area under the precision-recall curve, exactly: mean precision at the outputs of the positives, equal outputs
    counting as one point (no interpolation). None without a positive.
    """
    scores, truth = np.asarray(outputs, dtype=float), np.asarray(labels, dtype=bool)
    weight = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=float)
    if not truth.any():
        return None
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    last = np.append(scores[1:] != scores[:-1], True)
    hits = np.cumsum(np.where(truth[order], weight[order], 0.0))[last]
    said = np.cumsum(weight[order])[last]
    return float(np.sum(np.diff(hits, prepend=0.0) * hits / said) / hits[-1])
