"""What happens on concept drift: a fresh challenger learns beside the champion and is proposed when it has beaten it.

Both are judged on the same labelled events, each predicted before its label was known: over the last `min_labels` of
them the challenger's mean loss must be smaller by `margin`, as a share of the champion's. Decisions fall at certain
counts of such labels, and the owner hands labels over in parts that end there: so a promotion is asked for, and a
challenger dropped, at the same record however the stream is cut.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from learners.base import Learner
from stream.config.model import AdaptationConfig
from stream.core.pending import Joined, Waiting
from stream.core.problem import Judge

CHECK_EVERY = 50
"""Compared labels between two looks at the score."""


class Win(NamedTuple):
    """Where the challenger beat the champion: mean losses, labels it had learned from, offset and time."""

    champion_loss: float
    challenger_loss: float
    labels: int
    offset: int
    timestamp: float


class Challenger:
    """A learner in the champion's shadow, and how the two compare."""

    def __init__(self, learner: Learner[Any], first_offset: int, window: int) -> None:
        self.learner = learner
        self.first_offset = first_offset
        self.compared = 0
        self.learned = 0
        self.won: Win | None = None
        self._losses: deque[tuple[float, float]] = deque(maxlen=window)

    @property
    def proposed(self) -> bool:
        """Whether its promotion was asked for, and not answered yet."""
        return self.won is not None

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

    def start(self, champion: Learner[Any], next_offset: int) -> bool:
        """Start a fresh challenger, which predicts from `next_offset` on, unless one is still young; whether it did."""
        current = self.challenger
        if not self.enabled or (current is not None and (current.proposed or not current.full)):
            return False
        self._generation += 1
        learner = champion.fresh(champion.seed + self._generation)
        self.challenger = Challenger(learner, next_offset, self._min_labels)
        return True

    def drop(self) -> None:
        """Forget the challenger."""
        self.challenger = None

    def compares(self, waiting: Waiting) -> bool:
        """Whether the challenger has itself predicted this event."""
        challenger = self.challenger
        return challenger is not None and waiting.challenger is not None and waiting.offset >= challenger.first_offset

    def undecided(self) -> int:
        """Labels of events that the challenger has predicted up to the next decision about it; 0 if none is to come."""
        challenger = self.challenger
        if challenger is None or challenger.proposed:
            return 0
        return min(CHECK_EVERY - challenger.compared % CHECK_EVERY, self._max_labels - challenger.compared)

    def step(self, joined: Joined) -> Win | None:
        """Score and teach the challenger with labelled events, at most up to the next decision; say when it has won.

        It learns from every label since its start, and is compared on the events that it has itself predicted.
        """
        challenger = self.challenger
        if challenger is None:
            return None
        rivals = [index for index, waiting in enumerate(joined.waiting) if self.compares(waiting)]
        labels = [joined.labels[index] for index in rivals]
        ours = self._judge.losses([joined.waiting[index].outputs[0] for index in rivals], labels)
        theirs = self._judge.losses([joined.waiting[index].challenger for index in rivals], labels)
        for losses in zip(ours, theirs, strict=True):
            challenger.record(*losses)
        challenger.learner.learn([waiting.features for waiting in joined.waiting], joined.labels)
        challenger.learned += len(joined.labels)
        if not rivals or challenger.proposed:
            return None
        if self._wins(challenger):
            challenger.won = Win(*challenger.means(), challenger.learned, *joined.place(-1))
        elif challenger.compared >= self._max_labels:
            self.challenger = None
        return challenger.won

    def _wins(self, challenger: Challenger) -> bool:
        if not challenger.full or challenger.compared % CHECK_EVERY:
            return False
        champion_loss, challenger_loss = challenger.means()
        return challenger_loss < champion_loss * (1.0 - self._margin)
