"""Writes a simulated stream to a file of JSON lines instead of Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from stream.errors import ConfigError
from stream.simulate.source import Out, Topic


def export(records: Iterable[Out], path: Path, only: Topic | None = None) -> int:
    """Write one JSON object per line and return how many.

    A line holds `topic`, `ts` (seconds), `key` and `value`; with `only`, the bare values of that topic, as
    `driftline init --from` reads them. Raises `ConfigError` when the file cannot be written.
    """
    encoder = msgspec.json.Encoder()
    lines = 0
    try:
        with path.open("wb") as file:
            for topic, timestamp, key, value in records:
                if only is not None and topic != only:
                    continue
                line = value if only else {"topic": topic, "ts": timestamp, "key": key.decode(), "value": value}
                file.write(encoder.encode(line) + b"\n")
                lines += 1
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", cure="Name a file in a directory that can be written."
        ) from error
    return lines
