"""From the bytes of a record to an `Event` or a `Label`: decoded, validated and typed in one pass.

The declared fields become a `TypedDict` and msgspec compiles that into one decoder: it skips fields nobody declared,
checks types, ranges and required fields while it reads, and yields a dict that, less id, time and label, is the
features. Only a record that it refuses is looked at again, field by field, to say what was wrong (`stream.refusal`).

Nothing raises out of `decode`, whatever the bytes are: what cannot be used comes back as `Rejected`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from learners.base import Problem
from stream.config.model import Config, ModelConfig
from stream.records import Event, Label, RawRecord, Rejected, Target
from stream.refusal import why
from stream.schema import Field, event_fields, folded, is_flat, label_fields, record_type

MAX_MESSAGE: Final = 300
"""Characters at which the message of a dead letter is cut."""


class EventDecoder:
    """Decodes records of the events topic."""

    def __init__(self, config: Config) -> None:
        events = config.events
        self._fields = event_fields(events, config.model)
        self._read = _reader(self._fields)
        keys: dict[str, Any] = {
            f.kind: _key(f, self._fields) for f in self._fields if f.kind in ("id", "time", "label")
        }
        self._id, self._time, self._label = keys["id"], keys.get("time"), keys.get("label")
        self._seconds = {"s": None, "ms": _from_milliseconds, "iso": _from_iso}[events.time_unit]
        self._target = _target(config.model)
        self._keeps_text = config.model.positive is not None

    def decode(self, records: Sequence[RawRecord]) -> list[Event | Rejected]:
        """One result per record, in order.

        An event without a declared time takes the record's; a record without a time takes the event's, or 0.
        """
        read, id_key, time_key, label_key = self._read, self._id, self._time, self._label
        seconds, target, keeps_text = self._seconds, self._target, self._keeps_text
        done: list[Event | Rejected] = []
        for record in records:
            try:
                features = read(record.value)
                id_ = features.pop(id_key)
                time = None
                if time_key is not None:
                    time = features.pop(time_key)
                    if seconds is not None:
                        time = seconds(time)
                label = None if label_key is None else features.pop(label_key, None)
                stamp = record.timestamp
                timestamp = stamp / 1000 if stamp >= 0 else time or 0.0
                done.append(
                    Event(
                        id_ if type(id_) is str else str(id_),
                        timestamp if time is None else time,
                        timestamp,
                        record.offset,
                        features,
                        record.key,
                        None if label is None else target(label),
                        label if keeps_text else None,
                    )
                )
            except Exception:  # noqa: BLE001  whatever strange bytes cause ends as a dead letter
                done.append(_rejected(record, self._fields))
        return done


class LabelDecoder:
    """Decodes records of the labels topic."""

    def __init__(self, config: Config) -> None:
        self._fields = label_fields(config)
        self._read = _reader(self._fields)
        self._id, self._label = (_key(field, self._fields) for field in self._fields)
        self._target = _target(config.model)
        self._keeps_text = config.model.positive is not None

    def decode(self, records: Sequence[RawRecord]) -> list[Label | Rejected]:
        """One result per record, in order. A record without a time takes 0."""
        read, id_key, label_key, target = self._read, self._id, self._label, self._target
        keeps_text = self._keeps_text
        done: list[Label | Rejected] = []
        for record in records:
            try:
                row = read(record.value)
                id_, label = row[id_key], row[label_key]
                done.append(
                    Label(
                        id_ if type(id_) is str else str(id_),
                        target(label),
                        max(record.timestamp, 0) / 1000,
                        record.offset,
                        label if keeps_text else None,
                    )
                )
            except Exception:  # noqa: BLE001  whatever strange bytes cause ends as a dead letter
                done.append(_rejected(record, self._fields))
        return done


def _key(field: Field, fields: Sequence[Field]) -> Any:
    """Where the value of an id, time or label stands in what `_reader` yields."""
    return field.path[0] if is_flat(fields) else field.key


def _reader(fields: Sequence[Field]) -> Callable[[Any], dict[Any, Any]]:
    """A function from bytes to a dict of the declared fields found, by `Field.key`, or by path when all is flat.

    It raises whatever msgspec raises for what is not such a record, None included.
    """
    decode: Callable[[Any], dict[Any, Any]] = msgspec.json.Decoder(record_type(fields)).decode
    if is_flat(fields):
        return decode
    groups = _by_parent(fields)

    def read(value: bytes) -> dict[Any, Any]:
        row = decode(value)
        flat: dict[Any, Any] = {}
        for parents, members in groups:
            node: Any = row
            for part in parents:
                node = node.get(part)
                if node is None:
                    break
            else:
                if members is None:
                    flat |= node
                    continue
                for key, leaf in members:
                    if leaf in node:
                        flat[key] = node[leaf]
        return flat

    return read


def _by_parent(fields: Sequence[Field]) -> list[tuple[tuple[str, ...], list[tuple[Any, str]] | None]]:
    """The fields of each object, as (key, key in the object); None where the object is taken whole, as it stands."""
    members: dict[tuple[str, ...], list[tuple[Any, str]]] = {}
    for field in fields:
        members.setdefault(field.path[:-1], []).append((field.key, field.path[-1]))
    groups: list[tuple[tuple[str, ...], list[tuple[Any, str]] | None]] = []
    for parents, inside in members.items():
        has_objects = any(other[: len(parents)] == parents for other in members if other != parents)
        renames = any(key != leaf for key, leaf in inside)
        groups.append((parents, inside if has_objects or renames else None))
    return groups


def _from_milliseconds(time: float) -> float:
    return time / 1000


def _from_iso(time: datetime) -> float:
    """Seconds since the epoch. A time without a zone is UTC."""
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()


def _target(model: ModelConfig) -> Callable[[Any], Target]:
    """From a label as it stands in JSON to bool (binary), str (multiclass) or float (regression)."""
    if model.problem is Problem.REGRESSION:
        return float
    if model.problem is Problem.MULTICLASS:
        return _class_name
    if model.positive is not None:
        return _named(model.positive)
    return bool


def _named(positive: str) -> Callable[[str], bool]:
    """Whether a text is this one. Raises ValueError for one that nobody means as another: "Fraud" for "fraud"."""
    unlike = folded(positive)

    def target(text: str) -> bool:
        if text == positive:
            return True
        if folded(text) == unlike:
            raise ValueError(text)
        return False

    return target


def _class_name(label: str | bool | int) -> str:
    """The class as JSON writes it: true and 1 are two classes."""
    if type(label) is str:
        return label
    return str(label).lower()


def _rejected(record: RawRecord, fields: Sequence[Field]) -> Rejected:
    reason, message = why(record.value, fields)
    return Rejected(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=max(record.timestamp, 0) / 1000,
        reason=reason,
        message=f"{record.topic}[{record.partition}]@{record.offset}: {message}"[:MAX_MESSAGE],
        key=record.key,
        value=record.value,
        headers=tuple(record.headers or ()),
    )
