"""What the data detectors share: blocks of rows, a reference per feature, and a sliding window of slots.

A detector says which slot of its reference a value falls into (a rank, a category) and judges the window. How values
come and go, when the reference is complete and when a feature is judged is settled here, once.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from detectors.base import DataDetector, DetectorConfig, Reading, Row, Signal, State, Value

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Slots: TypeAlias = npt.NDArray[np.signedinteger[Any]]
States: TypeAlias = npt.NDArray[np.int8]
Cells: TypeAlias = tuple[Any, Any]
"""An index of cells of the windows: which features, and where in their rings."""


WARMUP, STABLE, WARNING, DRIFT = map(int, State)
"""The states in arrays: NumPy is several times slower where it meets a member of an enumeration."""

_AT_ONCE = 100
"""Rows taken at once where several checks are due: so few that a feature restarted among them learns no reference."""


class WindowedConfig(DetectorConfig):
    """Common to detectors that compare a sliding window of a feature with a reference window taken before it."""

    features: tuple[str, ...] | None = Field(
        None, min_length=1, description="features to watch; all of its type if absent"
    )
    reference: int = Field(1000, ge=100, le=100_000, description="values of a feature that make up its reference")
    window: int = Field(500, ge=30, le=100_000, description="newest values of a feature, compared with the reference")
    every: int = Field(100, ge=1, le=100_000, description="events between two checks")
    alpha: float = Field(
        1e-4, gt=0, lt=1, description="probability of a false alarm at one check, over all features together"
    )
    warning_alpha: float | None = Field(
        None, gt=0, lt=1, description="the same for a warning, larger than alpha; no warnings if absent"
    )
    min_effect: float = Field(
        0.1, ge=0, lt=1, description="smallest change worth an alarm: the share of events that would have to be moved"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.warning_alpha is not None and self.warning_alpha <= self.alpha:
            raise ValueError(
                f"warning_alpha: got {self.warning_alpha:g}; expected more than alpha={self.alpha:g}. Raise it, or "
                "remove it to have no warnings"
            )
        if self.every > self.window:
            raise ValueError(
                f"every: got {self.every}; expected at most window={self.window}, as values would pass unseen "
                "between two checks. Lower every or raise window"
            )
        if self.features is not None and len(set(self.features)) < len(self.features):
            raise ValueError(f"features: got {', '.join(self.features)}; each may be named once. Remove the repetition")
        return self


class Batch(NamedTuple):
    """Rows in columns: values, which of them are usable, and their slots; all are features by rows."""

    values: npt.NDArray[Any]
    usable: Bools
    slots: Slots

    def part(self, start: int, end: int) -> Batch:
        """The rows from `start` to before `end`, not copied."""
        return Batch(self.values[:, start:end], self.usable[:, start:end], self.slots[:, start:end])


W = TypeVar("W", bound=WindowedConfig)


class WindowedDetector(DataDetector[W]):
    """Judges, after every `every` rows, each feature whose reference and window are full.

    A feature's reference is its first `reference` usable values, its window the newest `window` after those. Missing
    values are skipped, so features fill at their own pace; one that is not full is in WARMUP. Slots are numbered on
    over the features, `_width` to each, of which the last is for cells that hold no value yet. Rows wait for the next
    check; as far as the observed span reaches beyond it, rows are taken for several checks at once.

    Subclasses keep what they know of references and windows in arrays of one row per feature, made in their
    constructor before `super().__init__`.
    """

    def __init__(self, config: W, features: Sequence[str]) -> None:
        super().__init__(config, features)
        self._share = config.alpha / len(self.features)
        self._warning_share = None if config.warning_alpha is None else config.warning_alpha / len(self.features)
        self._width = self._slots() + 1
        self.reset()

    @abstractmethod
    def _slots(self) -> int:
        """The number of slots a value can fall into."""

    @abstractmethod
    def _columns(self, block: Sequence[Row]) -> tuple[npt.NDArray[Any], Bools]:
        """The values of a block, features by rows, and which of them are usable."""

    @abstractmethod
    def _learn(self, feature: int, values: npt.NDArray[Any]) -> None:
        """Make `values` the reference of a feature."""

    @abstractmethod
    def _place(self, values: npt.NDArray[Any], usable: Bools) -> Slots:
        """The slot of each value, features by rows; any of its feature for values that are not usable."""

    @abstractmethod
    def _judge(self, features: Ints) -> States:
        """STABLE, WARNING or DRIFT for each of some features, all of them full."""

    @abstractmethod
    def _read(self, feature: int, state: State) -> Reading:
        """The present reading of a full feature."""

    def _ahead(self) -> int:
        """The checks that `_foresee` may be asked for at once: so many that their rows are no more than `window`."""
        return 1

    def _foresee(self, going: Slots, coming: Slots, counted: Ints) -> States:
        """The state of each feature at each of several checks, checks by features.

        Row e takes `going[:, e]` out of the windows and puts `coming[:, e]` in; they are the same where there is no
        value. `counted` are the values that will have entered, checks by features: what is said of a feature that is
        not full does not matter.
        """
        raise NotImplementedError

    def _exchange(self, cells: Cells, going: Slots, coming: Slots, values: npt.NDArray[Any]) -> None:
        """Take note that cells of the windows change from some slots to others, and of the values that enter."""

    def observe(self, rows: Sequence[Row]) -> list[Signal]:
        """Take a span of rows; return a signal, with its feature, for every DRIFT and every entry into WARNING."""
        block, every = self._block, self.config.every
        if len(block) + len(rows) < every:
            block.extend(rows)
            return []
        signals: list[Signal] = []
        taken = 0
        while (left := len(block) + len(rows) - taken) >= every:
            upto = taken + max(every, min(left, _AT_ONCE) // every * every) - len(block)
            block.extend(rows[taken:upto])
            signals += self._take(upto - len(block))
            block.clear()
            taken = upto
        block.extend(rows[taken:])
        return signals

    def readings(self) -> dict[str, Reading]:
        """The newest reading of each feature: of the last check, or its progress if it is not full."""
        return {name: self._reading(feature) for feature, name in enumerate(self.features)}

    def rebase(self, feature: str | None = None) -> None:
        """Drop the reference of one feature, or of all, and learn it anew from the rows that follow.

        Raises ValueError for a feature that is not watched.
        """
        if feature is not None and feature not in self.features:
            raise ValueError(f"feature {feature!r} is not watched; this detector watches {', '.join(self.features)}")
        for index, name in enumerate(self.features):
            if feature in (None, name):
                self._start(index)
                self._skip[index] = len(self._block)

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        n, window = len(self.features), self.config.window
        self._block: list[Row] = []  # rows that wait for a check
        self._skip = [0] * n  # rows of the present block that came before the feature was rebased
        self._gathered: list[list[Any]] = [[] for _ in range(n)]  # values of a reference that is not complete
        self._learnt = [False] * n
        self._taken = 0  # rows
        self._entered = np.zeros(n, dtype=np.int64)  # values that have entered the window
        self._next = np.zeros(n, dtype=np.int64)  # the oldest cell of the window, which is a ring
        kind = np.int32 if n * self._width < np.iinfo(np.int32).max else np.int64
        self._windows: Slots = np.zeros((n, window), dtype=np.dtype(kind))
        self._states: States = np.zeros(n, dtype=np.int8)
        self._alarms: list[Reading | None] = [None] * n
        for index in range(n):
            self._start(index)

    def _start(self, feature: int) -> None:
        """Make a feature what it is before its first value."""
        self._gathered[feature] = []
        self._learnt[feature] = False
        self._entered[feature] = 0
        self._windows[feature] = (feature + 1) * self._width - 1
        self._states[feature] = WARMUP
        self._alarms[feature] = None

    def _take(self, first: int) -> list[Signal]:
        """Take the block, which ends with a check; `first` is the position of its first row in the observed span."""
        values, usable = self._columns(self._block)
        if any(self._skip):
            for feature, skipped in enumerate(self._skip):
                usable[feature, :skipped] = False
            self._skip = [0] * len(self._skip)
        if not all(self._learnt):
            for feature, learnt in enumerate(self._learnt):
                if not learnt:
                    self._gather(feature, values[feature], usable[feature])
        batch = Batch(values, usable, self._place(values, usable))
        every, rows = self.config.every, len(self._block)
        ahead = every * self._ahead()
        signals: list[Signal] = []
        for start in range(0, rows, ahead):
            end = min(start + ahead, rows)
            self._alarms = [None] * len(self.features)
            take = self._take_one if end - start == every else self._take_several
            found = take(batch, start, end)
            signals += [signal._replace(index=first + signal.index) for signal in found]
        self._taken += rows
        return signals

    def _take_one(self, batch: Batch, start: int, end: int) -> list[Signal]:
        """Take rows up to the next check."""
        self._enter(batch.part(start, end))
        full = (self._entered >= self.config.window).nonzero()[0]
        if not len(full):
            return []
        states, before = self._judge(full), self._states[full]
        self._states[full] = states
        if states.max() < WARNING:
            return []
        news = _news(states, before)
        told = zip(full[news].tolist(), states[news].tolist(), strict=True)
        return [self._signal(batch, end, feature, State(state)) for feature, state in told]

    def _take_several(self, batch: Batch, start: int, end: int) -> list[Signal]:
        """Take rows up to the last of several checks. Features with something to tell are followed one by one."""
        every, window = self.config.every, self.config.window
        part = batch.part(start, end)
        entering = part.usable.cumsum(axis=1)
        cells = (self._next[:, np.newaxis] + entering - 1) % window
        going: Slots = np.take_along_axis(self._windows, cells, axis=1)
        counted = (self._entered[:, np.newaxis] + entering[:, every - 1 :: every]).T
        states = self._foresee(going, np.where(part.usable, part.slots, going), counted)
        states[counted < window] = WARMUP
        news = _news(states, np.concatenate([self._states[np.newaxis], states[:-1]]))
        self._states[:] = states[-1]
        signals: list[Signal] = []
        if news.any():
            for feature in np.flatnonzero(news.any(axis=0)).tolist():
                checks = np.flatnonzero(news[:, feature])
                ends = start + (checks + 1) * every
                signals += self._follow(batch, start, end, feature, ends.tolist(), states[checks, feature])
            signals.sort(key=lambda signal: signal.index)
        self._enter(part)
        return signals

    def _follow(
        self, batch: Batch, start: int, end: int, feature: int, ends: list[int], states: States
    ) -> list[Signal]:
        """Take rows for one feature, which has something to tell where some of them end, and no longer for others."""
        own = np.zeros_like(batch.usable)
        own[feature] = batch.usable[feature]
        alone = batch._replace(usable=own)
        signals: list[Signal] = []
        for upto, state in zip(ends, states.tolist(), strict=True):
            self._enter(alone.part(start, upto))
            signals.append(self._signal(batch, upto, feature, State(state)))
            start = upto
            if state == DRIFT:
                if upto < end:  # there was another check
                    self._alarms[feature] = None
                return signals
        if start < end:
            self._enter(alone.part(start, end))
        batch.usable[feature, :end] = False
        return signals

    def _signal(self, batch: Batch, end: int, feature: int, state: State) -> Signal:
        """The signal of a feature at the present check, before row `end`. After DRIFT it starts anew, with that row."""
        reading = self._read(feature, state)
        if state is State.DRIFT:
            self._start(feature)
            self._alarms[feature] = reading
            self._gather(feature, batch.values[feature, end:], batch.usable[feature, end:])
            batch.usable[feature, :end] = False
        return Signal(end - 1, reading, self.features[feature])

    def _gather(self, feature: int, values: npt.NDArray[Any], usable: Bools) -> None:
        """Take values for a reference, and leave those usable that come after its completion."""
        gathered = self._gathered[feature]
        found = np.flatnonzero(usable)[: self.config.reference - len(gathered)]
        gathered.extend(values[found].tolist())
        usable[found] = False
        if len(gathered) == self.config.reference:
            self._learn(feature, np.array(gathered, dtype=values.dtype))
            self._learnt[feature] = True
            self._gathered[feature] = []
            # Where it would be had it taken all rows: features without gaps have their rings in step.
            self._next[feature] = (self._taken + int(found[-1]) + 1) % self.config.window

    def _enter(self, batch: Batch) -> None:
        """Let usable values into the windows of their features, and the oldest ones out."""
        values, usable, slots = batch
        window, rows = self.config.window, usable.shape[1]
        start = int(self._next[0])
        complete = np.count_nonzero(usable) == usable.size
        if complete and start + rows <= window and np.count_nonzero(self._next == start) == len(usable):
            cells: Cells = slice(None), slice(start, start + rows)
            coming, entering = slots, values
            self._entered += rows
            self._next += rows
        else:
            entered = usable.cumsum(axis=1)
            features = np.nonzero(usable)[0]
            cells = features, (self._next[features] + entered[usable] - 1) % window
            coming, entering = slots[usable], values[usable]
            self._entered += entered[:, -1]
            self._next += entered[:, -1]
        self._next %= window
        self._exchange(cells, self._windows[cells], coming, entering)
        self._windows[cells] = coming

    def _reading(self, feature: int) -> Reading:
        alarm = self._alarms[feature]
        if alarm is not None:
            return alarm
        reference = self.config.reference if self._learnt[feature] else len(self._gathered[feature])
        current = min(int(self._entered[feature]), self.config.window)
        state = State(int(self._states[feature]))
        if state is State.WARMUP:
            return Reading(State.WARMUP, reference_n=reference, current_n=current)
        return self._read(feature, state)

    def __getstate__(self) -> dict[str, Any]:
        """Of the rows that wait for the next check, only what will be looked at is kept."""
        state = self.__dict__.copy()
        state["_block"] = [{name: plain(row.get(name)) for name in self.features} for row in self._block]
        return state


def plain(value: Any) -> Value:
    """The value as a built-in number or text; None if it is neither."""
    for kind in (bool, str, int, float):
        if isinstance(value, kind):
            return value if type(value) is kind else kind(value)
    try:
        number: float = array("d", (value,))[0]  # a number of another library
    except (TypeError, ValueError, OverflowError):
        return None
    return number


def _news(states: States, before: States) -> Bools:
    """Whether checks that find `states` after `before` are told of: every DRIFT, and every entry into WARNING."""
    news: Bools = (states == DRIFT) | ((states == WARNING) & (before != WARNING))
    return news
