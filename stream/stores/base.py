"""What a model store hands out, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from learners.base import Learner
from stream.errors import StoreError


class StaleWriter(StoreError):
    """Another writer changed the champion first. Nothing was written; look again before deciding anew."""


class UnknownVersion(StoreError):
    """The registry has no such version, or no longer its artifact."""


class VersionMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry knows of one version. Never changes.

    The publisher says when the model was made (`created`, seconds since the epoch), from which recipe, why, with which
    scores, after how many labels, from which parent version (0: none) and who it is. `version`, `digest` (SHA-256 of
    the artifact, hexadecimal) and `size` (bytes) are the registry's own.
    """

    created: float
    recipe: str
    reason: str
    who: str
    scores: dict[str, float] = {}
    labels: int = 0
    parent: int = 0
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


class Loaded(msgspec.Struct, frozen=True):
    """A champion whose artifact was fetched and verified."""

    champion: Champion
    meta: VersionMeta
    open: Callable[[], Learner[Any]]

    @property
    def version(self) -> int:
        return self.champion.version

    @property
    def epoch(self) -> int:
        return self.champion.epoch

    def learner(self) -> Learner[Any]:
        """A learner of its own for each call, so that tasks never share one. Takes as long as unpickling does."""
        return self.open()
