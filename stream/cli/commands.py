"""The commands, each in a file of its own. What a command works with it imports when it is called, so that help is
quick.
"""

from __future__ import annotations

import typer

from stream.cli.check import check
from stream.cli.demo import demo
from stream.cli.dev import app as dev
from stream.cli.docs import docs
from stream.cli.init import init
from stream.cli.models import app as models
from stream.cli.run import run
from stream.cli.simulate import simulate
from stream.cli.tail import alerts, predictions

app = typer.Typer(
    name="driftline",
    help="Drift detection and online learning on Kafka streams.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run)
app.command("demo")(demo)
app.command("check")(check)
app.command("init")(init)
app.command("docs")(docs)
app.command("simulate")(simulate)
app.add_typer(dev, name="dev")
app.add_typer(models, name="models")
app.add_typer(alerts, name="alerts")
app.add_typer(predictions, name="predictions")
