"""`driftline simulate`: feeds a service with real or made-up streams, at any speed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from stream.cli.options import LogLines
from stream.errors import ConfigError
from stream.simulate.catalogue import Kind, make_source
from stream.simulate.source import Out
from stream.simulate.wire import Faults, encode, spoil

if TYPE_CHECKING:
    from stream.simulate.player import PlayStats

_INTERRUPTED = 130
_PLAIN_SECONDS = 5.0
_LIVE_SECONDS = 0.25


class Only(StrEnum):
    """One topic out of two."""

    EVENTS = "events"
    LABELS = "labels"


def simulate(
    kind: Annotated[Kind, typer.Argument(help="What to simulate: real flights, card payments or machine sensors.")],
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="The service's file: its broker and topics are used.")
    ] = None,
    speed: Annotated[str, typer.Option(help="Simulated seconds per second, or max.")] = "max",
    max_lag: Annotated[
        int | None, typer.Option(min=1, help="Wait while the service is more than this many records behind.")
    ] = None,
    events: Annotated[int | None, typer.Option(min=1, help="End after this many events and their labels.")] = None,
    start: Annotated[str | None, typer.Option(help="Leave out events before this time (ISO 8601, UTC).")] = None,
    end: Annotated[str | None, typer.Option(help="Leave out events from this time on (ISO 8601, UTC).")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 1,
    imbalance: Annotated[
        int | None, typer.Option(min=2, max=5000, help="payments: genuine payments per fraud.")
    ] = None,
    duplicate_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of records sent twice.")] = 0.0,
    malformed_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of records made unreadable.")] = 0.0,
    shuffle_labels: Annotated[int, typer.Option(min=0, help="Shuffle labels among this many; 0 is off.")] = 0,
    to_file: Annotated[Path | None, typer.Option(help="Write JSON lines to this file, and nothing to Kafka.")] = None,
    only: Annotated[Only | None, typer.Option(help="With --to-file: the bare values of one topic.")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, for pipes and logs.")] = False,
    log_format: LogLines = None,
) -> None:
    """Play a stream of events and their late labels into the topics of a service, in the order of time.

    The same seed gives the same records. Flights are those that left New York in 2013; the other two never end, so
    give --events or stop them with Ctrl-C.
    """
    from stream import log

    log.configure(log_format, "error")
    factor = parse_speed(speed)
    records = make_source(kind, seed, imbalance).records(_instant("--start", start), _instant("--end", end), events)
    faults = Faults(duplicate_rate, malformed_rate, shuffle_labels, seed)
    if to_file is not None:
        if faults != Faults(seed=seed):
            raise ConfigError("faults are for Kafka, a file is written whole", cure="Leave them out with --to-file.")
        if events is None and end is None and kind is not Kind.FLIGHTS:
            raise ConfigError(f"{kind.value} never end, and a file must", cure="Add --events or --end.")
        _export(records, to_file, only)
    elif only is not None:
        raise ConfigError("--only is for files", cure="Add --to-file, or leave --only out.")
    elif config is None:
        raise ConfigError("no service to play to", cure="Name its file: -c configs/flights.yaml. Or use --to-file.")
    else:
        _play(records, faults, config, factor, max_lag, plain)


def _export(records: Iterator[Out], path: Path, only: Only | None) -> None:
    from stream.simulate.export import export

    lines = export(records, path, only.value if only else None)
    _console().print(f"{lines:,} lines written to {path}")


def _play(
    records: Iterator[Out], faults: Faults, path: Path, speed: float | None, max_lag: int | None, plain: bool
) -> None:
    from stream.config.load import load
    from stream.simulate.backlog import held_back
    from stream.simulate.player import play

    config = load(path)
    messages = spoil(encode(records), faults)
    with _stop_on_signals() as stop, _progress(plain) as (show, every):
        stats = play(
            messages if max_lag is None else held_back(messages, config, max_lag, stop),
            config.kafka,
            config.topics,
            speed,
            on_progress=lambda so_far: show(describe(so_far)),
            progress_every=every,
            stop=stop,
        )
    if stats.stopped:
        _console().print("Stopped; all that was sent is acknowledged.")
        raise typer.Exit(_INTERRUPTED)


@contextmanager
def _progress(plain: bool) -> Iterator[tuple[Callable[[str], None], float]]:
    """Where progress goes, and how often (seconds): one line that is kept up to date, or a line at a time."""
    console = _console()
    if plain or not console.is_terminal:
        yield console.print, _PLAIN_SECONDS
        return
    newest = ""

    def show(line: str) -> None:
        nonlocal newest
        newest = line
        status.update(line)

    with console.status("connecting to Kafka") as status:
        yield show, _LIVE_SECONDS
    console.print(newest)


def _console() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def describe(stats: PlayStats) -> str:
    """One line on how far playing has come."""
    if stats.last is None:
        return "nothing to play: no event in this stretch"
    now = datetime.fromtimestamp(stats.last, UTC)
    rate = (stats.events + stats.labels) / stats.seconds if stats.seconds else 0.0
    factor = stats.simulated / stats.seconds if stats.seconds else 0.0
    return (
        f"{now:%Y-%m-%d %H:%M}  {stats.events:,} events  {stats.labels:,} labels  "
        f"{rate:,.0f} records/s  {factor:,.0f}x life"
    )


@contextmanager
def _stop_on_signals() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM set the event; the player ends in its own time."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def parse_speed(text: str) -> float | None:
    """Simulated seconds per second; None for `max`. Raises ConfigError."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not speed > 0:
        raise ConfigError(f"--speed is {text!r}; expected a number above 0 (1 is life), or max")
    return speed


def _instant(option: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} is {text!r}; expected a time such as 2013-06-01 or 2013-06-01T12:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
