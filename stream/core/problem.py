"""What an output means: the decision it stands for, how wrong it was, and the scores people know it by.

One class per problem, so that the engine never asks which problem it is solving.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from learners.base import Problem
from stream.records import Target

_CERTAIN = 1e-15
SCALE_LABELS = 200
"""Labels from which the scale of a regression's errors is learned when none is configured."""


Answer: TypeAlias = tuple[Target | None, dict[str, float] | None]
"""A prediction and the probabilities behind it; None for those of a regression."""


class Judge(ABC):
    """Judges outputs of one kind of problem. Holds no state but what regression needs to scale its errors."""

    @abstractmethod
    def answers(self, outputs: Sequence[Any]) -> list[Answer]:
        """What each output says: the prediction (None when nothing is known yet) and the probabilities to publish."""

    @abstractmethod
    def said(self, outputs: Sequence[Any]) -> list[dict[str, Any]]:
        """What detectors see of predictions: of each its `score`, and its `class` if it is one. Where nothing is known
        yet, they are None.
        """

    @abstractmethod
    def losses(self, outputs: Sequence[Any], labels: Sequence[Any]) -> list[float]:
        """Loss by which models are compared: Brier score in [0, 1] (2 for multiclass), or absolute error."""

    def total_loss(self, outputs: Sequence[Any], labels: Sequence[Any]) -> float:
        """The sum of the losses."""
        return sum(self.losses(outputs, labels))

    @abstractmethod
    def errors(self, outputs: Sequence[Any], labels: Sequence[Any]) -> list[float]:
        """Errors in [0, 1] for concept detectors. May be shorter than its input while a scale is being learned: the
        errors are then those of the last values.
        """

    @abstractmethod
    def scores(self, outputs: Sequence[Any], labels: Sequence[Any]) -> dict[str, float]:
        """The scores people know, over a window. A score that the window cannot give is left out."""


class BinaryJudge(Judge):
    """Outputs are P(true)."""

    def __init__(self, threshold: float, absolute: bool) -> None:
        self.threshold = threshold
        self.absolute = absolute

    def answers(self, outputs: Sequence[float]) -> list[Answer]:
        threshold = self.threshold
        return [(p >= threshold, {"true": p, "false": 1.0 - p}) for p in outputs]

    def said(self, outputs: Sequence[float]) -> list[dict[str, Any]]:
        threshold = self.threshold
        return [{"score": p, "class": "true" if p >= threshold else "false"} for p in outputs]

    def losses(self, outputs: Sequence[float], labels: Sequence[bool]) -> list[float]:
        return [(p - y) * (p - y) for p, y in zip(outputs, labels, strict=True)]

    def total_loss(self, outputs: Sequence[float], labels: Sequence[bool]) -> float:
        gaps = np.subtract(outputs, labels, dtype=float)
        return float(gaps @ gaps)

    def errors(self, outputs: Sequence[float], labels: Sequence[bool]) -> list[float]:
        if self.absolute:
            return [abs(y - p) for p, y in zip(outputs, labels, strict=True)]
        threshold = self.threshold
        return [0.0 if (p >= threshold) == y else 1.0 for p, y in zip(outputs, labels, strict=True)]

    def scores(self, outputs: Sequence[float], labels: Sequence[bool]) -> dict[str, float]:
        p = np.clip(np.asarray(outputs, dtype=float), _CERTAIN, 1 - _CERTAIN)
        y = np.asarray(labels, dtype=bool)
        said = p >= self.threshold
        hits, alarms, positives = int((said & y).sum()), int(said.sum()), int(y.sum())
        scores = {
            "accuracy": float((said == y).mean()),
            "log_loss": float(-np.where(y, np.log(p), np.log1p(-p)).mean()),
            "brier": float(((p - y) ** 2).mean()),
        }
        if alarms + positives:
            scores["f1"] = 2 * hits / (alarms + positives)
        if 0 < positives < len(y):
            ranks = _ranks(p)
            above = float(ranks[y].sum()) - positives * (positives + 1) / 2
            scores["roc_auc"] = above / (positives * (len(y) - positives))
        return scores


