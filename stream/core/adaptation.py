"""What happens on concept drift: a fresh challenger learns beside the champion and is proposed when it has beaten it.

Both are judged on the same labelled events, each predicted before its label was known: over the last `min_labels` of
them the challenger's mean loss must be smaller by `margin`, as a share of the champion's.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from learners.base import Learner
from stream.config.model import AdaptationConfig
from stream.core.pending import Joined
from stream.core.problem import Judge

CHECK_EVERY = 50
"""Compared labels between two looks at the score, so that the outcome does not depend on how the stream is cut."""


class Win(NamedTuple):
    """Where the challenger beat the champion: mean losses, labels it had learned from, offset and time."""

    champion_loss: float
    challenger_loss: float
    labels: int
    offset: int
    timestamp: float


class Challenger:
    """A learner in the champion's shadow, and how the two compare."""

    def __init__(self, learner: Learner[Any], first_offset: int, since: float, window: int) -> None:
        self.learner = learner
        self.first_offset = first_offset
        self.since = since
        self.compared = 0
        self.learned = 0
        self.proposed = False
        self._losses: deque[tuple[float, float]] = deque(maxlen=window)

    @property
    def full(self) -> bool:
        """Whether there are enough compared labels to judge."""
        return len(self._losses) == self._losses.maxlen

    def record(self, champion_loss: float, challenger_loss: float) -> None:
        """Add one labelled event that both have predicted."""
        self.compared += 1
        self._losses.append((champion_loss, challenger_loss))

    def means(self) -> tuple[float, float]:
        """Mean losses of champion and challenger over the window."""
        n = len(self._losses)
        return sum(a for a, _ in self._losses) / n, sum(b for _, b in self._losses) / n


class Adaptation:
    """Owns the challenger. Asks for a promotion at most once per challenger; the driver answers with a command."""

    def __init__(self, config: AdaptationConfig, judge: Judge) -> None:
        self._policy = config.policy
        self._start = config.start
        self._min_labels = config.min_labels
        self._max_labels = config.max_labels
        self._margin = config.margin
        self._judge = judge
        self._generation = 0
        self.challenger: Challenger | None = None

    @property
    def enabled(self) -> bool:
        """Whether drift starts challengers at all."""
        return self._policy == "replace_when_better"

    def starts_on_warning(self) -> bool:
        """Whether a warning is enough to start a challenger."""
        return self._start == "warning"

    def start(self, champion: Learner[Any], next_offset: int, since: float) -> bool:
        """Start a fresh challenger from here, unless one is still young. Returns whether one was started."""
        current = self.challenger
        if not self.enabled or (current is not None and (current.proposed or not current.full)):
            return False
        self._generation += 1
        learner = champion.fresh(champion.seed + self._generation)
        self.challenger = Challenger(learner, next_offset, since, self._min_labels)
        return True

    def drop(self) -> None:
        """Forget the challenger."""
        self.challenger = None

    def step(self, joined: Joined) -> Win | None:
        """Score and teach the challenger with labelled events; say when it has won.

        It learns from every label since its start, and is compared on the events that it has itself predicted.
        """
        challenger = self.challenger
        if challenger is None:
            return None
        won: Win | None = None
        rivals = [
            index
            for index, waiting in enumerate(joined.waiting)
            if waiting.challenger is not None and waiting.offset >= challenger.first_offset
        ]
        labels = [joined.labels[index] for index in rivals]
        ours = self._judge.losses([joined.waiting[index].outputs[0] for index in rivals], labels)
        theirs = self._judge.losses([joined.waiting[index].challenger for index in rivals], labels)
        for index, champion_loss, challenger_loss in zip(rivals, ours, theirs, strict=True):
            challenger.record(champion_loss, challenger_loss)
            if won is None and self._wins(challenger):
                won = Win(*challenger.means(), challenger.learned + index + 1, *joined.place(index))
        challenger.learner.learn([waiting.features for waiting in joined.waiting], joined.labels)
        challenger.learned += len(joined.labels)
        if won is not None:
            challenger.proposed = True
        elif not challenger.proposed and challenger.compared >= self._max_labels:
            self.challenger = None
        return won

    def _wins(self, challenger: Challenger) -> bool:
        if challenger.proposed or not challenger.full or challenger.compared % CHECK_EVERY:
            return False
        champion_loss, challenger_loss = challenger.means()
        return challenger_loss < champion_loss * (1.0 - self._margin)
