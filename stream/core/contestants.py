"""A model in the champion's shadow, and how the two compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from learners.base import Learner
from stream.core.duel import Duel
from stream.core.library import Kept
from stream.core.lifecycle import Cause, Stage, moved
from stream.records import Promote

Origin: TypeAlias = Literal["fresh", "copy", "reset", "pool", "library", "pushed", "previous"]
"""Where a contestant comes from: it began untrained; as a copy of the champion; untrained, to be promoted as soon as it
can be; from the configuration's pool; was champion some time ago; was brought from outside; was champion before this
one, which is on probation.
"""

REASONS: dict[Origin, str] = {"reset": "reset", "library": "recurring", "previous": "rollback"}
"""Why a contestant is promoted; `beat_champion` where nothing else is said."""


Trained: TypeAlias = tuple[int, int] | None
"""The first and the last event, by offset, that a model has learned from in its task; None before there is one."""


def trained_on(before: Trained, offsets: Sequence[int]) -> Trained:
    """The same, once it has learned from these events too. Labels may come in any order."""
    if not offsets:
        return before
    return (min(offsets), max(offsets)) if before is None else (min(before[0], *offsets), max(before[1], *offsets))


class Win(NamedTuple):
    """Where a contestant beat the champion: what is to be said of it, the offset and the time.

    `interval` is of the champion's mean loss less the contestant's, at the error probability of the gate, None while
    nothing can be said of it; `labels` is how many it has learned from, of events `trained`, `compared` on how many it
    was judged.
    """

    champion_loss: float
    challenger_loss: float
    interval: tuple[float, float] | None
    compared: int
    labels: int
    trained: Trained
    first_offset: int
    offset: int
    timestamp: float


class Contestant:
    """A learner that predicts every event from `first_offset` on beside the champion, and learns from every label.

    `version` is the one it came from, 0 if none; `error` its share of the probability that a model is promoted that was
    never better.
    """

    def __init__(
        self,
        number: int,
        learner: Learner[Any],
        origin: Origin,
        *,
        first_offset: int,
        error: float,
        duel: Duel,
        version: int = 0,
        stage: Stage = Stage.TRAINING,
    ) -> None:
        self.number = number
        self.learner = learner
        self.origin: Origin = origin
        self.first_offset = first_offset
        self.error = error
        self.duel = duel
        self.version = version
        self.stage = stage
        self.learned = 0
        self.trained: Trained = None
        self.warned_at: int | None = None
        """Label at which it was started by a warning that no drift has confirmed: until one does it cannot win."""
        self.kept: Kept | None = None
        """Of one that was champion before: what the library gets when it retires."""

    def move(self, cause: Cause) -> None:
        """Go on to another stage."""
        self.stage = moved(self.stage, cause)

    def begin_anew(self, first_offset: int, duel: Duel) -> None:
        """Compete from now on with another champion, or on other labels."""
        self.move(Cause.REPEATED)
        self.first_offset, self.duel = first_offset, duel

    @property
    def wins(self) -> bool:
        """Whether it is promoted, if nothing stands against it."""
        if self.origin == "reset":
            return True
        return self.stage in (Stage.CANDIDATE, Stage.SHADOW) and self.duel.better(self.error)

    @property
    def reason(self) -> str:
        """Why it is promoted."""
        return REASONS.get(self.origin, "beat_champion")

    def win(self, at: tuple[int, float]) -> Win:
        """What is to be said of it when it has won."""
        means = self.duel.means() if self.duel.n else (0.0, 0.0)
        interval = self.duel.interval(self.error)
        known = interval if math.isfinite(interval[0] + interval[1]) else None
        return Win(*means, known, self.duel.n, self.learned, self.trained, self.first_offset, *at)

    def asking(self, won: Win, version: int) -> Promote:
        """The promotion that is asked for when it has won against this version."""
        return Promote(
            self.learner,
            version,
            self.reason,
            {"champion_loss": won.champion_loss, "challenger_loss": won.challenger_loss},
            won.labels,
            won.offset,
            won.timestamp,
            parents=tuple(filter(None, (self.version, version))),
            span=(won.first_offset, won.offset),
            intervals={} if won.interval is None else {"advantage": won.interval},
            trained=won.trained,
        )
