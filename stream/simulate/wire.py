"""Simulated records as they travel: encoded as JSON, and spoilt on request the way real streams are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import NamedTuple

import msgspec

from stream.simulate.source import Out, SourceError, Topic


class Message(NamedTuple):
    """One record, ready to be produced. `timestamp` is simulated time, in seconds since the epoch."""

    topic: Topic
    timestamp: float
    key: bytes
    value: bytes


class Faults(NamedTuple):
    """What to spoil. Rates are shares of all records; `shuffle_labels` labels at a time are shuffled."""

    duplicate_rate: float = 0.0
    malformed_rate: float = 0.0
    shuffle_labels: int = 0
    seed: int = 1


def encode(records: Iterable[Out]) -> Iterator[Message]:
    """Records as JSON, in their order."""
    encoder = msgspec.json.Encoder()
    for topic, timestamp, key, value in records:
        yield Message(topic, timestamp, key, encoder.encode(value))


def spoil(messages: Iterable[Message], faults: Faults) -> Iterator[Message]:
    """The messages with the faults asked for; the same seed spoils the same records.

    A duplicate follows its original at once. A malformed record replaces a good one. Shuffled labels keep their
    timestamps and come late, so that the topic is no longer in the order of time. Raises `SourceError` for a rate
    outside 0 to 1 or a negative number of labels.
    """
    for name, rate in (("duplicate rate", faults.duplicate_rate), ("malformed rate", faults.malformed_rate)):
        if not 0.0 <= rate <= 1.0:
            raise SourceError(f"{name} is {rate:g}; expected a share of all records, 0 to 1")
    if faults.shuffle_labels < 0:
        raise SourceError(
            f"shuffle_labels is {faults.shuffle_labels}; expected 0 (off) or the labels to shuffle at once"
        )
    return _malform(_duplicate(_shuffle_labels(messages, faults), faults), faults)


def _shuffle_labels(messages: Iterable[Message], faults: Faults) -> Iterator[Message]:
    rng = Random(f"shuffle-{faults.seed}")
    held: list[Message] = []
    for message in messages:
        if message.topic == "events" or not faults.shuffle_labels:
            yield message
            continue
        held.append(message)
        if len(held) >= faults.shuffle_labels:
            rng.shuffle(held)
            yield from held
            held.clear()
    rng.shuffle(held)
    yield from held


def _duplicate(messages: Iterable[Message], faults: Faults) -> Iterator[Message]:
    rng = Random(f"duplicate-{faults.seed}")
    for message in messages:
        yield message
        if rng.random() < faults.duplicate_rate:
            yield message


def _malform(messages: Iterable[Message], faults: Faults) -> Iterator[Message]:
    rng = Random(f"malform-{faults.seed}")
    for message in messages:
        if rng.random() < faults.malformed_rate:
            cut_short = message.value[: rng.randrange(1, len(message.value))]
            yield message._replace(value=rng.choice((b"", b"[]", b"\xff\xfe\x00", cut_short)))
        else:
            yield message
