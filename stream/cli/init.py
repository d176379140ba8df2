"""`driftline init`: a first configuration from a sample of events."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

_SAMPLE = 1000
"""Events looked at, or fewer where there are fewer."""

_WAIT_SECONDS = 10.0


def init(
    from_: Annotated[
        Path | None, typer.Option("--from", help=f"A file with one JSON object a line; its first {_SAMPLE:,} are read.")
    ] = None,
    from_topic: Annotated[str | None, typer.Option(help=f"A topic; its oldest {_SAMPLE:,} records are read.")] = None,
    bootstrap: Annotated[str, typer.Option(help="With --from-topic: the broker, host:port.")] = "localhost:9092",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; the terminal if left out.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write a commented first configuration: id, time, label, features and their types guessed from a sample.

    Nothing is asked. What was guessed, and why, stands in the comments; `driftline check` tells what is still wrong.
    """
    if (from_ is None) == (from_topic is None):
        raise ConfigError("expected one of --from FILE and --from-topic TOPIC.")
    if output is not None and output.exists() and not force:
        raise ConfigError(f"{output} is there already.", "Write elsewhere, or add --force to overwrite it.")

    from stream.config.infer import infer
    from stream.config.starter import starter

    if from_ is not None:
        text = starter(infer(_objects(_lines(from_), str(from_))), name=from_.stem, source=from_.name)
    else:
        topic = from_topic or ""
        sample = _objects(_records(topic, bootstrap), f"topic {topic}")
        text = starter(infer(sample), name=topic, source=f"the topic {topic}", bootstrap=bootstrap, topic=topic)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}.") from None
    typer.echo(f"Wrote {output}. Read it, then: driftline check -c {output}")


def _lines(path: Path) -> list[bytes]:
    """The first lines of a file that hold something."""
    try:
        with path.open("rb") as file:
            return [line for line, _ in zip(filter(bytes.strip, file), range(_SAMPLE), strict=False)]
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None


def _records(topic: str, bootstrap: str) -> list[bytes]:
    """Values of the topic's oldest records. Joins no group and commits nothing."""
    from stream.config.fields import brokers
    from stream.kafka.sample import oldest_values

    try:
        brokers(bootstrap)
    except ValueError as error:
        raise ConfigError(f"--bootstrap: {error}.") from None
    return oldest_values(bootstrap, topic, _SAMPLE, _WAIT_SECONDS)


def _objects(values: Iterable[bytes], source: str) -> list[dict[str, Any]]:
    """The JSON objects among the values. Raises DataError if there is none; a few broken ones do no harm."""
    import msgspec

    decoder = msgspec.json.Decoder(dict[str, Any])
    found: list[dict[str, Any]] = []
    problem = "it is empty"
    for number, value in enumerate(values, 1):
        try:
            found.append(decoder.decode(value))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = f"record {number}: {error}"
    if not found:
        raise DataError(
            f"{source}: no JSON object found ({problem}).", "Events are JSON objects, one a line or record."
        )
    return found
