"""Finding the packages of the extra `embedded`, which a production installation does without."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from stream.embedded.errors import MissingExtraError


def import_extra(package: str) -> Any:
    """Import `package` (dotted names too), or raise `MissingExtraError` with the command that installs it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise _missing(package) from error


def folder_of_extra(package: str) -> Path:
    """The folder of a top-level `package`, found without importing it. Raises `MissingExtraError`."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(package)
    return Path(spec.submodule_search_locations[0])


def _missing(package: str) -> MissingExtraError:
    return MissingExtraError(
        f"The embedded Kafka and Redis need the package {package.partition('.')[0]!r}, which is not installed.",
        cure="Install it with: pip install 'driftline[embedded]'",
    )
