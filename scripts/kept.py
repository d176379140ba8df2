"""Results of long simulations, kept as they come, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

Anew: TypeAlias = Annotated[bool, typer.Option(help="forget the results of earlier runs")]
"""The option of the scripts that keep results."""


class Kept:
    """Results by what they are of, in a file that is written after each."""

    def __init__(self, path: Path, anew: bool) -> None:
        self._path = path
        self._results: dict[str, Any] = {}
        if path.exists() and not anew:
            self._results = json.loads(path.read_text(encoding="ascii"))

    def get(self, part: str, of: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """The result that is there, or a new one."""
        name = f"{part} {' '.join(map(str, of))}"
        if name not in self._results:
            self._results[name] = make()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps(self._results, indent=1), encoding="ascii")
        return self._results[name]
