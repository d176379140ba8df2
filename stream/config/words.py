"""What a field of the configuration takes, in words: the same for error messages and for docs/config.md."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stream.config.fields import DURATION, Secret, Words, written

PathItem: TypeAlias = str | int

_SCALARS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text",
    Path: "a path of a file",
    type(None): "null",
    Any: "any value",
    JsonValue: "any value",
}


class Place(NamedTuple):
    """A type in the configuration, with the constraints and words that come with it."""

    annotation: Any
    metadata: tuple[Any, ...] = ()
    field: FieldInfo | None = None


def expected(place: Place) -> str:
    """What is allowed there, such as "an integer of at least 30"."""
    annotation, metadata = _unwrap(place.annotation, place.metadata)
    said = next((item.text for item in metadata if isinstance(item, Words)), None)
    bounds = _bounds(annotation, metadata)
    phrase = said if said is not None else _type_words(annotation)
    if not bounds:
        return phrase
    is_scalar = said is None and annotation in _SCALARS
    return f"{phrase} of {bounds}" if is_scalar else f"{phrase}, {bounds}"


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections that may stand here: one, several kinds of them, or none; inside lists and mappings too."""
    annotation, _ = _unwrap(annotation, ())
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if _is_union(annotation) or get_origin(annotation) in (list, tuple, dict):
        return [model for part in get_args(annotation) for model in models_in(part)]
    return []


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a section by the names they have in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def kind_of(model: type[BaseModel]) -> tuple[str, str] | None:
    """The field that tells this section from its siblings, and its value there: ("kind", "adwin")."""
    for name in ("kind", "type"):
        field = model.model_fields.get(name)
        if field is not None and get_origin(field.annotation) is Literal:
            return name, str(get_args(field.annotation)[0])
    return None


def place_at(root: type[BaseModel], path: Sequence[PathItem], data: Any) -> Place | None:
    """The place that `path` leads to in `data`, read as a `root`. None where the models know no such place."""
    place = Place(root)
    for item in path:
        annotation, _ = _unwrap(place.annotation, ())
        if get_origin(annotation) in (list, tuple):
            place = Place(get_args(annotation)[0])
        elif get_origin(annotation) is dict:
            place = Place(get_args(annotation)[1])
        else:
            model = section_for(annotation, data)
            field = fields_of(model).get(str(item)) if model is not None else None
            if field is None:
                return None
            place = Place(field.annotation, tuple(field.metadata), field)
        data = _below(data, item)
    return place


def section_for(annotation: Any, data: Any) -> type[BaseModel] | None:
    """The section that `data` is meant for: the only one, or the one of its kind."""
    models = models_in(annotation)
    if len(models) == 1:
        return models[0]
    for model in models:
        kind = kind_of(model)
        if kind is not None and isinstance(data, dict) and data.get(kind[0]) == kind[1]:
            return model
    return None


def one_of(values: Iterable[Any]) -> str:
    """Choices, as people write them: "one of a, b, c"."""
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"one of {', '.join(texts)}"


def default_text(field: FieldInfo) -> str | None:
    """A field's default as it is written in the file. None for a required field, or one whose default is a section."""
    value = field.default
    if value is PydanticUndefined or isinstance(value, list | dict | tuple | BaseModel):
        return None
    if DURATION in field.metadata:
        return written(value)
    return json.dumps(getattr(value, "value", value), ensure_ascii=False)


def _unwrap(annotation: Any, metadata: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """Take `Annotated` and `| None` off."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            metadata = (*metadata, *_flat(more))
        elif _is_union(annotation) and len(rest := [a for a in get_args(annotation) if a is not type(None)]) == 1:
            annotation = rest[0]
        else:
            return annotation, metadata


def _flat(metadata: Iterable[Any]) -> Iterable[Any]:
    for item in metadata:
        yield from item.metadata if isinstance(item, FieldInfo) else (item,)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _type_words(annotation: Any) -> str:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return one_of(args)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return one_of(member.value for member in annotation)
    if isinstance(annotation, type) and issubclass(annotation, Secret):
        return "`env: NAME` or `file: PATH` (a secret is never written here)"
    models = models_in(annotation)
    kinds = [kind[1] for model in models if (kind := kind_of(model)) is not None]
    if origin in (list, tuple):
        return f"a list of {_plural(args[0], kinds)}"
    if origin is dict:
        return f"a mapping of names to {_plural(args[1], kinds)}"
    if models:
        return f"a section of kind {', '.join(kinds)}" if len(models) > 1 else "a section"
    if _is_union(annotation):
        return " or ".join(dict.fromkeys(expected(Place(arg)) for arg in args if arg is not type(None)))
    return getattr(annotation, "__name__", str(annotation))


def _plural(annotation: Any, kinds: list[str]) -> str:
    """What a list or mapping holds."""
    if kinds:
        return f"sections of kind {', '.join(kinds)}"
    words = expected(Place(annotation))
    return "sections" if words == "a section" else words


def _bounds(annotation: Any, metadata: Iterable[Any]) -> str:
    """The bounds, such as "at least 1 and at most 9", with their unit where they bound a length."""
    number: Callable[[Any], str] = written if DURATION in metadata else _number
    low: list[str] = []
    high: list[str] = []
    unit = ""
    for item in metadata:
        match item:
            case Ge(ge=bound):
                low.append(f"at least {number(bound)}")
            case Gt(gt=bound):
                low.append(f"more than {number(bound)}")
            case Le(le=bound):
                high.append(f"at most {number(bound)}")
            case Lt(lt=bound):
                high.append(f"less than {number(bound)}")
            case MinLen(min_length=bound) if bound > 0:
                low.append(f"at least {bound}")
            case MaxLen(max_length=bound):
                high.append(f"at most {bound}")
        if isinstance(item, MinLen | MaxLen):
            one, many = (" character", " characters") if annotation is str else (" entry", " entries")
            unit = one if item == MinLen(1) else many
    return " and ".join([*low, *high]) + unit


def _number(bound: Any) -> str:
    return f"{bound:.15g}" if isinstance(bound, float) else str(bound)


def _below(data: Any, item: PathItem) -> Any:
    try:
        return data[item]
    except (KeyError, IndexError, TypeError):
        return None
