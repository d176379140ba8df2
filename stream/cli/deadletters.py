"""`driftline deadletters tail`: records that cannot be used, and why, as they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from stream.cli.options import LogLines
from stream.cli.printing import print_line
from stream.cli.tail import Begin, Bootstrap, ConfigFile, Count, Follow, Json, Tail, TopicName, source
from stream.cli.versions import who
from stream.errors import ConfigError

if TYPE_CHECKING:
    from stream.records import RawRecord

app = typer.Typer(help="Records of a service that could not be used.", no_args_is_help=True)

Raw = Annotated[
    bool,
    typer.Option(
        "--raw", help="Show values as they are, personal data and all. That you did goes to the audit; needs -c."
    ),
]


@app.command("tail")
def tail(
    config: ConfigFile = None,
    bootstrap: Bootstrap = None,
    topic: TopicName = None,
    begin: Begin = None,
    count: Count = None,
    follow: Follow = True,
    as_json: Json = False,
    raw: Raw = False,
    log_format: LogLines = None,
) -> None:
    """Print dead letters: when, for which reason, which record it was, what is wrong with it, and what it is like.

    Of values only the names of fields and the kinds of what is in them are shown, as by the page.
    """
    from stream import log

    log.configure(log_format, "error")
    kafka, name = source(config, bootstrap, topic, "dead_letters")
    letters = Tail(kafka, name, _shower(as_json=as_json, raw=raw))
    if raw:
        _announce(config, name)
    letters.run(begin, count, follow)


def _announce(config: Path | None, topic: str) -> None:
    """Write to the audit that values are about to be seen as they are. Raises BrokerError when that is not possible."""
    if config is None:
        raise ConfigError(
            "--raw goes to the audit of the service, and no service is named",
            cure="Name its file (-c FILE), or leave --raw out.",
        )
    from stream.audit import Author, Change, TopicTrail, audited
    from stream.config.load import load

    trail = TopicTrail(load(config))
    try:
        change = Change(Author(who(), via="command line"), "quality.raw", f"topic {topic}")
        audited(trail, change, lambda: None, lambda _: None)
    finally:
        trail.close()


def _shower(*, as_json: bool, raw: bool) -> Callable[[RawRecord], None]:
    """Prints one dead letter."""
    from stream.deadletters import Letter
    from stream.readable import dead_letter_line

    if as_json:
        return lambda record: print_line(msgspec.json.encode(Letter(record).sample(raw=raw)))
    console = Console(highlight=False, soft_wrap=True)
    return lambda record: console.print(dead_letter_line(Letter(record).sample(raw=raw)))
