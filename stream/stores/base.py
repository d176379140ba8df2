"""What a model store hands out, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from learners.base import Learner
from stream.errors import StoreError
from stream.stores.archive import Archived, Point

GLOBAL = "global"
"""The scope of a champion that all tasks serve with."""


class Conflict(StoreError):
    """The store can be had, and what it holds does not allow what was asked. Nothing was written."""


class StaleWriter(Conflict):
    """Another writer changed the champion first. Nothing was written; look again before deciding anew."""


class Superseded(StoreError):
    """A newer owner has claimed the task. Nothing was written, and nothing this one writes ever will be."""


class UnknownVersion(StoreError):
    """The registry has no such version, or no longer its artifact."""

    @classmethod
    def of(cls, name: str, version: int, where: str) -> UnknownVersion:
        """There is no such version of a model, or it was removed."""
        return cls(
            f"model {name} has no version {version} in Redis at {where}.",
            "See `driftline models list`; what is old and not in use is removed (redis.retention).",
        )

    @classmethod
    def without_artifact(cls, name: str, version: int, where: str) -> UnknownVersion:
        """The version is known, but its artifact is not there."""
        return cls(
            f"the artifact of model {name} version {version} is gone from Redis at {where}.",
            "Restore it from a backup or promote another version; Redis must not evict (maxmemory-policy noeviction).",
        )


class VersionMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry knows of one version. Never changes.

    The publisher says when the model was made (`created`, seconds since the epoch), from which recipe, why, with which
    scores and confidence intervals of these (by name), after how many labels, which events of its partition it has
    learned from since it began untrained or as a copy of a parent (`trained`: first and last offset; None: none, or not
    known) and was judged on (`span`), from which parent versions (none: it comes from nowhere here) and who it is.
    `version`, `digest` (SHA-256 of the artifact, hexadecimal) and `size` (bytes) are the registry's own.
    """

    created: float
    recipe: str
    reason: str
    who: str
    scores: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    labels: int = 0
    trained: tuple[int, int] | None = None
    span: tuple[int, int] | None = None
    parents: tuple[int, ...] = ()
    version: int = 0
    digest: str = ""
    size: int = 0


class Champion(msgspec.Struct, frozen=True):
    """The serving version. `epoch` grows by one with every change; `since` is seconds since the epoch, by the store."""

    version: int
    epoch: int
    digest: str
    reason: str
    who: str
    since: float


class Verified(msgspec.Struct, frozen=True):
    """A version whose artifact was fetched and verified."""

    meta: VersionMeta
    open: Callable[[], Learner[Any]]

    def learner(self) -> Learner[Any]:
        """A learner of its own for each call, so that tasks never share one. Takes as long as unpickling does."""
        return self.open()


class Loaded(Verified, frozen=True):
    """A champion, ready to serve."""

    champion: Champion

    @property
    def version(self) -> int:
        return self.champion.version

    @property
    def epoch(self) -> int:
        return self.champion.epoch


class Entered(msgspec.Struct, frozen=True):
    """A version that competes with the champion because somebody entered it: since when (seconds since the epoch, by
    the store), and who did.
    """

    version: int
    since: float
    who: str


class Entrant(Verified, frozen=True):
    """A version that was entered as a challenger, ready to compete."""

    entered: Entered

    @property
    def version(self) -> int:
        return self.entered.version


class SnapshotStore(Protocol):
    """Keeps the newest snapshot of each task, the one before it, and an archive of some from further back. Safe to use
    from several threads.

    A task has one owner at a time, known by a number; a newer one fences the older off. A writer that is killed at any
    instant leaves the newest snapshot and the one before it as they were, or has written its own whole. So with the
    archive.
    """

    @property
    def where(self) -> str:
        """Where it is, for people."""

    def claim(self, task: str) -> int:
        """Become the owner of `task`: a number larger than any given for it before. Raises StoreError."""

    def save(self, task: str, data: bytes, *, owner: int, point: Point | None = None) -> None:
        """Make `data` the newest snapshot of `task`. The check and the write are one step.

        It is archived too if it was taken at a `point` long enough after the newest one there; of those the oldest go
        beyond as many as are to be kept.

        Raises Superseded when a newer owner has claimed the task; StoreError. The newest is then still the one it was.
        Of a store that was wiped, whoever writes is the owner until a newer one comes.
        """

    def load(self, task: str, *, previous: bool = False) -> bytes | None:
        """The newest snapshot of `task`, or the one before it; None if there is none. Raises StoreError."""

    def archived(self, task: str) -> list[Archived]:
        """What is in the archive of `task`, in the order it was put there. Reads none of them. Raises StoreError."""

    def load_archived(self, task: str, archived: Archived) -> bytes | None:
        """A snapshot in the archive of `task`; None if it has been removed. Raises StoreError."""
