"""Results that outlive an interrupted run: a line of JSON for each, under a digest of what it depends on."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any


class Store:
    """Results by key, in a file that only grows. A line that was cut off by a crash counts as not written."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
        self._results = self._read()

    def __contains__(self, key: str) -> bool:
        return key in self._results

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self._results[key]

    def __len__(self) -> int:
        return len(self._results)

    def add(self, key: str, result: dict[str, Any]) -> None:
        """Keep a result, at once and for good."""
        with self._path.open("a") as file:
            file.write(json.dumps({"key": key, **result}) + "\n")
        self._results[key] = result

    def _read(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        if not self._path.exists():
            return found
        whole = self._path.read_text()
        lines = whole.split("\n")
        if lines.pop():
            self._path.write_text(whole[: whole.rfind("\n") + 1])
        for line in lines:
            result = json.loads(line)
            found[result.pop("key")] = result
        return found


def digest(files: Iterable[Path]) -> str:
    """A digest of what files say, wherever they lie: a checkout and an installed package are the same code."""
    told = hashlib.sha256()
    for said in sorted(map(_said, files)):
        told.update(said)
    return told.hexdigest()


@cache
def _said(file: Path) -> bytes:
    """What a file holds; of Python what is carried out, and nothing that only people read."""
    if file.suffix != ".py":
        return file.read_bytes()
    return ast.dump(_Bare().visit(ast.parse(file.read_bytes()))).encode()


class _Bare(ast.NodeTransformer):
    """Leaves out docstrings. Comments are no part of a tree anyhow."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node
