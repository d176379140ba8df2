"""Making a profile: a random sample of the events in a file, read once, whatever its size."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from stream.config.model import Config
from stream.decode import EventDecoder
from stream.errors import DataError
from stream.profile import Profile
from stream.records import Event, Rejected

SPARE: Final = 2
"""Events sampled for each value of the largest reference, so that features may be missing from every other one."""
LEAST: Final = 1000
"""Events sampled where no detector has a reference."""

_LINES: Final = 1000


class Sampled(NamedTuple):
    """A profile, and the first of the records that could not be used, if any."""

    profile: Profile
    rejected: Rejected | None


def size_for(config: Config) -> int:
    """How many events to sample for the detectors that are configured."""
    references = [getattr(detector, "reference", 0) for detector in config.detectors.data]
    return SPARE * max(references, default=0) or LEAST


def sample(config: Config, path: Path, size: int, seed: int, made: datetime) -> Sampled:
    """Draw `size` events, or all where there are fewer, from a file of JSON lines as they stand on the events topic.

    The same file, size and seed give the same sample. Raises DataError if the file cannot be read or has no event.
    """
    chance, drawn = random.Random(seed), list[Event]()
    events = dead = 0
    first: Rejected | None = None
    for record in _decoded(config, path):
        if isinstance(record, Rejected):
            dead += 1
            first = first or record
            continue
        events += 1
        if len(drawn) < size:
            drawn.append(record)
        elif (place := chance.randrange(events)) < size:
            drawn[place] = record
    if first is not None and not events:
        raise DataError(f"{path}: none of its {dead:,} lines is an event.", first.message)
    if not events:
        raise DataError(f"{path}: it holds no events.", "Give a file of JSON objects, one event to a line.")
    chance.shuffle(drawn)
    features = {name: [event.features.get(name) for event in drawn] for name in config.events.features}
    profile = Profile(
        model=config.model.name,
        made=made,
        source=path.name,
        events=events,
        dead_letters=dead,
        seed=seed,
        times=[event.timestamp for event in drawn],
        features=features,
    )
    return Sampled(profile, first)


class _Line(NamedTuple):
    """A line of a file as if it were a record. It carries no time of its own; offsets are numbers of lines."""

    topic: str
    offset: int
    value: bytes
    partition: int = 0
    timestamp: int = -1
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def _decoded(config: Config, path: Path) -> Iterator[Event | Rejected]:
    decode = EventDecoder(config).decode
    try:
        with path.open("rb") as file:
            lines = (_Line(path.name, number, line) for number, line in enumerate(file, 1) if line.strip())
            while batch := list(islice(lines, _LINES)):
                yield from decode(batch)
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}.") from None
