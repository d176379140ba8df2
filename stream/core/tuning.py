"""A threshold that is chosen from recent labels: for goals that are no cost, and where probabilities are not to be
trusted. Where they are, and mistakes have their price, `stream.core.costs` says the threshold without any labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stream.config.decision import DecisionConfig
from stream.core.costs import CostMatrix
from stream.core.outcomes import Sample
from stream.core.pending import Joined
from stream.core.problem import Judge
from stream.core.scores import Scores

Floats: TypeAlias = npt.NDArray[np.float64]
_ROUNDING = 1e-12


class Tuner:
    """Chooses the threshold of a judge anew after every so many labels, from the labels that the scores look back on.

    They are the champion's outputs, that of versions before the present one included: probabilities that are calibrated
    mean the same from either. The choice falls at certain counts of labels, and the owner hands labels over in `parts`
    that end there: so a decision is the same however the stream is cut.
    """

    def __init__(self, config: DecisionConfig | None, judge: Judge, scores: Scores) -> None:
        self._config = config if config is not None and config.tune is not None else None
        self._judge = judge
        self._scores = scores
        self._chosen = 0

    @property
    def due(self) -> float:
        """Labels up to the next choice; one, as long as decisions wait for the first that is learned."""
        if self._judge.waits:
            return 1
        return math.inf if self._config is None else self._config.every - self._scores.labels % self._config.every

    def parts(self, joined: Joined) -> Iterator[Joined]:
        """The labels in parts, none of which goes on after a choice. Take `settle` after each."""
        done = 0
        while done < len(joined.labels):
            end = min(len(joined.labels), done + self.due)
            yield joined if (done, end) == (0, len(joined.labels)) else joined.part(done, int(end))
            done = int(end)

    def settle(self) -> None:
        """Choose the threshold, if that is due after the labels that were scored last."""
        config, labels = self._config, self._scores.labels
        if config is None or labels % config.every or labels == self._chosen:
            return
        self._chosen = labels
        outcomes = self._scores.outcomes
        if outcomes.labels_of(True) >= config.min_positives and outcomes.labels_of(False):
            self._judge.choose(best_threshold(outcomes.sample(0), config, CostMatrix(config.costs)))


def best_threshold(sample: Sample, config: DecisionConfig, costs: CostMatrix) -> float:
    """The threshold that would have served the goal best: halfway between two outputs that came. Of equally good ones
    the highest; where no precision is as high as asked for, that with the highest.
    """
    outputs = np.asarray(sample.outputs, dtype=float)
    truth = np.asarray(sample.labels, dtype=bool)
    order = np.argsort(-outputs, kind="stable")
    outputs, truth, weights = outputs[order], truth[order], sample.weights[order]
    last = np.flatnonzero(np.append(outputs[1:] != outputs[:-1], True))
    hits = np.concatenate(([0.0], np.cumsum(np.where(truth, weights, 0.0))[last]))
    alarms = np.concatenate(([0.0], np.cumsum(np.where(truth, 0.0, weights))[last]))
    best = int(np.argmax(_merit(hits, alarms, config, costs)))
    levels = np.concatenate(([1.0], outputs[last], [0.0]))
    return float((levels[best] + levels[best + 1]) / 2.0)


def _merit(hits: Floats, alarms: Floats, config: DecisionConfig, costs: CostMatrix) -> Floats:
    """How well each choice serves the goal. Of the outputs in falling order, none, the first, the first two, ... are
    taken for true: `hits` of them rightly, `alarms` falsely.
    """
    positives, negatives = hits[-1], alarms[-1]
    recall, precision = hits / positives, hits / np.maximum(hits + alarms, np.finfo(float).tiny)
    enough = config.target * (1.0 - _ROUNDING)
    merit: Floats
    if config.tune == "cost":
        right = hits * costs.of("true", "true") + (negatives - alarms) * costs.of("false", "false")
        wrong = (positives - hits) * costs.of("true", "false") + alarms * costs.of("false", "true")
        merit = -(right + wrong)
    elif config.tune == "f_beta":
        merit = (1.0 + config.beta**2) * hits / (hits + alarms + config.beta**2 * positives)
    elif config.tune == "recall":
        merit = np.where(recall >= enough, 1.0 + precision, recall)
    else:
        merit = np.where(precision >= enough, 1.0 + recall, precision)
    return merit
