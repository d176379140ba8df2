"""The declared fields of events and labels, and the type that msgspec compiles into one validating decoder.

A field stands at a path of keys; paths with more than one key reach into nested objects. Text is text and a number is a
number: "3" is not a number and true is not 1. Whole numbers are taken where a number is declared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, Literal, NamedTuple, NotRequired, TypeAlias, TypedDict

import msgspec

from learners.base import Problem
from stream.config.events import BooleanFeature, CategoryFeature, EventsConfig, Feature, NumberFeature
from stream.config.model import Config, ModelConfig

MAX_ID: Final = 512
"""Longest id, in characters. Ids that are whole numbers fit 64 bits."""
MAX_CLASS: Final = 256
"""Longest class of a label, in characters."""
MAX_QUOTE: Final = 40
"""Most characters of a value that a message quotes."""

_INT64 = 2**63
_YEAR_10000 = 253_402_300_800.0
_SPAN = "since 1970, up to the year 9999 (see events.time_unit)"

Kind: TypeAlias = Literal["id", "time", "label", "number", "text", "choice", "boolean"]


class Field(NamedTuple):
    """One declared field. `key` names its value after decoding: the feature's name, or the path for all others.

    `spelt` is a text that must not come in other capitals, nor with other spaces around it.
    """

    kind: Kind
    key: str | tuple[str, ...]
    path: tuple[str, ...]
    type: Any
    required: bool
    expected: str
    spelt: str | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"feature '{self.key}'" if isinstance(self.key, str) else f"{self.kind} '{'.'.join(self.path)}'"


def event_fields(events: EventsConfig, model: ModelConfig) -> list[Field]:
    """Id, then time and inline label where they are declared, then the features in their order."""
    fields = [_id_field(events.id)]
    if events.time is not None:
        fields.append(_time_field(events.time, events.time_unit))
    if events.label is not None:
        fields.append(_label_field(events.label, model, required=False))
    return fields + [_feature_field(name, feature) for name, feature in events.features.items()]


def label_fields(config: Config) -> list[Field]:
    """Id and label of a label record."""
    return [_id_field(config.labels.id), _label_field(config.labels.label, config.model, required=True)]


def folded(text: str) -> str:
    """The text as far as capitals and spaces around it do not matter."""
    return text.strip().casefold()


def quoted(text: str) -> str:
    """The text as JSON has it, cut to what messages quote."""
    return json.dumps(text if len(text) <= MAX_QUOTE else f"{text[: MAX_QUOTE - 3]}...", ensure_ascii=False)


def is_flat(fields: Iterable[Field]) -> bool:
    """Whether a decoded record, less id, time and label, is the features as it stands: nothing nested or renamed."""
    return all(len(f.path) == 1 and f.key in (f.path[0], f.path) for f in fields)


def record_type(fields: Iterable[Field]) -> Any:
    """The TypedDict of a record with these fields: optional ones may be absent or null, others' keys are skipped."""
    tree: dict[str, Any] = {}
    for field in fields:
        node = tree
        for part in field.path[:-1]:
            node = node.setdefault(part, {})
        node[field.path[-1]] = field
    return _typed_dict("Record", tree)[0]


def _typed_dict(name: str, tree: dict[str, Any]) -> tuple[Any, bool]:
    """The type of one object, and whether it must be there because something in it must."""
    members: dict[str, Any] = {}
    needed = False
    for key, child in tree.items():
        type_, required = (
            (child.type, child.required) if isinstance(child, Field) else _typed_dict(f"{name}_{key}", child)
        )
        members[key] = type_ if required else NotRequired[type_ | None]
        needed = needed or required
    make: Any = TypedDict  # a type checker takes literal dicts only; this one comes from the configuration
    return make(name, members), needed


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split("."))


def _id_field(path: str) -> Field:
    text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID)]
    whole = Annotated[int, msgspec.Meta(ge=-_INT64, le=_INT64 - 1)]
    expected = f"text of 1 to {MAX_ID} characters or a whole number of 64 bits"
    return Field("id", _path(path), _path(path), text | whole, True, expected)


def _time_field(path: str, unit: Literal["s", "ms", "iso"]) -> Field:
    """Times from the year 1970 to 9999. The upper end catches milliseconds that are read as seconds."""
    type_: Any
    if unit == "iso":
        return Field("time", _path(path), _path(path), datetime, True, 'a time such as "2013-01-31T09:15:00Z"')
    if unit == "ms":
        type_ = Annotated[float, msgspec.Meta(ge=0, lt=_YEAR_10000 * 1000)]
        return Field("time", _path(path), _path(path), type_, True, f"milliseconds {_SPAN}")
    type_ = Annotated[float, msgspec.Meta(ge=0, lt=_YEAR_10000)]
    return Field("time", _path(path), _path(path), type_, True, f"seconds {_SPAN}")


def _label_field(path: str, model: ModelConfig, *, required: bool) -> Field:
    type_: Any
    text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CLASS)]
    if model.problem is Problem.REGRESSION:
        type_, expected = float, "a finite number"
    elif model.problem is Problem.MULTICLASS:
        type_ = text | bool | Annotated[int, msgspec.Meta(ge=-_INT64, le=_INT64 - 1)]
        expected = f"a class: text of 1 to {MAX_CLASS} characters, a whole number, true or false"
    elif model.positive is not None:
        told = f"{quoted(model.positive)}, spelt as model.positive is, or other text of 1 to {MAX_CLASS} characters"
        return Field("label", _path(path), _path(path), text, required, told, model.positive)
    else:
        type_ = bool | Annotated[int, msgspec.Meta(ge=0, le=1)]
        expected = "true, false, 1 or 0 (for text labels set model.positive)"
    return Field("label", _path(path), _path(path), type_, required, expected)


def _feature_field(name: str, feature: Feature) -> Field:
    path = _path(feature.path or name)
    match feature:
        case NumberFeature():
            return Field("number", name, path, _number_type(feature), feature.required, _number_words(feature))
        case CategoryFeature(values=list(values)):
            return Field("choice", name, path, Literal[tuple(values)], feature.required, f"one of {', '.join(values)}")
        case CategoryFeature():
            type_ = Annotated[str, msgspec.Meta(max_length=feature.max_length)]
            return Field(
                "text", name, path, type_, feature.required, f"text of at most {feature.max_length} characters"
            )
        case BooleanFeature():
            return Field("boolean", name, path, bool, feature.required, "true or false")


def _number_type(feature: NumberFeature) -> Any:
    if feature.min is None and feature.max is None:
        return float
    return Annotated[float, msgspec.Meta(ge=feature.min, le=feature.max)]


def _number_words(feature: NumberFeature) -> str:
    if feature.min is not None and feature.max is not None:
        return f"a number from {feature.min:g} to {feature.max:g}"
    if feature.min is not None:
        return f"a number of at least {feature.min:g}"
    if feature.max is not None:
        return f"a number of at most {feature.max:g}"
    return "a number"
