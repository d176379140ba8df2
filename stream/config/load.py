"""Reading a configuration: YAML, then `${NAME}` from the environment, then the models. All problems at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stream.config.document import read
from stream.config.model import Config
from stream.config.problems import Problem, as_error, from_pydantic
from stream.config.words import PathItem
from stream.errors import ConfigError

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_DEEPEST = 40


def load(path: str | Path, env: Mapping[str, str] = os.environ) -> Config:
    """Read and validate a configuration file.

    In text values `${NAME}` becomes the environment variable of that name, `${NAME:-default}` falls back where it is
    unset or empty, and `$${` stands for `${`. Raises ConfigError that lists everything wrong, with file, line and cure.
    """
    document = read(path)
    problems: list[Problem] = []
    data = _interpolated(document.data, env, (), problems)
    unset = {problem.path for problem in problems}
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += [p for p in from_pydantic(error, Config, data) if p.path not in unset]
        raise as_error(document, problems) from None
    if problems:
        raise as_error(document, problems)
    return config


def _interpolated(value: Any, env: Mapping[str, str], path: tuple[PathItem, ...], problems: list[Problem]) -> Any:
    """The data with all references resolved. One that cannot be is left as it stands, and told in `problems`."""
    if len(path) > _DEEPEST:
        raise ConfigError(f"the configuration is nested more than {_DEEPEST} levels deep, or refers to itself.")
    if isinstance(value, dict):
        return {key: _interpolated(inner, env, (*path, key), problems) for key, inner in value.items()}
    if isinstance(value, list):
        return [_interpolated(inner, env, (*path, index), problems) for index, inner in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value

    def resolve(match: re.Match[str]) -> str:
        if match[1] is None:
            return "${"
        name = _NAME.fullmatch(match[1])
        if name is None:
            problems.append(
                Problem(path, f"{match[0]} is no reference; expected ${{NAME}} or ${{NAME:-default}}.", _LITERAL)
            )
            return match[0]
        found = env.get(name[1])
        if name[2] is not None:
            return found or name[2]
        if found is None:
            problems.append(
                Problem(
                    path,
                    f"the environment variable {name[1]} is not set.",
                    f"Set it, or write ${{{name[1]}:-default}} to do without.",
                )
            )
            return match[0]
        return found

    return _REFERENCE.sub(resolve, value)


_LITERAL = "Write $${ where a plain ${ is meant."
