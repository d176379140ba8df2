"""`driftline demo`: real flights through a real Kafka, in your terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from stream.cli.options import LogLines

FULL_SPEED: Final = 150_000
"""Simulated seconds per second by default: the year in three and a half minutes."""


def demo(
    speed: Annotated[str, typer.Option(help="Simulated seconds per second, or max.")] = str(FULL_SPEED),
    flights: Annotated[int | None, typer.Option(min=1, help="End after this many flights.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=365, help="End after this many days of the year.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep topics, models and logs here; without it, they are gone at the end.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up at the end, until Ctrl-C.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, for pipes and logs.")] = False,
    log_format: LogLines = None,
) -> None:
    """Watch the flights that left New York in 2013: predictions, late labels, drift and swaps, through a real Kafka.

    Needs no Kafka and no Redis: it brings its own, on this machine only. The simulator waits when the service cannot
    keep up.
    """
    from rich.console import Console

    from stream import log
    from stream.cli.simulate import parse_speed
    from stream.demo.run import run
    from stream.demo.session import Options
    from stream.interruption import INTERRUPTED, Interruption

    log.configure(log_format, "error")
    parse_speed(speed)
    console = Console(highlight=False)
    plain = plain or not console.is_terminal or console.is_dumb_terminal
    if plain:
        console = Console(highlight=False, soft_wrap=True, width=None if console.is_terminal else 120)
    options = Options(speed, flights, days, data_dir, keep, plain)
    with Interruption() as interruption:
        try:
            code = run(options, console, interruption)
        except KeyboardInterrupt:
            console.print("Interrupted while starting; nothing is left running.")
            code = INTERRUPTED
    sys.exit(code)
