"""What a result depends on beside its cell: the code that measures and is measured, and the versions of libraries."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path

from bench.store import digest
from detecting.others import ELSEWHERE, WATCHER
from detectors.registry import CONCEPT, DATA


@cache
def code(library: str, kind: str) -> str:
    """A digest of our code that measures a contender; of ours, and of the contender's."""
    own = "ours.py" if library == "driftline" else "others.py"
    files = {Path(__file__).with_name(name) for name in ("cells.py", "streams.py", "watching.py", own)}
    if library == "driftline":
        files |= sources({**CONCEPT, **DATA}[kind.split(maxsplit=1)[0]].__module__)
    elif library in ELSEWHERE:
        files.add(WATCHER)
    return digest(files)


@cache
def sources(module: str) -> frozenset[Path]:
    """The files of a module of ours, of its table if it has one, and of all modules of ours that it imports."""
    path = Path(str(import_module(module).__file__))
    own = {file for file in (path, path.with_suffix(".json")) if file.exists()}
    imported = re.findall(r"^from (detectors[\w.]*) import", path.read_text(), re.MULTILINE)
    return frozenset(own.union(*map(sources, imported)))
