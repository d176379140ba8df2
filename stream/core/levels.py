"""Where values stand: before a drift, in it, and now. And what the champion's errors have been like."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from detectors.segments import OTHER, name_of
from stream.records import Alert, Features

_STEP = 32
_MARKS = 4096


class Level(NamedTuple):
    """A mean (a standard deviation, if `spread`) and a profile (quantiles, or shares), as far as they are known."""

    value: float | None = None
    spread: bool = False
    profile: Mapping[str, float] | None = None


def levels(alert: Alert) -> tuple[Level, Level]:
    """The levels before and after the change that an alert tells of."""
    spread = alert.direction in ("wider", "narrower")
    reference, current = alert.reference, alert.current
    return (
        Level(alert.before, spread, None if reference is None else reference.profile),
        Level(alert.after, spread, None if current is None else current.profile),
    )


def share(usual: Level, drifted: Level, now: Level) -> float | None:
    """How far from the usual it is now, as a share of how far it was in the drift; None if they do not compare."""
    for measure in (_by_profile, _by_value):
        whole, part = measure(usual, drifted), measure(usual, now)
        if whole and part is not None:
            return part / whole
    return None


def _by_profile(one: Level, other: Level) -> float | None:
    a, b = one.profile, other.profile
    if a is None or b is None:
        return None
    return math.fsum(abs(a.get(name, 0.0) - b.get(name, 0.0)) for name in {*a, *b})


def _by_value(one: Level, other: Level) -> float | None:
    if one.value is None or other.value is None or one.spread is not other.spread:
        return None
    return abs(one.value - other.value)


def concerns(segment: str | None, features: Features) -> bool:
    """Whether an event with these features is, as far as they tell, of a segment (None: the whole stream). Any may be
    of the one for all other values.
    """
    if segment is None:
        return True
    by, _, name = segment.partition("=")
    return name == OTHER or name_of(features.get(by)) == name


class Stretch(NamedTuple):
    """Errors in a row: how many, their mean and their variance."""

    n: int
    mean: float
    variance: float


class _Mark(NamedTuple):
    n: int = 0
    total: float = 0.0
    squares: float = 0.0


class Errors:
    """Sums of the champion's errors, over a bounded past."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all errors."""
        self._n, self._total, self._squares = _Mark()
        self._marks: deque[_Mark] = deque([_Mark()], maxlen=_MARKS)

    def take(self, errors: Iterable[float]) -> None:
        """Take the next errors."""
        n, total, squares = self._n, self._total, self._squares
        for error in errors:
            n += 1
            total += error
            squares += error * error
            if n % _STEP == 0:
                self._marks.append(_Mark(n, total, squares))
        self._n, self._total, self._squares = n, total, squares

    def newest(self, n: int, skipped: int = 0) -> Stretch | None:
        """The `n` errors before the newest `skipped`: from up to 31 errors sooner on, and up to as much sooner; None if
        there are none.
        """
        first, last = self._upto(self._n - skipped - n), self._upto(self._n - skipped)
        found = last.n - first.n
        if found <= 0:
            return None
        mean = (last.total - first.total) / found
        return Stretch(found, mean, max(0.0, (last.squares - first.squares) / found - mean * mean))

    def _upto(self, n: int) -> _Mark:
        """The sums of the first `n` errors, or of up to 31 fewer; of more, if so few are not known any more."""
        if n >= self._n:
            return _Mark(self._n, self._total, self._squares)
        return self._marks[max(0, n // _STEP - self._marks[0].n // _STEP)]
