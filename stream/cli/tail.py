"""`driftline alerts tail` and `driftline predictions tail`: what a service puts out, as it comes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from stream.cli.options import LogLines
from stream.cli.printing import print_line
from stream.errors import BrokerError, ConfigError
from stream.interruption import INTERRUPTED
from stream.readable import alert_line, prediction_line
from stream.records import Alert, Prediction, RawRecord

if TYPE_CHECKING:
    from stream.config.kafka import KafkaConfig
    from stream.kafka.reader import Reader, Start

alerts = typer.Typer(help="Drift alerts, swaps and rollbacks of a service.", no_args_is_help=True)
predictions = typer.Typer(help="Predictions of a service.", no_args_is_help=True)

NEWEST: Final = 10
"""Records shown first when nothing else is asked for."""

_POLL_SECONDS = 0.5
_QUIET_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_RETRY_SECONDS = 2.0

R = TypeVar("R")


class From(StrEnum):
    """Where to begin."""

    BEGINNING = "beginning"
    END = "end"


ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="The service's file: its broker and topic are used.")
]
Bootstrap = Annotated[str | None, typer.Option(help="Without a file: the broker's address, host:port.")]
TopicName = Annotated[str | None, typer.Option(help="Without a file: the topic.")]
Begin = Annotated[From | None, typer.Option("--from", help="Show all that is there, or only what comes from now on.")]
Count = Annotated[
    int | None,
    typer.Option("--number", "-n", min=0, help="Show this many of the newest first.", show_default=str(NEWEST)),
]
Follow = Annotated[bool, typer.Option(help="Stay and show what comes, until Ctrl-C.")]
Json = Annotated[bool, typer.Option("--json", help="Print each record as one line of JSON, for programs.")]


def _add_tail(app: typer.Typer, which: str, kind: type[R], line: Callable[[R], Text], text: str) -> None:
    """Give `app` the command `tail` on the service's topic `which`, whose records are of this kind."""

    @app.command("tail", help=text)
    def tail(
        config: ConfigFile = None,
        bootstrap: Bootstrap = None,
        topic: TopicName = None,
        begin: Begin = None,
        count: Count = None,
        follow: Follow = True,
        as_json: Json = False,
        log_format: LogLines = None,
    ) -> None:
        from stream import log

        log.configure(log_format, "error")
        kafka, name = source(config, bootstrap, topic, which)
        Tail(kafka, name, _shower(kind, line, as_json)).run(begin, count, follow)


_add_tail(
    alerts,
    "alerts",
    Alert,
    alert_line,
    "Print alerts: when, how severe, what changed and how, the evidence, and what was done about it.",
)
_add_tail(
    predictions,
    "predictions",
    Prediction,
    prediction_line,
    "Print predictions: when, for which key and id, the answer, and the version of the model that gave it.",
)


class Tail:
    """Prints a topic. Complaints go to stderr, so that what is on stdout can be piped. `show` prints one record, or
    raises MsgspecError for what is none of its kind.
    """

    def __init__(self, kafka: KafkaConfig, topic: str, show: Callable[[RawRecord], None]) -> None:
        self._kafka = kafka
        self._topic = topic
        self._show = show
        self._said = ""
        self._came = False

    def run(self, begin: From | None, count: int | None, follow: bool) -> None:
        """Print until all is printed, or until Ctrl-C when following. Raises BrokerError for a missing topic."""
        if begin is not None and count is not None:
            raise ConfigError(f"--from {begin.value} and -n {count} both say where to begin", cure="Leave one out.")
        newest = NEWEST if count is None else count
        try:
            self._run(begin.value if begin is not None else newest, follow)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    def _run(self, start: Start, follow: bool) -> None:
        reader = self._connected(start, retry=follow)
        with closing(reader):
            self._catch_up(reader, start)
            while follow:
                self._follow(reader)
        if not self._came and start not in (0, From.END):
            self._say(f"Nothing to show: there is no record on {self._topic} at {self._kafka.bootstrap_servers}.")

    def _connected(self, start: Start, retry: bool) -> Reader:
        from stream.kafka.reader import NoTopicError, Reader

        while True:
            try:
                return Reader(self._kafka, [self._topic], start)
            except NoTopicError:
                raise
            except BrokerError as error:
                if not retry:
                    raise
                self._say(f"{error.message}. Trying again every {_RETRY_SECONDS:g} s; Ctrl-C ends.")
                time.sleep(_RETRY_SECONDS)

    def _catch_up(self, reader: Reader, start: Start) -> None:
        """Print what is there: all, or so many of the newest over all partitions, in the order of their time."""
        ends = reader.ends()
        found: list[RawRecord] = []
        while not reader.has_reached(ends):
            records = reader.poll(_POLL_SECONDS)
            if isinstance(start, int):
                found += records
            else:
                self._print(records)
        if isinstance(start, int) and start:
            self._print(sorted(found, key=lambda record: record.timestamp)[-start:])

    def _follow(self, reader: Reader) -> None:
        """Print what comes, for as long as something does; then see whether the broker is still there."""
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < _QUIET_SECONDS:
            records = reader.poll(_POLL_SECONDS)
            if records:
                self._print(records)
                self._said = ""
                quiet_since = time.monotonic()
        try:
            reader.ends(timeout=_ANSWER_SECONDS)
            if self._said:
                self._say(f"Kafka at {self._kafka.bootstrap_servers} is back.")
                self._said = ""
        except BrokerError as error:
            self._say(f"{error.message}. It will be tried until it does; Ctrl-C ends.")

    def _print(self, records: list[RawRecord]) -> None:
        for record in records:
            self._came = True
            try:
                self._show(record)
            except msgspec.MsgspecError as error:
                self._say(f"{record.topic}[{record.partition}]@{record.offset} was left out: {error}")
        sys.stdout.flush()

    def _say(self, message: str) -> None:
        """Say something once, until something else is said."""
        if message != self._said:
            Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(message)
        self._said = message


def source(config: Path | None, bootstrap: str | None, topic: str | None, which: str) -> tuple[KafkaConfig, str]:
    """The broker and the topic to read. Raises ConfigError."""
    from pydantic import ValidationError

    from stream.config.kafka import KafkaConfig

    if config is not None:
        if bootstrap is not None or topic is not None:
            raise ConfigError("-c names the broker and the topic", cure="Leave --bootstrap and --topic out, or -c.")
        from stream.config.load import load  # and with it all models and detectors, which takes a second or two

        service = load(config)
        return service.kafka, getattr(service.topics, which)
    if bootstrap is None or topic is None:
        raise ConfigError(
            "what to read is not said", cure="Name the service's file (-c FILE), or --bootstrap and --topic."
        )
    try:
        return KafkaConfig(bootstrap_servers=bootstrap), topic
    except ValidationError as error:
        raise ConfigError(f"--bootstrap: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from None


def _shower(kind: type[R], line: Callable[[R], Text], as_json: bool) -> Callable[[RawRecord], None]:
    """Prints one record's value. What it returns raises MsgspecError for a value that is not of this kind."""
    if as_json:
        return lambda record: print_line(msgspec.json.format(record.value or b"", indent=-1))
    decoder = msgspec.json.Decoder(kind)
    console = Console(highlight=False, soft_wrap=True)
    return lambda record: console.print(line(decoder.decode(record.value or b"")))
