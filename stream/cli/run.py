"""`driftline run`: the service."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class LogFormat(StrEnum):
    """How log lines are written."""

    CONSOLE = "console"
    JSON = "json"


def run(
    config: Annotated[Path, typer.Option("--config", "-c", help="The service's YAML file.")],
    log_format: Annotated[LogFormat, typer.Option(help="Log lines for people or for machines.")] = LogFormat.CONSOLE,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Predict, learn, watch for drift and adapt, until Ctrl-C or SIGTERM."""
    from stream import log
    from stream.config.load import load
    from stream.service import Service, stop_on_signals, tune_the_interpreter

    log.configure(log_format.value, log_level)
    stop_on_signals(service := Service(load(config)))
    tune_the_interpreter()
    service.run()
