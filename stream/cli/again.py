"""Running this very `driftline` as another process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import stream


def command(*arguments: str) -> list[str]:
    """The command line of `driftline ARGUMENTS`, for use with `environment`."""
    # -P: the program comes from where this one came from, never from what happens to lie in the working directory.
    return [sys.executable, "-P", "-c", "from stream.cli import main; main()", *arguments]


def environment() -> dict[str, str]:
    """This process's environment, in which another Python finds the same Driftline, installed or not."""
    source = str(Path(stream.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))}
