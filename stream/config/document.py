"""A YAML file as data that knows its line numbers. Safe tags only; keys are text and stand once in their mapping."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml

from stream.config.words import PathItem
from stream.errors import ConfigError

_START = "Start from a file in configs/, or write one from a sample with `driftline init`."
_TABS = "Indent with spaces: YAML takes no tabs."
_SYNTAX = "There or shortly above a colon, a quote or a bracket is missing, or a line is indented differently."


class _Loader(yaml.SafeLoader):
    """The safe loader, less what it lets pass: a key that stands twice, and keys that are not text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {_source(key_node)} is not text: put it in quotes", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} stands twice; it was first given in line {seen[key]}", key_node.start_mark
                )
            seen[key] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep)


class Document:
    """The content of a YAML file that holds a mapping. `name` is the path as it was given."""

    def __init__(self, name: str, data: dict[str, Any], root: yaml.Node) -> None:
        self.name = name
        self.data = data
        self._root = root

    def line(self, path: Sequence[PathItem]) -> int:
        """The line, from 1, of what stands at `path`, or of the nearest thing around it."""
        node, line = self._root, self._root.start_mark.line
        for item in path:
            found = _child(node, item)
            if found is None:
                break
            node, line = found
        return line + 1


def read(path: str | Path) -> Document:
    """Read a YAML file. Raises ConfigError, with file and line, if it is missing, unreadable or not a mapping."""
    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{name}: there is no such file.", _START) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not UTF-8 text (byte {error.start}).", "Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}.") from None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        data = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark is not None else name
        said = ", ".join(part for part in (error.context, error.problem) if part)
        if isinstance(error, yaml.constructor.ConstructorError):
            raise ConfigError(f"{where}: {said}.") from None
        raise ConfigError(f"{where}: not YAML: {said}.", _TABS if "character '\\t'" in said else _SYNTAX) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{name}: not YAML: {' '.join(str(error).split())}.") from None
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply.") from None
    if root is None or data is None:
        raise ConfigError(f"{name}: the file is empty.", _START)
    if not isinstance(data, dict):
        raise ConfigError(
            f"{name}:{root.start_mark.line + 1}: expected a mapping of sections (app, topics, ...).", _START
        )
    return Document(name, data, root)


def _source(node: yaml.Node) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else "of a list or mapping"


def _child(node: yaml.Node, item: PathItem) -> tuple[yaml.Node, int] | None:
    """The node below, and the line it is named in; keys that come by a merge (`<<`) count too."""
    if isinstance(node, yaml.SequenceNode):
        if isinstance(item, int) and item < len(node.value):
            return node.value[item], node.value[item].start_mark.line
        return None
    if isinstance(node, yaml.MappingNode):
        return next(((v, k.start_mark.line) for k, v in reversed(node.value) if k.value == item), None)
    return None
