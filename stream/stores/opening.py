"""From a configuration to its stores and the keys it trusts."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from learners.artifacts import KeyRing, SigningKey
from stream.basis import Basis
from stream.config.model import Config, SecurityConfig
from stream.config.references import REDIS
from stream.config.secrets import accepted_keys, signing_key
from stream.profile import Profile
from stream.stores.base import SnapshotStore
from stream.stores.connection import connect
from stream.stores.files import FileSnapshots
from stream.stores.profiles import ProfileStore, read_profile
from stream.stores.registry import ModelStore
from stream.stores.snapshots import RedisSnapshots


def trusted_keys(security: SecurityConfig) -> tuple[SigningKey, KeyRing]:
    """The key to sign with, and all keys whose signatures are accepted. Raises ConfigError for one that is missing."""
    ring = KeyRing(SigningKey(key_id, key) for key_id, key in accepted_keys(security).items())
    return SigningKey(security.key_id, signing_key(security)), ring


def open_store(config: Config) -> ModelStore:
    """The model store of a service, with its keys. Nothing is sent yet. Raises ConfigError for a missing secret."""
    key, keys = trusted_keys(config.security)
    return ModelStore(connect(config.redis), config.app, key=key, keys=keys)


def open_profiles(config: Config) -> ProfileStore:
    """Where the profile is kept with the model. Nothing is sent yet. Raises ConfigError for a missing secret."""
    key, keys = trusted_keys(config.security)
    return ProfileStore(connect(config.redis), config, key=key, keys=keys)


def open_basis(config: Config) -> Basis:
    """A configuration with its profile. Fetching that raises ConfigError for one that is not there or does not fit,
    ModelError for one in Redis that cannot be trusted, and StoreError.
    """
    return Basis(config, partial(_profile, config))


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
