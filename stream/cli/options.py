"""Options that several commands have."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LogFormat(StrEnum):
    """How log lines are written."""

    CONSOLE = "console"
    JSON = "json"


ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The service's YAML file.")]
ModelName = Annotated[
    str | None, typer.Option("--model", help="Another model than the file's.", show_default="model.name of the file")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")]
LogLines = Annotated[
    LogFormat | None,
    typer.Option(
        "--log-format",
        help="Log lines for people or for machines.",
        show_default="console on a terminal, json elsewhere",
    ),
]
"""None: as `stream.log.configure` decides."""
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]
