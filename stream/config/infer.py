"""What a sample of events says about its fields: which is the id, the time, the label, and which are features.

Guesses for a first configuration that a person then reads: every guess carries the reason for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from learners.base import Problem
from stream.errors import DataError

MAX_CATEGORIES: Final = 50
"""Texts with more values than this, and a new one in every fifth event, are no categories and left out."""
MAX_CLASSES: Final = 20
"""A label with more values than this is a number to be predicted, not a class."""

FeatureType: TypeAlias = Literal["number", "category", "boolean"]

_ID_NAMES = ("id", "event_id", "eventid", "uuid", "guid", "transaction_id", "request_id", "message_id", "key")
_TIME_NAMES = (
    "time",
    "ts",
    "timestamp",
    "event_time",
    "datetime",
    "date",
    "created_at",
    "occurred_at",
    "at",
    "time_ms",
    "ts_ms",
    "timestamp_ms",
    "created_ms",
    "created",
)
_LABEL_NAMES = ("label", "target", "y", "class", "outcome", "truth", "is_fraud", "fraud", "churn", "churned", "delayed")
_LONGEST_TEXT = 64
_LARGEST = 10**300
_SECONDS = (3e8, 5e9)  # 1979 to 2128
_MILLISECONDS = (3e11, 5e12)


class Column(NamedTuple):
    """All values of one path in a sample, those that are null or absent left out. `rows` is the size of the sample."""

    path: str
    values: list[Any]
    rows: int

    @property
    def name(self) -> str:
        """The last key, as names are compared."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.path.rsplit(".", 1)[-1]).lower()

    @property
    def types(self) -> set[type]:
        """The types of its values; float where whole numbers and others are mixed."""
        types = {type(value) for value in self.values}
        return {float} if types == {int, float} else types

    @property
    def distinct(self) -> int:
        """How many different values there are."""
        return len(set(self.values))

    @property
    def is_unique(self) -> bool:
        """Whether every event has one, and no two the same."""
        return len(self.values) == self.rows == self.distinct


class FeatureGuess(NamedTuple):
    """A field to learn from."""

    path: str
    type: FeatureType
    why: str


class LabelGuess(NamedTuple):
    """A label that comes with the events, and the problem that it makes."""

    path: str
    problem: Problem
    positive: str | None
    why: str


class Guess(NamedTuple):
    """What a sample says. `left_out` tells why, by path."""

    rows: int
    id: str | None
    id_is_unique: bool
    time: str | None
    time_unit: Literal["s", "ms", "iso"]
    label: LabelGuess | None
    features: list[FeatureGuess]
    left_out: dict[str, str]


def infer(sample: Sequence[dict[str, Any]]) -> Guess:
    """Guess the schema of events. Raises DataError for a sample with nothing in it that could be a feature."""
    columns, left_out = _columns(sample)
    id_ = _pick(_ID_NAMES, [column for column in columns if column.is_unique and column.types in ({str}, {int})], "_id")
    if id_ is None:
        id_ = _pick(_ID_NAMES, [column for column in columns if column.types in ({str}, {int})], None, anything=False)
    rest = [column for column in columns if column is not id_]
    time = _pick(_TIME_NAMES, [column for column in rest if _unit(column) is not None], "_time", anything=False)
    rest = [column for column in rest if column is not time]
    label = _pick(_LABEL_NAMES, [column for column in rest if len(column.types) == 1], "_label", anything=False)
    features: list[FeatureGuess] = []
    for column in rest:
        if column is not label:
            guess = _feature(column)
            if isinstance(guess, str):
                left_out[column.path] = guess
            else:
                features.append(guess)
    if not features:
        raise DataError(
            f"none of the fields of these {len(sample)} events can be a feature.",
            "Features are numbers, true/false, and texts with few values. Is this the topic or file you meant?",
        )
    return Guess(
        rows=len(sample),
        id=id_.path if id_ is not None else None,
        id_is_unique=id_ is not None and id_.is_unique,
        time=time.path if time is not None else None,
        time_unit=(_unit(time) if time is not None else None) or "s",
        label=_label(label) if label is not None else None,
        features=features,
        left_out=left_out,
    )


