"""The journal of a task: what its inputs alone do not determine, so that its past can be done over to the last bit.

One entry per commit, in the same transaction as the outputs it stands for. It tells which records each step took, the
times the engine was given, and the commands it was told. Snapshot, journal and the input topics together give back the
task as it was at any commit, and any prediction in between.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from stream.records import Source

FORMAT = 1
"""Version of the entries written; others are not read."""


class SpanStep(msgspec.Struct, frozen=True, tag="span", omit_defaults=True):
    """A span was taken: from each topic the offsets from the first up to, not including, the second (None: nothing was
    taken from it), and the times the engine was given.
    """

    received: float
    now: float
    events: tuple[int, int] | None = None
    labels: tuple[int, int] | None = None


class SwapStep(msgspec.Struct, frozen=True, tag="swap"):
    """The champion was changed, to a learner of the task's own or to the artifact of that digest."""

    now: float
    version: int
    reason: str
    source: Source
    digest: str


class RefusedStep(msgspec.Struct, frozen=True, tag="refused"):
    """A promotion was refused."""

    now: float
    reason: str


class ChallengeStep(msgspec.Struct, frozen=True, tag="challenge"):
    """The artifact of that digest began to compete with the champion."""

    now: float
    version: int
    digest: str


class WithdrawStep(msgspec.Struct, frozen=True, tag="withdraw"):
    """The challenger that came as this version was withdrawn."""

    now: float
    version: int


Step: TypeAlias = SpanStep | SwapStep | RefusedStep | ChallengeStep | WithdrawStep


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of one commit of a task.

    `sequence` counts commits from 1; of two entries with one number the later is the one that was committed. `config`
    is the digest of what the state depends on; `start` and `end` are the task's positions before and after.
    """

    format: int = FORMAT
    sequence: int
    config: str
    start: dict[str, int]
    end: dict[str, int]
    steps: list[Step]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """The bytes of a journal record."""
    return _ENCODER.encode(entry)


def decode(data: bytes | None) -> Entry:
    """The entry in a journal record. Raises ValueError for anything that is none, or is of another format."""
    try:
        entry = _DECODER.decode(data or b"")
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a journal entry: {error}") from error
    if entry.format != FORMAT:
        raise ValueError(f"a journal entry of format {entry.format}; this version reads format {FORMAT}")
    return entry
