"""What the data detectors share: blocks of rows, a reference per feature, and a sliding window of slots.

A detector says which slot of its reference a value falls into (a rank, a category) and judges the window. How values
come and go, when the reference is complete and when a feature is judged is settled here, once.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from detectors.base import Reading, Row, Signal, State
from detectors.data.blocks import BlockDetector, stretched
from detectors.data.rolling import Rolling
from detectors.data.window_config import WindowedConfig

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Slots: TypeAlias = npt.NDArray[np.signedinteger[Any]]
States: TypeAlias = npt.NDArray[np.int8]
Cells: TypeAlias = tuple[Any, Any]
"""An index of cells of the windows: which features, and where in their rings."""


WARMUP, STABLE, WARNING, DRIFT = map(int, State)
"""The states in arrays: NumPy is several times slower where it meets a member of an enumeration."""


ALL = slice(None)
"""Which features an array has rows of."""


class Batch(NamedTuple):
    """Rows in columns: values, which of them are usable, and their slots; all are features by rows."""

    values: npt.NDArray[Any]
    usable: Bools
    slots: Slots

    def part(self, start: int, end: int) -> Batch:
        """The rows from `start` to before `end`, not copied."""
        return Batch(self.values[:, start:end], self.usable[:, start:end], self.slots[:, start:end])


W = TypeVar("W", bound=WindowedConfig)


class WindowedDetector(BlockDetector[W]):
    """Judges, after every `every` rows, each feature whose reference and window are full.

    A feature's reference is its first `reference` usable values, its window the newest `window` after those. With
    `rolling` the reference moves on later, to the values that end `gap` before the window of the check at which it
    moves (see `RollingConfig`). Missing values are skipped, so features fill at their own pace; one that is not full
    is in WARMUP. Slots are numbered on over the features, `_width` to each, of which the last is for cells that hold no
    value yet. Rows wait for the next check; as far as the observed span reaches beyond it, rows are taken for several
    checks at once.

    Subclasses keep what they know of references and windows in arrays of one row per feature, made in their
    constructor before `super().__init__`.
    """

    at_once: ClassVar[int] = 100
    """So few that a feature restarted among them learns no reference."""

    def __init__(self, config: W, features: Sequence[str]) -> None:
        super().__init__(config, features)
        self._share = self._chance()
        self._warning_share = None if config.warning_alpha is None else config.warning_alpha / len(self.features)
        self._width = self._slots() + 1
        sizes = len(self.features), config.reference, config.window
        self._rolling = None if config.rolling is None else Rolling(config.rolling, *sizes)
        self.reset()

    def _chance(self, freedom: int | None = None, surer: int = 0) -> float:
        """The chance of a false alarm at one check of one feature; see `WindowedConfig.chance`."""
        return self.config.chance(len(self.features), freedom, surer)

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
    def _place(self, values: npt.NDArray[Any], usable: Bools, features: slice = ALL) -> Slots:
        """The slot of each value, `features` by rows; any of its feature for values that are not usable."""

    @abstractmethod
    def _judge(self, features: Ints) -> States:
        """STABLE, WARNING or DRIFT for each of some features, all of them full."""

    @abstractmethod
    def _read(self, feature: int, state: State) -> Reading:
        """The present reading of a full feature."""

    @abstractmethod
    def _explain(self, feature: int, reading: Reading) -> Reading:
        """The present reading of a full feature, which will be told of, with what is said of a change."""

    def _exchange(self, cells: Cells, going: Slots, coming: Slots, values: npt.NDArray[Any]) -> None:
        """Take note that cells of the windows change from some slots to others, and of the values that enter."""

    def readings(self) -> dict[str, Reading]:
        """The newest reading of each feature: of the last check, or its progress if it is not full."""
        return {name: self._reading(feature) for feature, name in enumerate(self.features)}

    def reset(self) -> None:
        """Forget everything seen, as if newly made."""
        super().reset()
        n, window = len(self.features), self.config.window
        self._gathered: list[list[Any]] = [[] for _ in range(n)]  # values of a reference that is not complete
        self._learnt = [False] * n
        self._entered = np.zeros(n, dtype=np.int64)  # values that have entered the window
        self._ended: list[int | None] = [0] * n  # after how many of these the reference did; None if it is from outside
        self._next = np.zeros(n, dtype=np.int64)  # the oldest cell of the window, which is a ring
        kind = np.int32 if n * self._width < np.iinfo(np.int32).max else np.int64
        self._windows: Slots = np.zeros((n, window), dtype=np.dtype(kind))
        self._states: States = np.zeros(n, dtype=np.int8)
        for index in range(n):
            self._start(index)

    def preset(self, rows: Sequence[Row]) -> dict[str, int]:
        """Start anew with references out of rows, and say what each feature lacks (see `DataDetector`)."""
        self.reset()
        named = frozenset[str]().union(*rows)
        if rows:
            values, usable = self._columns(rows)
            usable[[name not in named for name in self.features]] = False
            for feature in range(len(self.features)):
                self._gather(feature, values[feature], usable[feature])
            self._ended = [None if learnt else 0 for learnt in self._learnt]
            self._next[:] = 0  # the rows are not of the stream, in which features without gaps are in step
        return {
            name: self.config.reference - len(gathered)
            for name, gathered, learnt in zip(self.features, self._gathered, self._learnt, strict=True)
            if not learnt
        }

    def _start(self, feature: int) -> None:
        self._gathered[feature] = []
        self._learnt[feature] = False
        self._entered[feature] = 0
        self._ended[feature] = 0
        self._windows[feature] = (feature + 1) * self._width - 1
        self._states[feature] = WARMUP
        self._alarms[feature] = None
        if self._rolling is not None:
            self._rolling.start(feature)

    def _take(self, first: int) -> list[Signal]:
        values, usable = self._columns(self._block)
        self._leave_out(usable)
        signals: list[Signal] = []
        start, rows = 0, usable.shape[1]
        while start < rows:
            end = start + self._roll(usable[:, start:])
            signals += self._take_columns(values[:, start:end], usable[:, start:end], first + start)
            start = end
        return signals

    def _roll(self, usable: Bools) -> int:
        """Move the references that are due at the next check; the rows up to the check before more are."""
        every, rolling = self.config.every, self._rolling
        if rolling is None:
            return len(usable[0])
        counts = rolling.checks(usable, every)
        for feature in np.flatnonzero(rolling.due(counts)[:, 0]).tolist():
            count = int(counts[feature, 0])
            self._move(feature, rolling.move(feature, count), rolling)
            end = count - rolling.behind - self.config.reference
            known = self._ended[feature] is not None or end >= self.config.reference
            self._ended[feature] = end if known else None
        later: Bools = np.logical_or.reduce(rolling.due(counts))
        return every * int(later.argmax() if later.any() else later.size)

    def _move(self, feature: int, reference: npt.NDArray[Any], rolling: Rolling) -> None:
        """Make other values the reference of a feature, and see its window in the light of them."""
        self._learn(feature, reference)
        n = min(int(self._entered[feature]), self.config.window)
        values, usable = rolling.newest(feature, n), np.ones((1, n), dtype=np.bool_)
        cells: Cells = feature, (self._next[feature] + np.arange(-n, 0)) % self.config.window
        coming = self._place(values[np.newaxis], usable, slice(feature, feature + 1))[0]
        self._exchange(cells, self._windows[cells], coming, values)
        self._windows[cells] = coming

    def _take_columns(self, values: npt.NDArray[Any], usable: Bools, first: int) -> list[Signal]:
        if not all(self._learnt):
            for feature, learnt in enumerate(self._learnt):
                if not learnt:
                    self._gather(feature, values[feature], usable[feature])
        batch = Batch(values, usable, self._place(values, usable))
        signals = [signal._replace(index=first + signal.index) for signal in self._take_all(batch)]
        self._taken += usable.shape[1]
        return signals

    def _take_all(self, batch: Batch) -> list[Signal]:
        """Take rows, the last of which are followed by a check; positions of signals are among them."""
        every, rows = self.config.every, batch.usable.shape[1]
        return [signal for start in range(0, rows, every) for signal in self._take_one(batch, start, start + every)]

    def _take_one(self, batch: Batch, start: int, end: int) -> list[Signal]:
        """Take rows up to the next check."""
        self._alarms = [None] * len(self.features)
        self._enter(batch.part(start, end))
        full = (self._entered >= self.config.window).nonzero()[0]
        if not len(full):
            return []
        states, before = self._judge(full), self._states[full]
        self._states[full] = states
        if states.max() < WARNING:
            return []
        news = news_of(states, before)
        told = zip(full[news].tolist(), states[news].tolist(), strict=True)
        return [self._signal(batch, end, feature, State(state)) for feature, state in told]

    def _signal(self, batch: Batch, end: int, feature: int, state: State) -> Signal:
        """The signal of a feature at the present check, before row `end`. After DRIFT it starts anew, with that row."""
        ended, entered = self._ended[feature], int(self._entered[feature])
        apart = None if ended is None else entered - self.config.window - ended
        reading = self._explain(feature, self._read(feature, state))._replace(apart=apart)
        now, learnt = self._taken + end, 0 if ended is None else self.config.reference
        rows = stretched(reading, now - self._began[feature], learnt + entered)
        if state is State.DRIFT:
            self._start(feature)
            self._began[feature] = now
            self._alarms[feature] = reading
            self._gather(feature, batch.values[feature, end:], batch.usable[feature, end:])
            batch.usable[feature, :end] = False
        return Signal(end - 1, reading, self.features[feature], rows=rows)

    def _gather(self, feature: int, values: npt.NDArray[Any], usable: Bools) -> None:
        """Take values for a reference, and leave those usable that come after its completion."""
        gathered = self._gathered[feature]
        found = np.flatnonzero(usable)[: self.config.reference - len(gathered)]
        gathered.extend(values[found].tolist())
        usable[found] = False
        if self._rolling is not None:
            self._rolling.add_to(feature, values[found])
        if len(gathered) == self.config.reference:
            self._learn(feature, np.array(gathered, dtype=values.dtype))
            self._learnt[feature] = True
            self._gathered[feature] = []
            # Where it would be had it taken all rows: features without gaps have their rings in step.
            self._next[feature] = (self._taken + int(found[-1]) + 1) % self.config.window

    def _enter(self, batch: Batch) -> None:
        """Let usable values into the windows of their features, and the oldest ones out."""
        values, usable, slots = batch
        if self._rolling is not None:
            self._rolling.add(values, usable)
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

    def _arrived(self, feature: int, ring: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What a full feature has in one of its rings, from the oldest cell to the newest."""
        return np.roll(ring[feature], -int(self._next[feature]))

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


def news_of(states: States, before: States) -> Bools:
    """Whether checks that find `states` after `before` are told of: every DRIFT, and every entry into WARNING."""
    news: Bools = (states == DRIFT) | ((states == WARNING) & (before != WARNING))
    return news


def states_of(warns: Bools, alarms: Bools) -> States:
    """DRIFT where it alarms, WARNING where it only warns, else STABLE. What alarms also warns."""
    states: States = warns.view(np.int8) + alarms
    states += STABLE
    return states
