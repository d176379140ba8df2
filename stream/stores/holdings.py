"""All that a service has sealed and keeps: what has to be looked at, and sealed anew, before a key can go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import redis

from learners.artifacts import ArtifactError, Trust
from learners.envelope import split
from stream.config.model import Config
from stream.errors import StoreError
from stream.stores.connection import address, as_bytes, as_text, connect, redis_errors
from stream.stores.files import FileSnapshots
from stream.stores.opening import open_store
from stream.stores.registry import ModelStore

_REPLACE: Final = """
-- KEYS: where. ARGV: what is to be there still, what shall be, the field ('': it is no hash). Returns whether it was.
if ARGV[3] == '' then
  if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[2])
else
  if redis.call('HGET', KEYS[1], ARGV[3]) ~= ARGV[1] then return 0 end
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[2])
end
return 1
"""


class Holding(NamedTuple):
    """One sealed thing: what it is, for people, and its bytes. `replace` puts others in their place, unless they have
    changed or gone meanwhile, and says whether it did. It raises StoreError.
    """

    what: str
    data: bytes
    replace: Callable[[bytes], bool]

    @property
    def keys(self) -> tuple[str, str]:
        """The ids of the keys that it says it is signed and encrypted with, the latter empty if it is not. Unchecked.

        Raises ArtifactError for what is no artifact.
        """
        envelope = split(self.data)
        return envelope.key_id, envelope.encryption_id


class Renewal(NamedTuple):
    """What came of sealing everything anew: how much was, how much had no need, and what could not be, with the
    reason.
    """

    renewed: int
    kept: int
    failed: list[str]


def holdings(config: Config) -> Iterator[Holding]:
    """Everything sealed that the app of a configuration has in Redis and in its snapshot directory, each read when it
    is asked for. Raises StoreError; ConfigError for a missing secret.
    """
    with connect(config.redis) as client:
        yield from _in_redis(client, config.app, _versions(open_store(config)))
    if config.runtime.snapshot_directory is not None:
        snapshots = FileSnapshots(Path(config.runtime.snapshot_directory), config.app, to_write=False)
        for path in snapshots.files():
            if (data := _content(path)) is not None:
                what = f"snapshot of task {path.parent.name}, {path.name}"
                yield Holding(what, data, partial(_replace_file, path, data))


def renew(config: Config, trust: Trust) -> Renewal:
    """Seal everything with the keys of today that is not. What is damaged, forged or of unknown keys stays as it is.

    Raises StoreError, ConfigError.
    """
    assert trust.key is not None
    today = (trust.key.id, trust.encryption.id if trust.encryption is not None else "")
    renewed = kept = 0
    failed = []
    for holding in holdings(config):
        try:
            if holding.keys == today:
                kept += 1
            elif holding.replace(trust.renewed(holding.data)):
                renewed += 1
        except ArtifactError as error:
            failed.append(f"{holding.what}: {error}")
    return Renewal(renewed, kept, failed)


def _versions(store: ModelStore) -> dict[str, str]:
    """What is known of artifacts in Redis, by their digest."""
    return {
        meta.digest: f"model {name} version {meta.version}" for name in store.names() for meta in store.versions(name)
    }


def _in_redis(client: redis.Redis, app: str, versions: dict[str, str]) -> Iterator[Holding]:
    where, prefix = address(client), f"driftline:{app}:"
    with redis_errors(where):
        keys = sorted({as_text(key) for key in client.scan_iter(match=f"{prefix}*", count=1000)})
    script = client.register_script(_REPLACE)

    def holding(what: str, key: str, field: str = "") -> Iterator[Holding]:
        def replace(old: bytes, new: bytes) -> bool:
            with redis_errors(where):
                return bool(script(keys=[key], args=[old, new, field]))

        with redis_errors(where):
            data = client.hget(key, field) if field else client.get(key)
        if data is not None:
            yield Holding(what, as_bytes(data), partial(replace, as_bytes(data)))

    for key in keys:
        match key.removeprefix(prefix).split(":"):
            case ["artifact", digest]:
                yield from holding(versions.get(digest, f"artifact {digest[:12]}, of no version"), key)
            case ["reference", model]:
                yield from holding(f"profile of model {model}", key)
            case ["reference", model, digest] if digest != "digests":
                yield from holding(f"profile of model {model}, kept as {digest[:12]}", key)
            case ["snapshot", task, ("0" | "1") as slot]:
                yield from holding(f"snapshot of task {task}, slot {slot}", key)
            case ["snapshot", task, "archive"]:
                with redis_errors(where):
                    names = sorted(map(as_text, client.hkeys(key)))
                for name in names:
                    yield from holding(f"snapshot of task {task}, archived {name}", key, name)


def _content(path: Path) -> bytes | None:
    """What is in a file; None when it has been removed meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error


def _replace_file(path: Path, old: bytes, new: bytes) -> bool:
    if _content(path) != old:
        return False
    writing = path.with_name("writing.0")  # what is left of it the next owner of the task removes
    try:
        writing.unlink(missing_ok=True)
        with writing.open("xb") as file:  # never through a link that somebody has put there
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        writing.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error
    return True
