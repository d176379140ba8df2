"""`driftline docs`: the reference of the configuration, made from its models."""

from __future__ import annotations

import typer


def docs() -> None:
    """Print the reference of the configuration file, as Markdown. docs/config.md is this output."""
    from stream.config.reference import render

    typer.echo(render(), nl=False)
