"""When a drift is over: what had changed is as it was before (recovered), or has become what is usual (settled)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import ClassVar, Final, TypeAlias

from detectors.base import Reading, State
from stream.core.levels import Level, Stretch, share
from stream.records import AlertState, Contributor

BACK: Final = 1 / 3
"""What is this near to the usual, as a share of how far it had moved, is back."""

FEWEST_ERRORS: Final = 200
MOST_ERRORS: Final = 20_000
_ROOM: Final = 6.0
"""Standard errors that fit between the usual mean error and that of the drift: between what is back and what is not lie
two thirds of them."""

_MOST_VARIED: Final = 0.25
"""The largest variance of values in [0, 1]."""

QUIET: Final = 5
"""Blocks of errors without another alarm after which their level is what is usual."""

_HALF: Final = 0.5
"""A larger share of rejected records never becomes what is usual: most of a topic is lost."""

FEWEST_EVENTS: Final = 100
CALM: Final = 2
"""Reviews in a row in which detectors must find a feature as its reference for its level to be what is usual."""


_GONE: Final = Reading(State.STABLE)
"""What is made of a feature that nobody watches any more."""

Subject: TypeAlias = tuple[str | None, str | None]
"""What can drift: a feature (None: the errors) of a segment (None: of the whole stream)."""


class Member:
    """A subject that has drifted, and how far from the usual it is.

    What can only be too much, such as errors, is no distance below the usual. What may be `most` is not back above.
    """

    def __init__(
        self,
        evidence: Contributor,
        usual: Level,
        drifted: Level,
        *,
        only_too_much: bool = False,
        most: float = math.inf,
    ) -> None:
        self.evidence = evidence  # at its clearest
        self.usual = usual
        self.drifted = drifted
        self.now = drifted
        self._only_too_much = only_too_much
        self._most = most
        self._told = 1.0  # the largest distance that was told
        self.calm = 0

    @property
    def distance(self) -> float | None:
        """From the usual to what is now, in distances of the drift; None if they do not compare."""
        distance = share(self.usual, self.drifted, self.now)
        usual, now = self.usual.value, self.now.value
        below = usual is not None and now is not None and now < usual
        return 0.0 if distance and below and self._only_too_much else distance

    @property
    def back(self) -> bool:
        """Whether it is as it was before."""
        distance = self.distance
        return distance is not None and distance <= BACK and (self.now.value or 0.0) <= self._most

    @property
    def has_moved_on(self) -> bool:
        """Whether it has moved on from the last that was told by as much as it had moved at first."""
        return (self.distance or 0.0) >= self._told + 1.0

    def tell(self) -> None:
        """What is now is told."""
        self._told = self.distance or 1.0

    def led_to_now(self) -> None:
        """What is now is what the drift has led to, unless it is back."""
        if self.distance is not None and not self.back:
            self.drifted = self.now

    def widen(self) -> None:
        """What is now is what the drift has led to, if it is further from the usual than was thought."""
        if (self.distance or 0.0) > 1.0:
            self.drifted = self.now

    def again(self, evidence: Contributor, now: Level) -> None:
        """A detector has found a change to what is now."""
        self.now = now
        self.calm = 0
        if (evidence.over or 0.0) > (self.evidence.over or 0.0):
            self.evidence = evidence


class ErrorEnding:
    """Looks at the errors since a drift in blocks of no fewer than it took to see the drift.

    The first tells where the drift has led to, which few errors do not. Those after it have so many that the mean tells
    back from not back. The first with a mean near the usual is the recovery. After `QUIET` blocks in which no detector
    has alarmed again, the drift has settled.
    """

    quiet: ClassVar[int] = QUIET

    def __init__(self, member: Member, took: int, errors: Stretch | None) -> None:
        self._member = member
        self._least = min(MOST_ERRORS, max(FEWEST_ERRORS, took))
        self._variance = _MOST_VARIED if errors is None else errors.variance
        self._verdict: AlertState | None = None
        self._quiet = 0
        self._certain = False
        self.start()

    def start(self) -> None:
        """Begin a block."""
        self._size = max(self._least, self._needed() if self._certain else 0)
        self._n = 0
        self._sum = 0.0

    def again(self) -> None:
        """A detector has alarmed."""
        self._quiet = 0
        if self._certain:
            self.start()

    def certain(self, position: int) -> bool:
        """Whether it is known where the drift has led to."""
        return self._certain

    def add(self, error: float) -> bool:
        """Take the next error; whether it was the last of its block."""
        self._n += 1
        self._sum += error
        if self._n < self._size:
            return False
        self._member.now = Level(self._sum / self._n)
        self._quiet += 1
        self._look()
        if self._member.back and self._n >= self._needed():
            self._verdict = "recovered"
        elif self._quiet >= self.quiet:
            self._verdict = "settled"
        self.start()
        return True

    def _look(self) -> None:
        """Take note of what is now."""
        if not self._certain:
            self._certain = True
            self._member.widen()

    def verdict(self) -> AlertState | None:
        """Whether, and how, the drift is over."""
        return self._verdict

    def _level(self) -> float | None:
        """What is to be told from the usual."""
        return self._member.drifted.value

    def _needed(self) -> int:
        """Errors whose mean tells back from not back."""
        usual, drifted = self._member.usual.value, self._level()
        if usual is None or drifted is None or usual == drifted:
            return 0
        return min(MOST_ERRORS, math.ceil(self._variance * (_ROOM / (drifted - usual)) ** 2))


class RecordEnding(ErrorEnding):
    """Looks at records, of which rejected ones are errors.

    A rise of them is found in so few that its size is as likely thought too large as too small, and may fall to a part
    of that. So what is told from the usual is the share in the two newest blocks that were not back; in one of them it
    may have fallen. What is usual of them was stated and not learnt, so that it takes longer until something else is;
    nothing else is while more than half are rejected.
    """

    quiet = 50

    def __init__(self, member: Member, took: int, errors: Stretch | None) -> None:
        self._shares: deque[float] = deque(maxlen=2)
        super().__init__(member, took, errors)

    def _look(self) -> None:
        if not self._certain:
            self._certain = True
            self._member.led_to_now()
        if self._sum > _HALF * self._n:
            self._quiet = 0
        if not self._member.back:
            self._shares.append(self._sum / self._n)
            share = max(self._shares)
            self._variance = share * (1.0 - share)

    def _level(self) -> float | None:
        return max(self._shares) if self._shares else super()._level()


class FeatureEnding:
    """Looks at what detectors make of features that have drifted, once every so many events as the window that saw the
    drift has values. Over is the drift when each was found as its reference at `CALM` reviews in a row, or is back.
    """

    def __init__(self, members: Mapping[Subject, Member], window: int, position: int) -> None:
        self._members = members  # to which more may come
        self._step = max(FEWEST_EVENTS, window)
        self._next = position + self._step
        self._certain = position + window

    def again(self) -> None:
        """A detector has alarmed: its member knows."""

    def certain(self, position: int) -> bool:
        """Whether the window that saw the drift is full of what it has led to."""
        return position > self._certain

    def due(self, position: int) -> bool:
        """Whether it is time for a review, after so many events; if so, the next one is in a while."""
        if position < self._next:
            return False
        self._next = position + self._step
        return True

    def review(self, readings: Mapping[tuple[str, str], Reading]) -> None:
        """Take note of the newest readings by (detector, feature), which of segments are those of the worst."""
        for member in self._members.values():
            evidence = member.evidence
            reading = readings.get((evidence.detector, evidence.feature or ""), _GONE)
            member.calm = member.calm + 1 if reading.state is State.STABLE else 0
            if member.calm and evidence.segment is None and reading.after is not None:
                member.now = Level(reading.after, reading.direction in ("wider", "narrower"), reading.seen)

    def verdict(self) -> AlertState | None:
        """Whether, and how, the drift of all members is over."""
        members = self._members.values()
        if all(member.back for member in members):
            return "recovered"
        return "settled" if all(member.back or member.calm >= CALM for member in members) else None