class MulticlassJudge(Judge):
    """Outputs are {class: probability}."""

    def __init__(self, absolute: bool) -> None:
        self.absolute = absolute

    def answers(self, outputs: Sequence[dict[str, float]]) -> list[Answer]:
        return [(_likeliest(out), dict(out)) for out in outputs]

    def said(self, outputs: Sequence[dict[str, float]]) -> list[dict[str, Any]]:
        return [{"score": max(out.values(), default=None), "class": _likeliest(out)} for out in outputs]

    def losses(self, outputs: Sequence[dict[str, float]], labels: Sequence[str]) -> list[float]:
        return [
            1.0 + sum(p * p for p in out.values()) - 2 * out.get(y, 0.0) for out, y in zip(outputs, labels, strict=True)
        ]

    def errors(self, outputs: Sequence[dict[str, float]], labels: Sequence[str]) -> list[float]:
        if self.absolute:
            return [min(1.0, max(0.0, 1.0 - out.get(y, 0.0))) for out, y in zip(outputs, labels, strict=True)]
        return [0.0 if _likeliest(out) == y else 1.0 for out, y in zip(outputs, labels, strict=True)]

    def scores(self, outputs: Sequence[dict[str, float]], labels: Sequence[str]) -> dict[str, float]:
        said = [_likeliest(out) for out in outputs]
        truth = [max(out.get(y, 0.0), _CERTAIN) for out, y in zip(outputs, labels, strict=True)]
        f1 = []
        for name in sorted(set(labels)):
            hits = sum(s == name and y == name for s, y in zip(said, labels, strict=True))
            f1.append(2 * hits / (said.count(name) + sum(y == name for y in labels)))
        return {
            "accuracy": sum(s == y for s, y in zip(said, labels, strict=True)) / len(labels),
            "log_loss": -sum(map(math.log, truth)) / len(truth),
            "f1": sum(f1) / len(f1),
        }


class RegressionJudge(Judge):
    """Outputs are numbers. Errors are absolute errors over a scale: given, or four times the mean absolute error of the
    first labels, during which detectors are told nothing.
    """

    def __init__(self, scale: float | None) -> None:
        self.scale = scale
        self._seen = 0
        self._sum = 0.0

    def answers(self, outputs: Sequence[float]) -> list[Answer]:
        return [(out, None) for out in outputs]

    def said(self, outputs: Sequence[float]) -> list[dict[str, Any]]:
        return [{"score": out} for out in outputs]

    def losses(self, outputs: Sequence[float], labels: Sequence[float]) -> list[float]:
        return [abs(out - y) for out, y in zip(outputs, labels, strict=True)]

    def errors(self, outputs: Sequence[float], labels: Sequence[float]) -> list[float]:
        errors = []
        for loss in self.losses(outputs, labels):
            if self.scale is not None:
                errors.append(min(1.0, loss / self.scale))
                continue
            self._seen += 1
            self._sum += loss
            if self._seen == SCALE_LABELS:
                self.scale = 4 * self._sum / self._seen or 1.0
        return errors

    def scores(self, outputs: Sequence[float], labels: Sequence[float]) -> dict[str, float]:
        gap = np.asarray(outputs, dtype=float) - np.asarray(labels, dtype=float)
        return {"mae": float(np.abs(gap).mean()), "rmse": float(np.sqrt((gap**2).mean()))}


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The place of each value in rising order, counted from 1; equal values share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    places: npt.NDArray[np.float64] = (last - (counts - 1) / 2)[which]
    return places


def _likeliest(output: dict[str, float]) -> str | None:
    return max(output, key=output.__getitem__) if output else None


def judge_for(problem: Problem, *, threshold: float, absolute: bool, error_scale: float | None) -> Judge:
    """The judge of a problem, as configured."""
    if problem is Problem.BINARY:
        return BinaryJudge(threshold, absolute)
    if problem is Problem.MULTICLASS:
        return MulticlassJudge(absolute)
    return RegressionJudge(error_scale)
