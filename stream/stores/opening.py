"""From a configuration to its stores and the keys it trusts."""

from __future__ import annotations

from pathlib import Path

from learners.artifacts import KeyRing, SigningKey
from stream.config.model import Config, SecurityConfig
from stream.config.secrets import accepted_keys, signing_key
from stream.stores.base import SnapshotStore
from stream.stores.connection import connect
from stream.stores.files import FileSnapshots
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


def open_snapshots(config: Config, *, to_write: bool = True) -> SnapshotStore:
    """Where a service keeps its snapshots. Raises ConfigError for a missing secret or, if it is opened to be written
    to, a directory that can't be.
    """
    directory = config.runtime.snapshot_directory
    if directory is not None:
        return FileSnapshots(Path(directory), config.app, config.runtime.snapshot_archive, to_write=to_write)
    return RedisSnapshots(connect(config.redis), config.app, config.runtime.snapshot_archive)
