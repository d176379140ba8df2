"""Retired champions, each with a sample of the concept it served, so that one that comes back need not be learnt again.

Recurring concepts: Gama and Kosina, "Recurrent concepts in data streams classification", Knowledge and Information
Systems 40 (2014).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

from learners.base import Learner
from stream.core.problem import Judge
from stream.records import Features

SAMPLE = 100
"""Labelled events of its reign by which a retired champion's concept is known."""
RECALLED = 2
"""Retired champions that compete at a time."""

LEAST = 30
"""Labelled events on which a retired champion is tried before it may compete."""


class Labelled(NamedTuple):
    """An event with its label, what the champion made of it before that was known, and the event's offset."""

    features: Features
    output: Any
    label: Any
    offset: int


class Kept(NamedTuple):
    """A learner that was champion as `version`, as it was in its own world, and a sample of that."""

    learner: Learner[Any]
    version: int
    sample: tuple[Labelled, ...]


class Library:
    """Holds at most `size` retired champions."""

    def __init__(self, size: int, judge: Judge) -> None:
        self.models: list[Kept] = []
        self.size = size
        self._judge = judge

    def add(self, newcomer: Kept) -> None:
        """Keep a champion that has retired.

        One that does about as well on its sample has taken part of the same concept: the newcomer takes its place.
        Otherwise, of too many, the oldest gives way. One with hardly a sample is not kept.
        """
        sample = newcomer.sample[-SAMPLE:]
        if not self.size or len(sample) < LEAST:
            return
        loss = self._mean([one.output for one in sample], sample)
        same = [model for model in self.models if self._loss(model.learner, sample) <= loss]
        for model in same[:1] or self.models[: max(0, len(self.models) - self.size + 1)]:
            self.models.remove(model)
        self.models.append(newcomer._replace(sample=sample))

    def fitting(self, recent: Sequence[Labelled]) -> list[Kept]:
        """Those that would have done better than the champion on recent events, the best first; all of them where these
        are too few to tell. Copies.
        """
        if len(recent) < LEAST:
            return copy.deepcopy(self.models)
        champion = self._mean([one.output for one in recent], recent)
        losses = [(self._loss(model.learner, recent), place) for place, model in enumerate(self.models)]
        best = sorted(found for found in losses if found[0] < champion)[:RECALLED]
        return [self.models[place]._replace(learner=copy.deepcopy(self.models[place].learner)) for _, place in best]

    def _loss(self, learner: Learner[Any], events: Sequence[Labelled]) -> float:
        return self._mean(learner.predict([one.features for one in events]), events)

    def _mean(self, outputs: Sequence[Any], events: Sequence[Labelled]) -> float:
        return self._judge.total_loss(outputs, [one.label for one in events]) / len(events)
