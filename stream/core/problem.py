"""What an output means: the decision it stands for, how wrong it was, and the scores people know it by.

One class per problem, so that the engine never asks which problem it is solving.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from learners.base import Problem
from stream.config.model import ModelConfig
from stream.core.costs import CostMatrix
from stream.core.outcomes import Sample, average_precision
from stream.records import Target

_CERTAIN = 1e-15
_NEVER = 1.0
"""The threshold by which the output of a model that has learned nothing is not true."""
SCALE_LABELS = 200
"""Labels from which the scale of a regression's errors is learned when none is configured."""


Answer: TypeAlias = tuple[Target | None, dict[str, float] | None]
"""A prediction and the probabilities behind it; None for those of a regression."""


class Judge(ABC):
    """Judges outputs of one kind of problem. Holds no state but what regression needs to scale its errors."""

    largest_loss: ClassVar[float | None]
    """The largest loss there can be; None where there is none. The smallest is 0."""
    has_classes: ClassVar[bool] = True
    waits: bool = False
    """Whether nothing is said to be true until the model that serves has learned something."""

    @property
    def threshold(self) -> float | None:
        """The probability from which a prediction is true; None where there is no such thing."""
        return None

    def choose(self, threshold: float) -> None:
        """From now on, say true from this probability on. Raises ValueError where there is no such thing."""
        raise ValueError(f"got a threshold of {threshold:g} for a problem that has none")

    def serve(self, learned: bool) -> None:
        """Outputs come now from a model that has `learned` something, or has not."""
        self.waits = not learned and self._says_true_below_even

    @property
    def _says_true_below_even(self) -> bool:
        """Whether true is said of what is less likely than not."""
        return False

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

    def scores_of_rare(self, sample: Sample) -> dict[str, float]:
        """Scores for which a window holds too few of a rare class. One that the sample cannot give is left out."""
        return {}

    def scores_by_class(self, sample: Sample) -> dict[str, dict[str, float]]:
        """By class, as text: `recall`, `precision` (left out where the class was never said), and `support`, the labels
        that they are reckoned from.
        """
        return {}


class BinaryJudge(Judge):
    """Outputs are P(true).

    With a threshold below 0.5, a model that has learned nothing would say true of every event: as long as such a model
    serves, the threshold is `_NEVER` instead.
    """

    largest_loss = 1.0

    def __init__(self, threshold: float, absolute: bool, costs: CostMatrix | None = None) -> None:
        self._threshold = threshold
        self.absolute = absolute
        self.costs = costs

    @property
    def threshold(self) -> float:
        """The probability from which a prediction is true."""
        return _NEVER if self.waits else self._threshold

    def choose(self, threshold: float) -> None:
        """From now on, say true from this probability on."""
        self._threshold = threshold

    @property
    def _says_true_below_even(self) -> bool:
        return self._threshold < 0.5

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

    def scores_of_rare(self, sample: Sample) -> dict[str, float]:
        area = average_precision(sample.outputs, sample.labels, sample.weights)
        scores = {} if area is None else {"pr_auc": area}
        if self.costs is not None:
            scores["expected_cost"] = _mean_cost(self.costs, _texts(sample), self._said(sample), sample.weights)
        return scores

    def scores_by_class(self, sample: Sample) -> dict[str, dict[str, float]]:
        return _by_class(_texts(sample), self._said(sample), sample.weights)

    def _said(self, sample: Sample) -> list[str]:
        return ["true" if p >= self.threshold else "false" for p in sample.outputs]


