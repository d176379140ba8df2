"""The model store in Redis (or Valkey): versions, their signed artifacts, and which of them is the champion.

Keys, all under `driftline:{app}:`

| key | what |
|---|---|
| `models` | set of model names |
| `model:{name}:versions` | hash: version -> metadata (JSON) |
| `model:{name}:last` | newest version |
| `model:{name}:digests` | hash: digest, or origin -> version |
| `artifact:{digest}` | signed artifact, never changed |
| `champion:{name}:{scope}` | hash: version, epoch, digest, reason, who, since |
| `champion:{name}:{scope}:history` | list: versions that were champion, the champion last |
| `snapshot:{task}`, `:0`, `:1`, `:owner` | pointer, two slots, number of the owner; see `RedisSnapshots` |
| `snapshot:{task}:archive` | hash: number and point in the task's life -> snapshot |
| `swaps` | channel: a hint after every change of a champion |

Scripts touch several of these at once, so they need one server (with replicas, if you like), not Redis Cluster.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import redis

from learners.artifacts import KeyRing, SigningKey, Untrusted, digest, open_sealed, seal
from learners.base import Learner
from stream.errors import StoreError
from stream.stores.base import Champion, Loaded, StaleWriter, UnknownVersion, VersionMeta
from stream.stores.connection import address, as_bytes, as_text, redis_errors
from stream.stores.hints import Hints
from stream.stores.scripts import CHAMPION_FIELDS, MAX_HISTORY, PROMOTE, PUBLISH

GLOBAL = "global"
"""The scope of a champion that all tasks serve with."""


class ModelStore:
    """The models of one app. Safe to use from several threads; raises StoreError whenever Redis cannot be had.

    A change whose answer was lost on the way is not made twice.
    """

    def __init__(self, client: redis.Redis, app: str, *, key: SigningKey, keys: KeyRing) -> None:
        self.where = address(client)
        self._redis = client
        self._app = app
        self._key = key
        self._keys = keys
        self._prefix = f"driftline:{app}:"
        self._publish = client.register_script(PUBLISH)
        self._promote = client.register_script(PROMOTE)

    # versions

    def publish(self, name: str, learner: Learner[Any], *, meta: VersionMeta, origin: str = "") -> int:
        """Sign the learner, store it with its metadata, and return its version: larger than any before, and larger
        than `meta.parent` even when Redis was wiped since. It serves nobody until it is promoted.

        `origin` names the point at which the learner was made; a version that was published from there stands, so that
        doing that point over after a crash makes no second one. Raises StoreError; ArtifactError for a learner that
        holds what may not be stored.
        """
        data = seal(learner, key=self._key, metadata={"model": name, "recipe": meta.recipe, "created": meta.created})
        checksum = digest(data)
        stored = msgspec.structs.replace(meta, digest=checksum, size=len(data), version=0)
        model = f"{self._prefix}model:{name}:"
        keys = [
            f"{model}versions",
            f"{model}last",
            f"{model}digests",
            f"{self._prefix}artifact:{checksum}",
            f"{self._prefix}models",
        ]
        with redis_errors(self.where):
            written = msgspec.json.encode(stored)
            args: list[str | bytes | int] = [
                checksum,
                data,
                written,
                meta.parent,
                name,
                origin,
                f"{self._prefix}artifact:",
            ]
            return int(self._publish(keys=keys, args=args))

    def names(self) -> list[str]:
        """Names of all models, in order."""
        with redis_errors(self.where):
            return sorted(as_text(name) for name in self._redis.smembers(f"{self._prefix}models"))

    def versions(self, name: str) -> list[VersionMeta]:
        """All versions of a model, oldest first; empty for a model that is unknown."""
        with redis_errors(self.where):
            found = self._redis.hgetall(self._versions_key(name))
        return sorted((self._meta(name, int(v), data) for v, data in found.items()), key=lambda meta: meta.version)

    def version(self, name: str, version: int) -> VersionMeta:
        """Metadata of one version. Raises UnknownVersion."""
        with redis_errors(self.where):
            data = self._redis.hget(self._versions_key(name), str(version))
        if data is None:
            raise self._unknown(name, version)
        return self._meta(name, version, data)

    def load(self, name: str, version: int) -> tuple[Learner[Any], VersionMeta]:
        """A learner and its metadata. Raises UnknownVersion; Untrusted for bytes that are not those of the metadata's
        digest, not signed with a key of ours or signed as another model; Incompatible for what this program can't run.
        Nothing of the bytes is run before they are verified.
        """
        meta, data = self.fetch(name, version)
        return self.open(name, data), meta

    def fetch(self, name: str, version: int) -> tuple[VersionMeta, bytes]:
        """Metadata and artifact of a version, checked against its digest but not opened. Raises as `load` does."""
        meta = self.version(name, version)
        with redis_errors(self.where):
            data = self._redis.get(f"{self._prefix}artifact:{meta.digest}")
        if data is None:
            raise self._lost(name, version)
        artifact = as_bytes(data)
        if digest(artifact) != meta.digest:
            raise Untrusted(f"model {name} version {version}: its bytes are not those of its digest {meta.digest[:12]}")
        return meta, artifact

    def artifact(self, name: str, checksum: str) -> Learner[Any]:
        """The learner in the artifact of a digest. Raises as `load` does."""
        with redis_errors(self.where):
            data = self._redis.get(f"{self._prefix}artifact:{checksum}")
        if data is None or digest(as_bytes(data)) != checksum:
            raise UnknownVersion(
                f"the artifact {checksum[:12]} of model {name} is not in Redis at {self.where}.",
                "Restore it from a backup.",
            )
        return self.open(name, as_bytes(data))

    def open(self, name: str, data: bytes) -> Learner[Any]:
        """The learner in an artifact, a new one for each call. Raises Untrusted or Incompatible."""
        sealed, learner = open_sealed(data, keys=self._keys)
        if sealed.get("model") != name:
            raise Untrusted(
                f"an artifact signed as model {sealed.get('model')!r} stands in the place of model {name!r}"
            )
        if not isinstance(learner, Learner):
            raise Untrusted(f"the artifact of model {name!r} holds a {type(learner).__name__}, not a learner")
        return learner

    # champion

    def champion(self, name: str, scope: str = GLOBAL) -> Champion | None:
        """The serving version; None before the first promotion."""
        with redis_errors(self.where):
            fields = self._redis.hmget(self._champion_key(name, scope), list(CHAMPION_FIELDS))
        return _champion(fields)

    def load_champion(self, name: str, champion: Champion) -> Loaded:
        """Fetch and verify a champion's artifact. Raises as `load` does."""
        meta, data = self.fetch(name, champion.version)
        self.open(name, data)
        return Loaded(champion, meta, partial(self.open, name, data))

    def promote(
        self, name: str, version: int, *, expected_epoch: int, scope: str = GLOBAL, reason: str, who: str
    ) -> Champion:
        """Make `version` the champion, if the champion's epoch is still `expected_epoch` (0: there is none yet), and
        hint at it on the channel. Raises StaleWriter when the epoch is another, UnknownVersion, StoreError.
        """
        return self._change(name, version, expected_epoch, scope, reason, who, keep=-1)

    def rollback(
        self, name: str, to: int | None = None, *, scope: str = GLOBAL, reason: str = "rollback", who: str
    ) -> Champion:
        """Make the champion before this one the champion again, or version `to`.

        It undoes: what is rolled back leaves the history, so that rolling back twice goes two champions back, not
        there and back again. With `to`, all champions after its last reign leave the history; a version that never
        reigned is promoted. Raises StaleWriter when another writer comes between, UnknownVersion, StoreError.
        """
        champion = self.champion(name, scope)
        if champion is None:
            raise StoreError(
                f"model {name} has no champion: there is nothing to roll back.", "Promote a version first."
            )
        with redis_errors(self.where):
            history = [int(v) for v in self._redis.lrange(f"{self._champion_key(name, scope)}:history", 0, -1)]
        past = history[:-1]
        while past and past[-1] == champion.version:
            past.pop()  # promoted again while it reigned: going back to it would change nothing
        if to is None and not past:
            raise StoreError(
                f"model {name} version {champion.version} is the first champion: there is none before it.",
                "Name the version to go back to.",
            )
        if to == champion.version:
            raise StoreError(f"model {name} version {to} is the champion already.", "Name another version.")
        target = past[-1] if to is None else to
        keep = len(past) - 1 - past[::-1].index(target) if target in past else -1
        return self._change(name, target, champion.epoch, scope, reason, who, keep=keep)

    def _change(
        self, name: str, version: int, expected_epoch: int, scope: str, reason: str, who: str, *, keep: int
    ) -> Champion:
        champion_key = self._champion_key(name, scope)
        keys = [self._versions_key(name), champion_key, f"{champion_key}:history", f"{self._prefix}swaps"]
        token, artifacts = uuid.uuid4().hex, f"{self._prefix}artifact:"
        with redis_errors(self.where):
            word, *fields = self._promote(
                keys=keys,
                args=[version, expected_epoch, keep, reason, who, token, artifacts, name, scope, MAX_HISTORY],
            )
        champion = _champion(fields)
        if word == b"ok" and champion is not None:
            return champion
        if word == b"stale":
            now = f"version {champion.version}, epoch {champion.epoch}" if champion else "none"
            raise StaleWriter(
                f"model {name}: the champion is {now}; version {version} was to follow epoch {expected_epoch}.",
                "Another writer was first. Look at the champion and decide anew.",
            )
        raise self._lost(name, version) if word == b"lost" else self._unknown(name, version)

    # hints

    def hints(self) -> Hints:
        """Subscribe to hints of changed champions."""
        return Hints(self._redis, f"{self._prefix}swaps", self.where)

    def ping(self) -> None:
        """Raises StoreError unless the server answers."""
        with redis_errors(self.where):
            self._redis.ping()

    # helpers

    def _versions_key(self, name: str) -> str:
        return f"{self._prefix}model:{name}:versions"

    def _champion_key(self, name: str, scope: str) -> str:
        return f"{self._prefix}champion:{name}:{scope}"

    def _meta(self, name: str, version: int, data: bytes | str) -> VersionMeta:
        try:
            return msgspec.structs.replace(msgspec.json.decode(data, type=VersionMeta), version=version)
        except msgspec.MsgspecError as error:
            raise StoreError(
                f"model {name} version {version}: its metadata cannot be read ({error}).",
                "Another program wrote under Driftline's keys. Promote another version.",
            ) from error

    def _unknown(self, name: str, version: int) -> UnknownVersion:
        return UnknownVersion(
            f"model {name} has no version {version} in Redis at {self.where}.", "See `driftline models list`."
        )

    def _lost(self, name: str, version: int) -> UnknownVersion:
        return UnknownVersion(
            f"the artifact of model {name} version {version} is gone from Redis at {self.where}.",
            "Restore it from a backup or promote another version; Redis must not evict (maxmemory-policy noeviction).",
        )


def _champion(fields: Sequence[bytes | str | None]) -> Champion | None:
    version, epoch, checksum, reason, who, since = (as_text(field or b"") for field in fields)
    if not version:
        return None
    try:
        return Champion(int(version), int(epoch), checksum, reason, who, float(since))
    except ValueError as error:
        raise StoreError(
            f"the champion's record cannot be read ({error}).",
            "Another program wrote under Driftline's keys. Delete the champion key and promote a version.",
        ) from error
