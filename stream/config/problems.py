"""What is wrong with a configuration, said to its author: where, what was got, what is allowed, and the cure.

Pydantic knows what is wrong but speaks of its own machinery (union tags, "function-after"); here its errors are turned
into the author's terms: paths as in the file, types and ranges in the words of docs/config.md.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stream.config.document import Document
from stream.config.fields import Secret
from stream.config.words import (
    PathItem,
    Place,
    default_text,
    expected,
    fields_of,
    kind_of,
    models_in,
    one_of,
    place_at,
    section_for,
)
from stream.errors import ConfigError
from stream.log import masked

_NAMED = re.compile(r"([a-z_][\w.\[\]]*): ")
_ITEM = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_MAX_VALUE = 60


class Problem(NamedTuple):
    """One thing to change. `path` is empty when it concerns the file as a whole."""

    path: tuple[PathItem, ...]
    message: str
    cure: str | None = None


def as_error(document: Document, problems: Iterable[Problem]) -> ConfigError:
    """All problems as one error, in the order of the file, each as `file:line: path: message`."""
    lines: list[str] = []
    for problem in sorted(problems, key=lambda p: document.line(p.path)):
        where = f":{document.line(problem.path)}: {dotted(problem.path)}" if problem.path else ""
        lines.append(f"{document.name}{where}: {problem.message}")
        if problem.cure is not None:
            lines.append(f"  {problem.cure}")
    return ConfigError("\n".join(lines))


def dotted(path: Sequence[PathItem]) -> str:
    """A path as people write it: detectors.data[2].window."""
    text = "".join(f"[{item}]" if isinstance(item, int) else f".{item}" for item in path)
    return text.removeprefix(".")


def from_pydantic(error: ValidationError, root: type[BaseModel], data: Any) -> list[Problem]:
    """The problems behind a validation error of `root` on `data`: one per place."""
    found: dict[tuple[PathItem, ...], Problem] = {}
    for detail in error.errors(include_url=False):
        problem = _problem(detail, root, data)
        found.setdefault(problem.path, problem)
    return list(found.values())


def _problem(detail: ErrorDetails, root: type[BaseModel], data: Any) -> Problem:
    path = _path_in(data, detail["loc"], is_missing=detail["type"] == "missing")
    place = place_at(root, path, data)
    context: Mapping[str, Any] = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return _unknown(path, root, data)
        case "missing":
            return Problem(path, f"is missing; expected {_described(place)}.")
        case "union_tag_not_found" | "union_tag_invalid":
            return _bad_kind(path, place, context, detail["input"])
        case "value_error" | "assertion_error":
            message = str(context.get("error", detail["msg"]))
            named = _named(message)
            if named is not None and place_at(root, (*path, *named[0]), data) is not None:
                return Problem((*path, *named[0]), _sentence(named[1]))
            return _from_validator(path, place, message, detail["input"])
    return _bad_value(path, place, detail["input"], detail["msg"])


def _path_in(data: Any, loc: Sequence[PathItem], *, is_missing: bool) -> tuple[PathItem, ...]:
    """The steps of `loc` that are really in the data; the others are names of pydantic's unions and validators."""
    path: list[PathItem] = []
    for index, item in enumerate(loc):
        if item in (data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()):
            data = data[item]
        elif not (is_missing and index == len(loc) - 1):
            continue
        path.append(item)
    return tuple(path)


def _unknown(path: tuple[PathItem, ...], root: type[BaseModel], data: Any) -> Problem:
    above = place_at(root, path[:-1], data)
    section = None if above is None else section_for(above.annotation, _value_at(data, path[:-1]))
    known = list(fields_of(section)) if section is not None else []
    near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.6)
    if near:
        return Problem(path, f"unknown field; did you mean {near[0]!r}?")
    return Problem(path, "unknown field.", f"Known here: {', '.join(known)}." if known else None)


def _bad_kind(path: tuple[PathItem, ...], place: Place | None, context: Mapping[str, Any], got: Any) -> Problem:
    kinds = [kind for model in models_in(place.annotation) if (kind := kind_of(model))] if place is not None else []
    names = [name for _, name in kinds]
    if not isinstance(got, dict):
        return Problem(path, f"got {_shown(got)}; expected a section with a field {context['discriminator']}.")
    tag = str(context["discriminator"]).strip("'")
    if tag not in got:
        return Problem((*path, tag), f"is missing; expected {one_of(names)}.")
    return _with_nearest(Problem((*path, tag), f"got {_shown(got[tag])}; expected {one_of(names)}."), got[tag], names)


def _from_validator(path: tuple[PathItem, ...], place: Place | None, message: str, got: Any) -> Problem:
    """A validator of our own. One that begins with "expected" speaks of the value of its field."""
    is_of_value = message.startswith("expected") and not isinstance(got, dict)
    if is_of_value and place is not None and not _holds_secrets(place):
        return Problem(path, _sentence(f"got {_shown(got)}; {message}"), _remove_cure(place))
    return Problem(path, _sentence(message))


def _named(message: str) -> tuple[tuple[PathItem, ...], str] | None:
    """The path that a validator puts before its message, as in "window: got 3; ...", and what follows it."""
    match = _NAMED.match(message)
    if match is None:
        return None
    path = tuple(int(index) if index else name for name, index in _ITEM.findall(match[1]))
    return path, message[match.end() :]


def _sentence(message: str) -> str:
    return message if message.endswith((".", "?")) else f"{message}."


def _bad_value(path: tuple[PathItem, ...], place: Place | None, got: Any, message: str) -> Problem:
    if place is None:
        return Problem(path, f"{message}.")
    if _holds_secrets(place):
        return Problem(path, f"expected {expected(place)}.", "Name the environment variable or the file that holds it.")
    problem = Problem(path, f"got {_shown(got)}; expected {expected(place)}.", _remove_cure(place))
    if "text" in expected(place) and isinstance(got, bool | int | float):
        return problem._replace(cure="Put it in quotes, so that YAML reads it as text.")
    if got is None and models_in(place.annotation):
        return problem._replace(cure="Give it fields, or remove the line.")
    if isinstance(got, str) and expected(place).startswith("one of "):
        return _with_nearest(problem, got, expected(place).removeprefix("one of ").split(", "))
    return problem


def _holds_secrets(place: Place) -> bool:
    return any(issubclass(model, Secret) for model in models_in(place.annotation))


def _described(place: Place | None) -> str:
    if place is None:
        return "a value"
    about = place.field.description if place.field is not None else None
    return expected(place) + (f" ({about})" if about else "")


def _with_nearest(problem: Problem, got: Any, allowed: list[str]) -> Problem:
    near = difflib.get_close_matches(str(got), allowed, n=1, cutoff=0.6)
    return problem._replace(cure=f"Did you mean {near[0]!r}?") if near else problem


def _remove_cure(place: Place) -> str | None:
    field = place.field
    default = None if field is None else default_text(field)
    if default is None:
        return None
    return "Remove the line to do without it." if default == "null" else f"Remove the line to use {default}."


def _shown(value: Any) -> str:
    """The value as it looks in YAML, short, without a password that stands in an address."""
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str | bool | int) or value is None:
        text = masked(json.dumps(value, ensure_ascii=False))
    else:
        text = str(value)
    return text if len(text) <= _MAX_VALUE else f"{text[: _MAX_VALUE - 3]}..."


def _value_at(data: Any, path: Sequence[PathItem]) -> Any:
    for item in path:
        data = data[item]
    return data