def _columns(sample: Iterable[dict[str, Any]]) -> tuple[list[Column], dict[str, str]]:
    """The fields in the order in which they first appear, and those that no configuration can name or use."""
    values: dict[str, list[Any]] = {}
    left_out: dict[str, str] = {}
    rows = 0
    for row in sample:
        rows += 1
        for path, value in _flatten(row, ""):
            if isinstance(value, list):
                left_out[path] = "a list"
            elif value is not None:
                values.setdefault(path, []).append(value)
            else:
                values.setdefault(path, [])
    for path in [path for path in values if not all(path.split("."))]:
        left_out[path] = "a key that is empty or has a dot at an end"
        del values[path]
    for path in list(values):
        if any(other.startswith(f"{path}.") for other in values):
            left_out[path] = "sometimes a value, sometimes an object"
    for path in left_out.keys() & values.keys():
        del values[path]
    return [Column(path, found, rows) for path, found in values.items()], left_out


def _flatten(row: dict[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        if "." in key:
            continue  # a dot in a path means nesting, so no path leads there
        if isinstance(value, dict):
            yield from _flatten(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _pick(names: Sequence[str], columns: list[Column], suffix: str | None, *, anything: bool = True) -> Column | None:
    """The column with the most telling name; if none has one, the first of texts if any will do."""
    for name in names:
        found = next((column for column in columns if column.name == name), None)
        if found is not None:
            return found
    found = next((column for column in columns if suffix is not None and column.name.endswith(suffix)), None)
    if found is None and anything:
        found = next((column for column in columns if column.types == {str}), None)
    return found


def _unit(column: Column) -> Literal["s", "ms", "iso"] | None:
    """The unit of a column whose every value is a time, in any event."""
    if len(column.values) < column.rows:
        return None
    if column.types == {str}:
        return "iso" if all(map(_is_iso, column.values)) else None
    if column.types in ({int}, {float}):
        low, high = min(column.values), max(column.values)
        if _SECONDS[0] <= low and high <= _SECONDS[1]:
            return "s"
        if _MILLISECONDS[0] <= low and high <= _MILLISECONDS[1]:
            return "ms"
    return None


def _is_iso(text: str) -> bool:
    try:
        msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return False
    return True


def _label(column: Column) -> LabelGuess:
    values = sorted(set(column.values), key=str)
    if column.types == {bool} or (column.types == {int} and set(values) <= {0, 1}):
        return LabelGuess(column.path, Problem.BINARY, None, "true/false or 1/0")
    if column.types == {str} and len(values) == 2:
        rare = min(values, key=column.values.count)
        return LabelGuess(column.path, Problem.BINARY, rare, f"two texts, {rare!r} being the rarer")
    if column.types == {str} or (column.types == {int} and len(values) <= MAX_CLASSES):
        return LabelGuess(column.path, Problem.MULTICLASS, None, f"{len(values)} values in the sample")
    return LabelGuess(column.path, Problem.REGRESSION, None, "a number with many values")


def _feature(column: Column) -> FeatureGuess | str:
    """The column as a feature, or why it is none."""
    if not column.values:
        return "always null"
    if column.types == {bool}:
        return FeatureGuess(column.path, "boolean", "true or false")
    if column.types in ({int}, {float}):
        if column.types == {int} and column.is_unique and column.name.endswith("_id"):
            return "a number that names things"
        if _unit(column) is not None:
            return "a point in time: it only grows, so there is nothing to learn from it"
        low, high = min(column.values), max(column.values)
        if max(abs(low), abs(high)) > _LARGEST:
            return "numbers beyond the range of a float"
        return FeatureGuess(column.path, "number", f"from {low:g} to {high:g}")
    if column.types != {str}:
        names = {bool: "true/false", int: "numbers", float: "numbers", str: "texts"}
        return "mixed: " + " and ".join(sorted({names.get(kind, kind.__name__) for kind in column.types}))
    if all(map(_is_iso, column.values)):
        return "a point in time: it only grows, so there is nothing to learn from it"
    if max(map(len, column.values)) > _LONGEST_TEXT:
        return f"text of up to {max(map(len, column.values))} characters"
    if column.distinct > MAX_CATEGORIES and column.distinct > len(column.values) / 5:
        return f"text with {column.distinct} different values in {len(column.values)} events"
    if column.is_unique and column.rows > 2:
        return "text that is different in every event"
    return FeatureGuess(column.path, "category", f"{column.distinct} values")
