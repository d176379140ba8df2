"""What every detector is: its reading, and the guarantees the base classes give once for all.

A concept detector watches one stream of errors and knows which way is worse. A data detector watches the features
of events, several at a time, against a reference window. Neither knows what an event, a topic or a model is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from detectors.settings import DetectorConfig

LARGEST_ERROR = 1e100
"""Larger errors are refused: their squares and sums would leave the range of a float and spoil what is remembered."""

Value: TypeAlias = float | int | bool | str | None
Row: TypeAlias = Mapping[str, Value]
Direction: TypeAlias = Literal["worse", "better", "up", "down", "wider", "narrower"]
"""Of errors: worse or better. Of values and shares: up or down where they moved, wider or narrower where they did not
but spread more or less."""


class BadValue(ValueError):
    """A value that is not a usable number reached a concept detector. Nothing was changed by it."""


class State(IntEnum):
    """Where a detector stands. The order is the order of concern."""

    WARMUP = 0
    STABLE = 1
    WARNING = 2
    DRIFT = 3


Profile: TypeAlias = Mapping[str, float]
"""What values are like, for a person to read: of numbers, quantiles by name (p05, p25, p50, p75, p95); of categories,
shares by category, of up to ten and of all `other` ones, which add up to 1."""


class Reading(NamedTuple):
    """What a detector knows after a value.

    `statistic` and `threshold` are in the detector's own unit. `before` and `after` are of the stretch it compares with
    and of the recent one, and never contradict `direction`: means (shares for a category, which `detail` names), or
    standard deviations where the direction is wider or narrower. `reference_n` and `current_n` count the values in
    each. A field is None where the method has no such thing or has not compared yet.

    Of a change also, as far as a signal tells of it: `apart`, how many values there are between the reference and the
    current window, None if the reference is not of this stream; `changed_n`, how many values there are since the
    moment at which it most probably began, the newest included. Where values were looked back upon in a window, and
    all of it has changed, that is its length, and the change may be older. `effect` is how far values since that
    moment are from those before (of errors) or from the reference (of features), however many there are. Of errors it
    is the difference of the means, in their unit. Of features it is, from 0 to 1, the least share of the values since
    then that the change must have altered: the Kolmogorov-Smirnov distance of numbers, the total variation distance of
    categories, the difference of rates. `known` and `seen` are what the values of the reference and of the current
    window were like, with the same names in both; there are none of errors, of several features together, and of how
    often something is the case.

    Of errors and numbers that are watched: `dependence`, how many of them say as much as one independent one would.
    Where parts of a stream are watched apart: `segment`, the part it is of.
    """

    state: State
    statistic: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    before: float | None = None
    after: float | None = None
    direction: Direction | None = None
    reference_n: int = 0
    current_n: int = 0
    detail: str | None = None
    effect: float | None = None
    changed_n: int | None = None
    apart: int | None = 0
    dependence: float | None = None
    segment: str | None = None
    known: Profile | None = None
    seen: Profile | None = None


class Behind(NamedTuple):
    """How many rows back what a signal tells of began: 1 is the row at which it arose.

    `changed` is the row since which values have changed, `current` the first of the current window, `reference` the
    first and the last of the reference; None where a reading does not say, or the reference is not of this stream.
    """

    changed: int | None
    current: int
    reference: tuple[int, int] | None

    @classmethod
    def of_values(cls, reading: Reading) -> Behind:
        """Where every row has a value."""
        current, apart = max(1, reading.current_n), reading.apart
        last = None if apart is None else current + apart + 1
        return cls(reading.changed_n, current, None if last is None else (last + max(0, reading.reference_n - 1), last))

    def moved(self, to: Callable[[int], int]) -> Behind:
        """The same in other rows."""
        changed, current, reference = self
        return Behind(
            None if changed is None else to(changed),
            to(current),
            None if reference is None else (to(reference[0]), to(reference[1])),
        )


class Signal(NamedTuple):
    """A reading worth acting on, and the position in the observed span at which it arose.

    `segment` is the part of the stream it is about, where a detector watches parts apart, as in "country=US".
    `run_length` says how many values pass on average before a false alarm like it, where the owner of the detector
    knows. `rows` says how many rows back its windows lie, where not every row has a value.
    """

    index: int  # type: ignore[assignment]  # a tuple's own `index` has no use here
    reading: Reading
    feature: str | None = None
    segment: str | None = None
    run_length: float | None = None
    rows: Behind | None = None

    @property
    def behind(self) -> Behind:
        """How many rows back what it tells of began."""
        return self.rows or Behind.of_values(self.reading)


C = TypeVar("C", bound=DetectorConfig)

_NUMBERS = frozenset((float, int, bool))


class ConceptDetector(ABC, Generic[C]):
    """Watches errors (0 is right, larger is worse) and says when they have risen.

    Guarantees, held by the law-suite: a value that is not a finite number (of a size up to `LARGEST_ERROR`) is refused
    with `BadValue` and changes nothing; an error that falls is never an alarm; `observe` over a span equals
    `observe_one` value by value; a DRIFT reading lasts one value, after which the detector starts learning what is
    usual again; state is bounded and pickles. A fall that a detector is sure of gives one STABLE reading with
    direction `better` and makes it learn the new, lower level in the same way.

    `bounded` is True for detectors whose theory needs errors in [0, 1]; they refuse others with `BadValue`.

    Subclasses set what they derive from the configuration first and call `super().__init__` last: it calls `_forget`.
    """

    bounded: ClassVar[bool] = False

    def __init__(self, config: C) -> None:
        self.config = config
        self.reset()

    @abstractmethod
    def _update(self, error: float) -> State:
        """Take one usable error, count it in `_n`, and return the state after it (by `_conclude` after a change)."""

    @abstractmethod
    def _describe(self, state: State) -> Reading:
        """Describe the present, in which no change was just found, with the evidence."""

    @abstractmethod
    def _forget(self) -> None:
        """Make all that was learnt from values what it is before the first."""

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        self._state = State.WARMUP
        self._n = 0
        self._change: Reading | None = None
        self._forget()

    @property
    def reading(self) -> Reading:
        """The reading after the last value."""
        return self._read(self._state)

    @property
    def threshold(self) -> float | None:
        """The statistic from which it alarms; None where that depends on the values."""
        return None

    def observe_one(self, error: float) -> Reading:
        """Take one error and return the reading after it. Raises `BadValue`."""
        self._state = self._update(self._checked((error,))[0])
        return self._read(self._state)

    def observe(self, errors: Sequence[float]) -> list[Signal]:
        """Take a span of errors; return a signal for every DRIFT and for every entry into WARNING.

        Raises `BadValue` before anything is changed if any error in the span is unusable.
        """
        errors = self._checked(errors)
        signals: list[Signal] = []
        update, last = self._update, self._state
        for index, error in enumerate(errors):
            state = update(error)
            if state >= State.WARNING and (state is State.DRIFT or state is not last):
                signals.append(Signal(index, self._read(state)))
            last = state
        self._state = last
        return signals

    def _conclude(self, change: Reading) -> State:
        """Start anew after a change was found; its reading stands until the next value. Returns its state."""
        self._n = 0
        self._change = change
        self._forget()
        return change.state

    def _read(self, state: State) -> Reading:
        if self._n == 0 and self._change is not None:
            return self._change
        return self._describe(state)

    def _checked(self, errors: Sequence[Any]) -> Sequence[float]:
        """The errors as built-in numbers. Raises `BadValue` for the first that is not usable."""
        if len(errors) == 0:
            return errors
        low, high = (0.0, 1.0) if self.bounded else (-LARGEST_ERROR, LARGEST_ERROR)
        # The sum is there to find a NaN, which min and max can miss.
        plain = _NUMBERS.issuperset(map(type, errors)) and low <= min(errors) and max(errors) <= high
        if plain and not math.isnan(sum(errors)):
            return errors
        for index, error in enumerate(errors):
            if not isinstance(error, (int, float)) or not low <= error <= high:
                allowed = "0 to 1" if self.bounded else f"a finite number of at most {LARGEST_ERROR:g} in size"
                raise BadValue(f"{type(self).__name__}: value {index} of the span is {error!r}; expected {allowed}")
        return [float(error) for error in errors]


class DataDetector(ABC, Generic[C]):
    """Watches features of events against a reference window and says which of them have changed.

    Takes rows, looks at its own `features`, and judges every so many events (its config says how many), so that a
    block is handled in one vectorised pass. A missing, non-finite or wrongly typed value counts as missing and is left
    out of the comparison; it never poisons the rest.

    Guarantees, held by the law-suite: `observe` gives the same signals however a stream is cut into spans; a DRIFT
    signal for a feature makes that feature learn a new reference from the values that follow; state is bounded and
    pickles. Rows are kept until the next check, so they must not be changed after they were given. Where the config
    has an `alpha`, the false-alarm probability of one check is at most that over all features together (Bonferroni);
    a `run_length` is that of one feature.

    `together` is True for detectors that look at all their features at once. They have one reading, whose name is
    empty, and one run length; the feature of their signals is None.
    """

    together: ClassVar[bool] = False

    def __init__(self, config: C, features: Sequence[str]) -> None:
        if not features:
            raise ValueError(f"{type(self).__name__} needs at least one feature; got none")
        self.config = config
        self.features = tuple(features)

    @property
    def threshold(self) -> float | None:
        """The statistic from which it alarms; None where that depends on the values."""
        return None

    @abstractmethod
    def observe(self, rows: Sequence[Row]) -> list[Signal]:
        """Take a span of rows; return a signal, with its feature, for every DRIFT and every entry into WARNING."""

    @abstractmethod
    def readings(self) -> dict[str, Reading]:
        """The newest reading of each feature."""

    def preset(self, rows: Sequence[Row]) -> dict[str, int]:
        """Start anew with references from outside: out of rows that stand for what is usual, in random order.

        Each feature takes usable values in the order of the rows, as many as make up its reference, and is judged from
        its first full window on. Returns how many values a feature lacks, by feature; it learns those from the stream,
        and all where no row names it. After a DRIFT it learns anew as ever. A detector that has no use for such rows
        learns everything from the stream.
        """
        self.reset()
        return {}

    def rebase(self, feature: str | None = None) -> None:
        """Drop the reference of one feature, or of all, and learn it anew from the rows that follow.

        Raises ValueError for a feature that is not watched.
        """
        if feature is not None and feature not in self.features:
            raise ValueError(f"feature {feature!r} is not watched; this detector watches {', '.join(self.features)}")
        for index, name in enumerate(self.features):
            if feature in (None, name):
                self._rebase(index)

    @abstractmethod
    def _rebase(self, feature: int) -> None:
        """Drop the reference of a feature."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
