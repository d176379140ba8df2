"""What a sample of events says about its fields: which is the id, the time, the label, and which are features.

Guesses for a first configuration that a person then reads: every guess carries the reason for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from learners.base import Problem
from stream.config.lateness import Lateness, lateness
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
    """The field that says the truth, in the events or in labels that come by themselves, and the problem it makes."""

    path: str
    problem: Problem
    positive: str | None
    why: str


class LabelsGuess(NamedTuple):
    """What a sample of labels says: the field that names the event, and the truth. `known` of the `rows` labels name
    an event of the sample; `late` is how late they come, where that can be seen.
    """

    rows: int
    id: str
    known: int
    label: LabelGuess
    late: Lateness | None


class Guess(NamedTuple):
    """What a sample says. `label` is one that comes with the events, `labels` is known where there was a sample of
    them; `left_out` tells why, by path.
    """

    rows: int
    id: str | None
    id_is_unique: bool
    time: str | None
    time_unit: Literal["s", "ms", "iso"]
    label: LabelGuess | None
    labels: LabelsGuess | None
    features: list[FeatureGuess]
    left_out: dict[str, str]

    @property
    def truth(self) -> LabelGuess | None:
        """The label, in whichever way it comes."""
        return self.labels.label if self.labels is not None else self.label


class RecordTimes(NamedTuple):
    """When the records of a sample of events, and of labels, were produced: seconds since the epoch."""

    events: Sequence[float]
    labels: Sequence[float]


def infer(
    sample: Sequence[dict[str, Any]],
    labels: Sequence[dict[str, Any]] | None = None,
    times: RecordTimes | None = None,
) -> Guess:
    """Guess the schema of events, and of labels that come by themselves where there is a sample of them. `times` are
    those of all records, where both samples are of topics.

    Raises DataError for events with nothing in them that could be a feature, and for labels without an id or a truth.
    """
    columns, left_out = _columns(sample)
    id_ = _pick(_ID_NAMES, [column for column in columns if column.is_unique and column.types in ({str}, {int})], "_id")
    if id_ is None:
        id_ = _pick(_ID_NAMES, [column for column in columns if column.types in ({str}, {int})], None, anything=False)
    rest = [column for column in columns if column is not id_]
    time = _pick(_TIME_NAMES, [column for column in rest if _unit(column) is not None], "_time", anything=False)
    rest = [column for column in rest if column is not time]
    label = _pick(_LABEL_NAMES, [column for column in rest if len(column.types) == 1], "_label", anything=False)
    if labels is not None and label is not None:
        left_out[label.path] = "looks like the label, which comes by itself"
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
        label=_label(label) if label is not None and labels is None else None,
        labels=_labels(labels, id_, time, times) if labels is not None else None,
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


def _labels(
    sample: Sequence[dict[str, Any]], events: Column | None, time: Column | None, times: RecordTimes | None
) -> LabelsGuess:
    """The schema of labels. The field that names the event is the one with most ids of `events`, then the one that is
    called as they are, then one that is called like an id.
    """
    ids = set() if events is None else set(map(str, events.values))

    def likeness(column: Column) -> tuple[int, bool, bool]:
        shared = len(ids & set(map(str, column.values)))
        same = events is not None and column.path == events.path
        return shared, same, column.name in _ID_NAMES or column.name.endswith("_id")

    columns = [column for column in _columns(sample)[0] if len(column.types) == 1]
    id_ = max((column for column in columns if column.types in ({str}, {int})), key=likeness, default=None)
    rest = [column for column in columns if column is not id_]
    label = _pick(_LABEL_NAMES, rest, "_label", anything=False)
    label = label or next((column for column in rest if _unit(column) is None), None)
    if id_ is None or label is None:
        raise DataError(
            f"these {len(sample)} labels have no two fields that could be the event's id and the truth.",
            'A label is a JSON object such as {"id": "e17", "label": true}.',
        )
    known = sum(str(value) in ids for value in id_.values)
    late = None if events is None else _late(events, time, id_, [one for one in rest if one is not label], times)
    return LabelsGuess(len(sample), id_.path, known, _label(label), late)


def _late(
    events: Column, time: Column | None, labels: Column, fields: Iterable[Column], times: RecordTimes | None
) -> Lateness | None:
    """How late labels come by the field of theirs that is the latest time, if events have times too; otherwise by the
    times of the records. Those of a topic that was filled at once tell nothing, times in the records do.
    """
    ids = list(map(str, events.values)), list(map(str, labels.values))
    if len(ids[0]) < events.rows or len(ids[1]) < labels.rows:
        return None
    found: list[Lateness | None] = []
    if time is not None:
        at = dict(zip(ids[0], _seconds(time), strict=True))
        clocks = [field for field in fields if _unit(field) is not None]
        found = [lateness(at, zip(ids[1], _seconds(field), strict=True), field.path) for field in clocks]
    if not any(found) and times is not None:
        at = dict(zip(ids[0], times.events, strict=True))
        found = [lateness(at, zip(ids[1], times.labels, strict=True))]
    return max((one for one in found if one is not None), key=lambda one: one.median, default=None)


def _seconds(column: Column) -> list[float]:
    """The values of a column of times, in seconds since the epoch. Those without a zone are UTC."""
    unit = _unit(column)
    if unit == "iso":
        read = [msgspec.convert(value, datetime) for value in column.values]
        return [(one if one.tzinfo is not None else one.replace(tzinfo=UTC)).timestamp() for one in read]
    return [value / 1000 if unit == "ms" else float(value) for value in column.values]


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
