"""`driftline init`: a first configuration from a sample of events, and of labels."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from stream.cli.options import Force
from stream.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SAMPLE = 1000
"""Events looked at, or fewer where there are fewer."""

_LABELS = 10_000
"""Labels looked at: they are small, and one class may be rare."""

_WAIT_SECONDS = 10.0


def init(
    from_: Annotated[
        Path | None, typer.Option("--from", help=f"A file with one JSON object a line; its first {_SAMPLE:,} are read.")
    ] = None,
    from_topic: Annotated[str | None, typer.Option(help=f"A topic; its oldest {_SAMPLE:,} records are read.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help=f"A file with labels, one JSON object a line; its first {_LABELS:,} are read.")
    ] = None,
    labels_topic: Annotated[
        str | None, typer.Option(help=f"A topic of labels; its oldest {_LABELS:,} records are read.")
    ] = None,
    bootstrap: Annotated[str, typer.Option(help="With a topic: the broker, host:port.")] = "localhost:9092",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; the terminal if left out.")
    ] = None,
    force: Force = False,
) -> None:
    """Write a commented first configuration: id, time, label, features and their types guessed from a sample.

    Labels that come by themselves need a sample of their own. Nothing is asked. What was guessed, and why, stands in
    the comments; `driftline check` tells what is still wrong.
    """
    if (from_ is None) == (from_topic is None):
        raise ConfigError("expected one of --from FILE and --from-topic TOPIC.")
    if labels is not None and labels_topic is not None:
        raise ConfigError("expected one of --labels FILE and --labels-topic TOPIC, not both.")
    if output is not None and output.exists() and not force:
        raise ConfigError(f"{output} is there already.", "Write elsewhere, or add --force to overwrite it.")

    from stream.config.infer import RecordTimes, infer
    from stream.config.starter import starter

    if from_ is not None:
        events = _file(from_, _SAMPLE)
        name = from_.stem
    else:
        name = from_topic or ""
        events = _topic(name, bootstrap, _SAMPLE)
    source, truths, times = events.source, None, None
    if labels is not None or labels_topic is not None:
        known = _file(labels, _LABELS) if labels is not None else _topic(labels_topic or "", bootstrap, _LABELS)
        truths = known.rows
        source += f" and {len(truths):,} labels of {known.source}"
        if events.times is not None and known.times is not None:
            times = RecordTimes(events.times, known.times)
    text = starter(
        infer(events.rows, truths, times),
        name=name,
        source=source,
        bootstrap=bootstrap if from_topic or labels_topic else None,
        topic=from_topic,
        labels_topic=labels_topic,
    )
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}.") from None
    rows = f"{len(events.rows):,} events"
    typer.echo(f"Wrote {output}, from {rows} of {source}. Read it, then: driftline check -c {output}")


class _Sample(NamedTuple):
    """Objects, the times of the records that they were in (None: they were in a file), and how to call where they are
    from.
    """

    rows: list[dict[str, Any]]
    times: list[float] | None
    source: str


def _file(path: Path, most: int) -> _Sample:
    """The objects in the first lines of a file that hold something."""
    try:
        with path.open("rb") as file:
            lines = list(islice(filter(bytes.strip, file), most + 1))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None
    rows, _ = _objects([(line, 0.0) for line in lines[:most]], str(path))
    return _Sample(rows, None, f"{path.name}{' (which has more)' if len(lines) > most else ''}")


def _topic(topic: str, bootstrap: str, most: int) -> _Sample:
    """The objects in the topic's oldest records. Joins no group and commits nothing."""
    from stream.config.fields import brokers
    from stream.kafka.sample import oldest

    try:
        brokers(bootstrap)
    except ValueError as error:
        raise ConfigError(f"--bootstrap: {error}.") from None
    return _Sample(*_objects(oldest(bootstrap, topic, most, _WAIT_SECONDS), f"topic {topic}"), f"the topic {topic}")


def _objects(values: Iterable[tuple[bytes, float]], source: str) -> tuple[list[dict[str, Any]], list[float]]:
    """The JSON objects among the values, and their times. Raises DataError if there is none; a few broken ones do no
    harm.
    """
    import msgspec

    decoder = msgspec.json.Decoder(dict[str, Any])
    found: list[dict[str, Any]] = []
    times: list[float] = []
    problem = "it is empty"
    for number, (value, time) in enumerate(values, 1):
        try:
            found.append(decoder.decode(value))
            times.append(time)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = f"record {number}: {error}"
    if not found:
        raise DataError(
            f"{source}: no JSON object found ({problem}).", "Events and labels are JSON objects, one a line or record."
        )
    return found, times
