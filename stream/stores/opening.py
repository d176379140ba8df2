"""From a configuration to its stores."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from stream.basis import Basis
from stream.config.digest import state_digest
from stream.config.model import Config
from stream.config.references import REDIS
from stream.config.trust import trust_of
from stream.history.store import HistoryStore
from stream.profile import Profile
from stream.stores.base import SnapshotStore
from stream.stores.connection import connect
from stream.stores.files import FileSnapshots
from stream.stores.profiles import ProfileStore, read_profile
from stream.stores.registry import ModelStore
from stream.stores.snapshots import RedisSnapshots


def open_store(config: Config) -> ModelStore:
    """The model store of a service, with its keys. Nothing is sent yet. Raises ConfigError for a missing secret."""
    return ModelStore(connect(config.redis), config.app, trust_of(config.security), retention=config.redis.retention)


def open_profiles(config: Config) -> ProfileStore:
    """Where the profile is kept with the model. Nothing is sent yet. Raises ConfigError for a missing secret."""
    return ProfileStore(connect(config.redis), config, trust_of(config.security))


def open_history(config: Config) -> HistoryStore | None:
    """Where the history is kept; None if none is. Nothing is sent yet. Raises ConfigError for a missing secret."""
    return None if config.history is None else HistoryStore(connect(config.redis), config.app, config.history)


def open_basis(config: Config) -> Basis:
    """A configuration with its profile. Fetching that raises ConfigError for one that is not there or does not fit,
    ModelError for one in Redis that cannot be trusted, and StoreError.
    """
    return Basis(config, partial(_profile, config))


def earlier_basis(config: Config, digest: str) -> Basis | None:
    """The configuration with what gives it this digest: a profile that is kept in Redis, or no profile. None if that is
    none of them. Raises StoreError.
    """
    if state_digest(config) == digest:
        return Basis(config)
    profiles = open_profiles(config)
    kept = next((one for one in profiles.digests() if state_digest(config, one) == digest), None)
    return None if kept is None else Basis(config, partial(profiles.load, kept))


def _profile(config: Config) -> Profile | None:
    match config.references.profile:
        case None:
            return None
        case where if where == REDIS:
            return open_profiles(config).load()
        case path:
            return read_profile(Path(path), config, "references.profile")


def open_snapshots(config: Config, *, to_write: bool = True) -> SnapshotStore:
    """Where a service keeps its snapshots. Raises ConfigError for a missing secret or, if it is opened to be written
    to, a directory that can't be.
    """
    directory = config.runtime.snapshot_directory
    if directory is not None:
        return FileSnapshots(Path(directory), config.app, config.runtime.snapshot_archive, to_write=to_write)
    return RedisSnapshots(connect(config.redis), config.app, config.runtime.snapshot_archive)
