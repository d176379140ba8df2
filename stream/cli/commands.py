"""The commands, each in a file of its own. What a command works with it imports when it is called, so that help is
quick.
"""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from stream.cli.check import check
from stream.cli.deadletters import app as deadletters
from stream.cli.demo import demo
from stream.cli.dev import app as dev
from stream.cli.docs import docs
from stream.cli.explain import explain
from stream.cli.init import init
from stream.cli.keys import app as keys
from stream.cli.models import app as models
from stream.cli.profile import app as profile
from stream.cli.run import run
from stream.cli.simulate import simulate
from stream.cli.tail import alerts, predictions
from stream.cli.tokens import app as tokens
from stream.cli.web import web

app = typer.Typer(
    name="driftline",
    help="Drift detection and online learning on Kafka streams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        try:
            version = metadata.version("driftline")
        except metadata.PackageNotFoundError:  # run from the source tree
            version = "unknown"
        typer.echo(f"driftline {version}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Drift detection and online learning on Kafka streams."""


app.command("run")(run)
app.command("web")(web)
app.command("demo")(demo)
app.command("check")(check)
app.command("init")(init)
app.command("docs")(docs)
app.command("simulate")(simulate)
app.command("explain")(explain)
app.add_typer(dev, name="dev")
app.add_typer(models, name="models")
app.add_typer(keys, name="keys")
app.add_typer(tokens, name="tokens")
app.add_typer(profile, name="profile")
app.add_typer(alerts, name="alerts")
app.add_typer(predictions, name="predictions")
app.add_typer(deadletters, name="deadletters")
