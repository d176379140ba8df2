"""Results that outlive an interrupted run: a line of JSON for each finished cell."""

from __future__ import annotations

import json
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
