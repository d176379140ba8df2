"""What the data detectors share: blocks of rows, a reference per feature, counts over slots of a sliding window.

A detector says which slot of its reference a value falls into (a rank, a category) and judges the counts. How values
come and go, when the reference is complete and when a feature is judged is settled here, once.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Self, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from detectors.base import DataDetector, DetectorConfig, Reading, Row, Signal, State, Value

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_ONE = np.int32(1)  # of the counts' own type: `ufunc.at` is 25 times slower when it has to convert


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


W = TypeVar("W", bound=WindowedConfig)


class WindowedDetector(DataDetector[W]):
    """Takes rows in blocks of `every` and judges each feature whose reference and window are full.

    A feature's reference is its first `reference` usable values, its window the newest `window` after those. Missing
    values are skipped, so features fill at their own pace; one that is not full is in WARMUP. Subclasses keep what
    they know of a reference in arrays of one row per feature, made in their constructor before `super().__init__`.
    """

    def __init__(self, config: W, features: Sequence[str]) -> None:
        super().__init__(config, features)
        self._share = config.alpha / len(self.features)
        self._warning_share = None if config.warning_alpha is None else config.warning_alpha / len(self.features)
        self._nowhere = self._slots()  # cells of the window that hold no value yet count in a slot of their own
        self.reset()

    @abstractmethod
    def _slots(self) -> int:
        """The number of slots a value can fall into."""

    @abstractmethod
    def _columns(self, block: Sequence[Row]) -> tuple[npt.NDArray[Any], Bools]:
        """The values of a block, features by rows, and which of them are usable."""

    def _flat(self, block: Sequence[Row]) -> list[Any]:
        """The values of a block, row by row; None where a row lacks a feature."""
        if len(self.features) > 1:
            try:
                return list(chain.from_iterable(map(itemgetter(*self.features), block)))
            except KeyError:
                pass
        return [row.get(name) for row in block for name in self.features]

    @abstractmethod
    def _learn(self, feature: int, values: npt.NDArray[Any]) -> None:
        """Make `values` the reference of a feature."""

    @abstractmethod
    def _place(self, values: npt.NDArray[Any], usable: Bools) -> Ints:
        """The slot of each value, features by rows; anything for values that are not usable."""

    @abstractmethod
    def _judge(self, features: Ints) -> list[State]:
        """STABLE, WARNING or DRIFT for each of some features, all of them full."""

    @abstractmethod
    def _read(self, feature: int, state: State) -> Reading:
        """The present reading of a full feature."""

    def _keep(self, cells: Ints, values: npt.NDArray[Any]) -> None:
        """Take note of values that enter the window at these cells (feature times window, plus position)."""

    def observe(self, rows: Sequence[Row]) -> list[Signal]:
        """Take a span of rows; return a signal, with its feature, for every DRIFT and every entry into WARNING."""
        block, every = self._block, self.config.every
        if len(block) + len(rows) < every:
            block.extend(rows)
            return []
        signals: list[Signal] = []
        taken = 0
        while len(block) + len(rows) - taken >= every:
            upto = taken + every - len(block)
            block.extend(rows[taken:upto])
            signals += self._check(upto - 1)
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
        self._block: list[Row] = []
        self._skip = [0] * n  # rows of the present block that came before the feature was rebased
        self._gathered: list[list[Any]] = [[] for _ in range(n)]  # values of a reference that is not complete
        self._learnt = np.zeros(n, dtype=np.bool_)
        self._entered = np.zeros(n, dtype=np.int64)  # values that have entered the window
        self._cells = np.zeros((n, window), dtype=np.int64)  # the window as a ring: where each value is counted
        self._counts = np.zeros((n, self._nowhere + 1), dtype=np.int32)
        self._states = [State.WARMUP] * n
        self._alarms: list[Reading | None] = [None] * n
        for index in range(n):
            self._start(index)

    def _start(self, feature: int) -> None:
        """Make a feature what it is before its first value."""
        self._gathered[feature] = []
        self._learnt[feature] = False
        self._entered[feature] = 0
        self._cells[feature] = feature * (self._nowhere + 1) + self._nowhere
        self._counts[feature] = 0
        self._counts[feature, self._nowhere] = self.config.window
        self._states[feature] = State.WARMUP
        self._alarms[feature] = None

    def _check(self, position: int) -> list[Signal]:
        """Take the block, which is full, and judge; `position` is where in the observed span it ended."""
        values, usable = self._columns(self._block)
        for feature, skipped in enumerate(self._skip):
            if skipped:
                usable[feature, :skipped] = False
                self._skip[feature] = 0
        if not self._learnt.all():
            for feature in np.flatnonzero(~self._learnt).tolist():
                self._gather(feature, values[feature], usable[feature])
        self._enter(values, usable)
        full = np.flatnonzero(self._entered >= self.config.window)
        signals: list[Signal] = []
        self._alarms = [None] * len(self.features)
        for feature, state in zip(full.tolist(), self._judge(full) if len(full) else [], strict=True):
            before, self._states[feature] = self._states[feature], state
            if state is State.DRIFT or (state is State.WARNING and before is not State.WARNING):
                reading = self._read(feature, state)
                signals.append(Signal(position, reading, self.features[feature]))
                if state is State.DRIFT:
                    self._start(feature)
                    self._alarms[feature] = reading
        return signals

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

    def _enter(self, values: npt.NDArray[Any], usable: Bools) -> None:
        """Let usable values into the windows of their features, and the oldest ones out."""
        slots = self._place(values, usable)
        features = np.arange(len(values), dtype=np.int64)[:, np.newaxis]
        cells = (self._entered[:, np.newaxis] + usable.cumsum(axis=1) - 1) % self.config.window
        cells += features * self.config.window
        slots += features * (self._nowhere + 1)
        if usable.all():  # as nearly always; picking by a mask takes longer than all the rest
            coming, going, entering = slots.reshape(-1), cells.reshape(-1), values.reshape(-1)
        else:
            coming, going, entering = slots[usable], cells[usable], values[usable]
        counts, ring = self._counts.reshape(-1), self._cells.reshape(-1)
        np.subtract.at(counts, ring[going], _ONE)
        np.add.at(counts, coming, _ONE)
        ring[going] = coming
        self._keep(going, entering)
        self._entered += usable.sum(axis=1)

    def _reading(self, feature: int) -> Reading:
        alarm = self._alarms[feature]
        if alarm is not None:
            return alarm
        reference = self.config.reference if self._learnt[feature] else len(self._gathered[feature])
        current = min(int(self._entered[feature]), self.config.window)
        if self._states[feature] is State.WARMUP:
            return Reading(State.WARMUP, reference_n=reference, current_n=current)
        return self._read(feature, self._states[feature])

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
