"""The reference page of the configuration, docs/config.md, made from the models so that it is never out of date."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from stream.config.fields import Secret
from stream.config.model import Config
from stream.config.words import Place, default_text, expected, fields_of, kind_of, models_in

_HEAD = """\
# Configuration

<!-- Made by `make docs` from the models in the code. Change the descriptions there, not this page. -->

A service is one YAML file. `driftline check -c FILE` says what is wrong with one; `driftline init` writes a first one.

- `${NAME}` in a text takes the environment variable NAME, `${NAME:-default}` falls back where it is unset or empty, and
  `$${` stands for a plain `${`.
- A duration is a number of seconds, or a number with a unit: `ms`, `s`, `m`, `h`, `d`, `w`.
- A secret is never in the file: `{env: NAME}` or `{file: PATH}` says where it is kept.
- Unknown fields are refused. A field without a default is required.
"""


def render() -> str:
    """The page as Markdown. The same models give the same text."""
    lines = [_HEAD, *_table("", Config)]
    told: dict[type[BaseModel], list[str]] = {}
    for name, field in fields_of(Config).items():
        lines += _section(name, field.annotation, 2, told)
    return "\n".join(lines).rstrip() + "\n"


def _section(path: str, annotation: Any, level: int, told: dict[type[BaseModel], list[str]]) -> Iterator[str]:
    """A section of the file and the sections in it; the kinds of it where there are several.

    What may stand in several places is described at the first of those that were `told` of.
    """
    models = [model for model in models_in(annotation) if model is not Secret]
    if models and all(model in told for model in models):
        places = told[models[0]]
        if path not in places:
            places.append(path)
            yield from (f"{'#' * level} `{path}`", "", f"As `{places[0]}`.", "")
        return
    for model in models:
        told[model] = [path]
        siblings = len(models) > 1
        kind = kind_of(model) if siblings else None
        yield f"{'#' * level} `{path}`" + (f" with `{kind[0]}: {kind[1]}`" if kind is not None else "")
        yield ""
        yield inspect.cleandoc(model.__doc__ or "")
        yield ""
        yield from _table(path, model, siblings)
        for name, field in fields_of(model).items():
            yield from _section(_below(f"{path}.{name}", field.annotation), field.annotation, level + 1, told)


def _below(path: str, annotation: Any) -> str:
    """How entries of a list or mapping are called."""
    if get_origin(annotation) is dict:
        return f"{path}.NAME"
    return f"{path}[]" if get_origin(annotation) in (list, tuple) else path


def _table(path: str, model: type[BaseModel], siblings: bool = False) -> Iterator[str]:
    yield "| field | what it takes | default | what it is |"
    yield "|---|---|---|---|"
    kind = kind_of(model)
    for name, field in fields_of(model).items():
        if kind is not None and name == kind[0]:
            if not siblings:
                continue
            yield f"| `{path}.{name}` | {kind[1]} | **required** | which kind this is |"
            continue
        full = f"{path}.{name}" if path else name
        takes = expected(Place(field.annotation, tuple(field.metadata)))
        yield f"| `{full}` | {_cell(takes)} | {_default(field)} | {_cell(field.description or '')} |"
    yield ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    text = default_text(field)
    if text is not None:
        return "none" if text == "null" else f"`{text}`"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, Secret):
        return f"`{{{', '.join(f'{name}: {kept}' for name, kept in value.model_dump(exclude_none=True).items())}}}`"
    return "as below" if isinstance(value, BaseModel) else "none"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
