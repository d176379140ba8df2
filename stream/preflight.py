"""Looking at everything outside a service that it needs, before it starts: keys, Kafka and its topics, Redis, the
profile that its detectors start with, and the directory of its snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from stream.config.model import Config
from stream.config.secrets import accepted_keys
from stream.errors import ConfigError, DriftlineError
from stream.kafka.client import admin
from stream.kafka.reach import require_listener
from stream.kafka.topics import Finding, ensure_topics, inspect_topics
from stream.stores.connection import address, connect, redis_errors
from stream.stores.opening import open_basis

_SCRIPT = "return redis.call('EXISTS', KEYS[1])"


def look(config: Config, *, create_topics: bool = False, partitions: int | None = None) -> Iterator[Finding]:
    """One finding after the other, as they come. Changes nothing unless it is told to create missing topics.

    What fails hides only what depends on it: with Kafka down, Redis is looked at all the same.
    """
    yield from _until_failure(lambda: _keys(config))
    yield from _until_failure(lambda: _kafka(config, create_topics, partitions))
    yield from _until_failure(lambda: _redis(config))
    yield from _until_failure(lambda: _profile(config))
    yield from _until_failure(lambda: _snapshots(config))


def _until_failure(findings: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from findings()
    except DriftlineError as error:
        yield Finding(False, error.message, error.cure)


def _keys(config: Config) -> Iterator[Finding]:
    old = len(accepted_keys(config.security)) - 1
    yield Finding(True, f"signing key {config.security.key_id} is there" + (f", and {old} old" if old else ""))


def _kafka(config: Config, create_topics: bool, partitions: int | None) -> Iterator[Finding]:
    require_listener(config.kafka.bootstrap_servers)
    client = admin(config.kafka)
    try:
        yield Finding(True, f"Kafka answers at {config.kafka.bootstrap_servers}")
        if create_topics:
            for name in ensure_topics(client, config.topics, partitions):
                yield Finding(True, f"topic {name} was created")
        yield from inspect_topics(client, config.topics)
    finally:
        client.close()


def _redis(config: Config) -> Iterator[Finding]:
    client = connect(config.redis)
    where = address(client)
    try:
        with redis_errors(where):
            client.ping()
        yield Finding(True, f"Redis answers at {where}")
        with redis_errors(where):
            client.eval(_SCRIPT, 1, f"driftline:{config.app}:models")
        yield Finding(True, f"Redis runs scripts on driftline:{config.app}:*")
    finally:
        client.close()


def _profile(config: Config) -> Iterator[Finding]:
    profile = open_basis(config).profile
    if profile is not None:
        yield Finding(True, f"the profile has {len(profile.times):,} events of {profile.source}")


def _snapshots(config: Config) -> Iterator[Finding]:
    """What a worker will refuse at its start, found before it."""
    if config.runtime.snapshot_directory is None:
        return
    directory = Path(config.runtime.snapshot_directory).absolute()
    field = "runtime.snapshot_directory"
    if not directory.is_dir():
        found = "is not a directory" if directory.exists() else "is not there"
        raise ConfigError(
            f"{field}: {directory} {found}.",
            "Create it, or mount the volume it belongs to; or remove the field to keep snapshots in Redis.",
        )
    own = directory / config.app
    try:
        with TemporaryDirectory(prefix=".probe.", dir=own if own.exists() else directory) as probe:
            Path(probe, "snapshot").write_bytes(b"driftline")
    except OSError as error:
        raise ConfigError(
            f"{field}: nothing can be written to {own} ({error.strerror}).",
            "Let this user write there, name another directory, or remove the field to keep snapshots in Redis.",
        ) from error
    yield Finding(True, f"snapshots can be written to {own}")