class MulticlassJudge(Judge):
    """Outputs are {class: probability}."""

    largest_loss = 2.0

    def __init__(self, absolute: bool, costs: CostMatrix | None = None) -> None:
        self.absolute = absolute
        self.costs = costs

    def answers(self, outputs: Sequence[dict[str, float]]) -> list[Answer]:
        return [(self._said(out), dict(out)) for out in outputs]

    def said(self, outputs: Sequence[dict[str, float]]) -> list[dict[str, Any]]:
        return [{"score": max(out.values(), default=None), "class": self._said(out)} for out in outputs]

    def losses(self, outputs: Sequence[dict[str, float]], labels: Sequence[str]) -> list[float]:
        return [
            1.0 + sum(p * p for p in out.values()) - 2 * out.get(y, 0.0) for out, y in zip(outputs, labels, strict=True)
        ]

    def errors(self, outputs: Sequence[dict[str, float]], labels: Sequence[str]) -> list[float]:
        if self.absolute:
            return [min(1.0, max(0.0, 1.0 - out.get(y, 0.0))) for out, y in zip(outputs, labels, strict=True)]
        return [0.0 if self._said(out) == y else 1.0 for out, y in zip(outputs, labels, strict=True)]

    def scores(self, outputs: Sequence[dict[str, float]], labels: Sequence[str]) -> dict[str, float]:
        said = [self._said(out) for out in outputs]
        truth = [max(out.get(y, 0.0), _CERTAIN) for out, y in zip(outputs, labels, strict=True)]
        f1 = []
        for name in sorted(set(labels)):
            hits = sum(s == name and y == name for s, y in zip(said, labels, strict=True))
            f1.append(2 * hits / (said.count(name) + sum(y == name for y in labels)))
        return {
            "accuracy": sum(s == y for s, y in zip(said, labels, strict=True)) / len(labels),
            "log_loss": -sum(map(math.log, truth)) / len(truth),
            "brier": self.total_loss(outputs, labels) / len(labels),
            "f1": sum(f1) / len(f1),
        }

    def scores_of_rare(self, sample: Sample) -> dict[str, float]:
        if self.costs is None:
            return {}
        said = [self._said(out) or "" for out in sample.outputs]
        return {"expected_cost": _mean_cost(self.costs, sample.labels, said, sample.weights)}

    def scores_by_class(self, sample: Sample) -> dict[str, dict[str, float]]:
        return _by_class(sample.labels, [self._said(out) or "" for out in sample.outputs], sample.weights)

    def _said(self, output: dict[str, float]) -> str | None:
        """The likeliest class, or the one that costs least to say."""
        if self.costs is not None:
            return self.costs.cheapest(output)
        return max(output, key=output.__getitem__) if output else None


class RegressionJudge(Judge):
    """Outputs are numbers. Errors are absolute errors over a scale: given, or four times the mean absolute error of the
    first labels, during which detectors are told nothing.
    """

    largest_loss = None
    has_classes = False

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


def _texts(sample: Sample) -> list[str]:
    return ["true" if label else "false" for label in sample.labels]


def _mean_cost(costs: CostMatrix, truth: Sequence[str], said: Sequence[str], weights: npt.NDArray[np.float64]) -> float:
    """The cost of a decision on average."""
    each = np.array([costs.of(t, s) for t, s in zip(truth, said, strict=True)])
    return float(weights @ each / weights.sum())


def _by_class(
    truth: Sequence[str], said: Sequence[str], weights: npt.NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    """Recall, precision and support of each class that is among the labels."""
    true, told = np.array(truth), np.array(said)
    scores: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(truth):
        is_true, is_said = true == name, told == name
        hits = weights[is_true & is_said].sum()
        scores[name] = {"recall": float(hits / weights[is_true].sum()), "support": float(is_true.sum())}
        if is_said.any():
            scores[name]["precision"] = float(hits / weights[is_said].sum())
    return scores


def judge_for(model: ModelConfig, *, absolute: bool, error_scale: float | None) -> Judge:
    """The judge of a problem, as configured."""
    decision = model.decision
    costs = CostMatrix(decision.costs) if decision is not None and decision.costs else None
    if model.problem is Problem.BINARY:
        return BinaryJudge(model.threshold if costs is None else costs.threshold, absolute, costs)
    if model.problem is Problem.MULTICLASS:
        return MulticlassJudge(absolute, costs)
    return RegressionJudge(error_scale)
