"""The archive of snapshots: every so often one that is written is kept for longer than the two that follow it.

Which there are, and from where in their task's life, is told by their names alone: none need be read to find one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from stream.config.runtime import ArchiveConfig

NO_ARCHIVE: Final = ArchiveConfig(keep=0)
_NAME: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18}){3}")


class Point(NamedTuple):
    """Where in its task's life a snapshot was taken: after which entry of the journal, before which offset of the
    events topic, and when, in milliseconds since the epoch.
    """

    sequence: int
    events: int
    taken: int

    @property
    def name(self) -> str:
        """Its part in names."""
        return ".".join(map(str, self))


class Archived(NamedTuple):
    """A snapshot in the archive of its task. The `number` grows by one with each that is put there."""

    number: int
    point: Point

    @property
    def name(self) -> str:
        """Its name in the store."""
        return f"{self.number}.{self.point.name}"


def archive_of(names: Iterable[str]) -> list[Archived]:
    """The archived snapshots that have these names, in the order they were put there. Names of something else are left
    out.
    """
    numbers = (tuple(map(int, name.split("."))) for name in names if _NAME.fullmatch(name))
    return sorted(Archived(number, Point(*point)) for number, *point in numbers)


def next_in(archive: Sequence[Archived], point: Point, config: ArchiveConfig) -> Archived | None:
    """What a snapshot taken at a point becomes in an archive; None when it is too early for another one. What a store
    of files does by this, Redis does by the script `SAVE`.

    A clock that was put back is no reason to wait until it is where it was.
    """
    if not config.keep:
        return None
    if not archive:
        return Archived(1, point)
    newest = archive[-1]
    early = abs(point.taken - newest.point.taken) < config.every * 1000
    return None if early else Archived(newest.number + 1, point)
