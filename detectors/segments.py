"""Parts of a stream watched apart: one detector for each value of a categorical feature.

Each is what it would be if it saw the values of its segment alone, in their order. Where these stood in the whole
stream is remembered, so that its signals can be placed there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from detectors.base import Reading, Row, Signal
from detectors.data.categories import category
from detectors.marks import Marks
from detectors.settings import DetectorConfig

MISSING: Final = "(missing)"
"""The segment of rows that have no value of the feature."""
OTHER: Final = "(other)"
"""The segment of values that came when there were as many segments as there may be."""

_STEP: Final = 8
_MARKS: Final = 1024
"""Of the rows of a segment, places are known of every so many, of the newest so many times as many."""

T = TypeVar("T")


class _Watch(Protocol):
    """What watches a stream: an `ErrorWatch`, a `FeatureWatch`."""

    def readings(self) -> dict[str, Reading]: ...


class ErrorsWatch(_Watch, Protocol):
    """What watches errors."""

    def observe(self, errors: Sequence[float], rows: Sequence[Row], times: Sequence[float]) -> list[Signal]: ...


class FeaturesWatch(_Watch, Protocol):
    """What watches features."""

    def observe(self, rows: Sequence[Row], times: Sequence[float]) -> list[Signal]: ...

    def preset(self, rows: Sequence[Row], times: Sequence[float]) -> dict[str, int]: ...


W = TypeVar("W", bound=_Watch)


class _Segments(Generic[W]):
    """Memory and number of detectors in proportion to the segments: as many as configured, and two more.

    Every row is in exactly one segment: that of its value, MISSING, or OTHER for values that come when the others are
    all taken. A value that is called like one of these two is in it.
    """

    def __init__(self, config: DetectorConfig, pristine: W) -> None:
        assert config.segments is not None
        self.config = config
        self._by, self._most = config.segments.by, config.segments.most
        self._pristine = pristine  # what each segment starts with a copy of
        self.reset()

    def reset(self) -> None:
        """Forget everything seen, and which segments there were."""
        self._segments: dict[str, W] = {}
        self._places: dict[str, Marks[int]] = {}  # of the rows of each, counted from 1
        self._rows = 0

    def readings(self) -> dict[str, Reading]:
        """The newest readings, by feature, of the segment that matters most: in the state of most concern, and among
        those with the largest statistic. So they are no more than without segments.
        """
        found: dict[str, Reading] = {}
        for segment, watch in self._segments.items() or ((None, self._pristine),):
            for name, reading in watch.readings().items():
                if name not in found or _concern(reading) > _concern(found[name]):
                    found[name] = reading if segment is None else reading._replace(segment=self._told(segment))
        return found

    def _apart(self, rows: Sequence[Row]) -> dict[str, list[int]]:
        """The positions of the rows of each segment."""
        positions: dict[str, list[int]] = {}
        for position, row in enumerate(rows):
            positions.setdefault(self._segment_of(row), []).append(position)
        return positions

    def _observe(self, rows: Sequence[Row], show: Callable[[W, list[int]], list[Signal]]) -> list[Signal]:
        """Have every segment's rows shown to its watch, by their positions; signals in the order of the rows."""
        signals = [
            signal
            for name, own in self._apart(rows).items()
            for signal in self._placed(name, own, show(self._segments[name], own))
        ]
        self._rows += len(rows)
        return sorted(signals, key=lambda signal: signal.index)

    def _placed(self, segment: str, own: list[int], signals: list[Signal]) -> list[Signal]:
        """Signals of a segment, with rows at these positions, as they are in the whole stream."""
        places, before = self._places[segment], self._rows + 1
        done, placed = 0, list[Signal]()
        for signal in signals:
            seen, done = own[done : signal.index + 1], signal.index + 1
            places.note(len(seen), partial(_row, before, seen))
            rows = signal.behind.moved(_behind(places, before + own[signal.index]))
            placed.append(signal._replace(index=own[signal.index], segment=self._told(segment), rows=rows))
        rest = own[done:]
        places.note(len(rest), partial(_row, before, rest))
        return placed

    def _told(self, segment: str) -> str:
        """A segment as alerts name it."""
        return f"{self._by}={segment}"

    def _segment_of(self, row: Row) -> str:
        """The segment of a row, made if it is new."""
        name = name_of(row.get(self._by))
        if name not in self._segments:
            own = len(self._segments) - (MISSING in self._segments) - (OTHER in self._segments)
            if name not in (MISSING, OTHER) and own >= self._most:
                name = OTHER
            if name not in self._segments:
                self._segments[name] = copy.deepcopy(self._pristine)
                self._places[name] = Marks(_STEP, _MARKS)
        return name


class SegmentedErrors(_Segments[ErrorsWatch]):
    """Errors watched apart, by a feature of their events."""

    def observe(self, errors: Sequence[float], rows: Sequence[Row], times: Sequence[float]) -> list[Signal]:
        """Take a span of errors, with the features and times of their events; signals name their segment.

        Raises `BadValue` for errors that are of no use. Other segments may have taken theirs then.
        """
        return self._observe(
            rows, lambda watch, own: watch.observe(_picked(errors, own), _picked(rows, own), _picked(times, own))
        )


class SegmentedFeatures(_Segments[FeaturesWatch]):
    """Features watched apart, by one of them."""

    def observe(self, rows: Sequence[Row], times: Sequence[float]) -> list[Signal]:
        """Take a span of rows, with their times; signals name their segment."""
        return self._observe(rows, lambda watch, own: watch.observe(_picked(rows, own), _picked(times, own)))

    def preset(self, rows: Sequence[Row], times: Sequence[float]) -> dict[str, int]:
        """Start anew with references out of rows from outside, each segment with its own; others learn from the stream.

        Returns the most values that a feature lacks in any of these segments, by feature.
        """
        self.reset()
        lacking: dict[str, int] = {}
        for name, own in self._apart(rows).items():
            for feature, more in self._segments[name].preset(_picked(rows, own), _picked(times, own)).items():
                lacking[feature] = max(more, lacking.get(feature, 0))
        return lacking


def name_of(value: Any) -> str:
    """The name of the segment of a value, unless it is in OTHER."""
    found = category(value)
    if found is None:
        return MISSING
    return str(found).lower() if isinstance(found, bool) else str(found)


def _picked(values: Sequence[T], positions: list[int]) -> Sequence[T]:
    return values if len(positions) == len(values) else [values[position] for position in positions]


def _row(first: int, own: Sequence[int], index: int) -> int:
    """The row of the whole stream that is the `index`-th of these, which are counted from the row `first`."""
    return first + own[index]


def _behind(places: Marks[int], row: int) -> Callable[[int], int]:
    """From rows of a segment, back from this row, to rows of the whole stream."""

    def rows(back: int) -> int:
        place = places.place(max(1, places.count - back + 1))
        assert place is not None, "the row itself has one"
        return row - place + 1

    return rows


def _concern(reading: Reading) -> tuple[int, float]:
    return reading.state, -1.0 if reading.statistic is None else reading.statistic
