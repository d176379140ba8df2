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
| `challengers:{name}` | hash: version -> who entered it, since when; see `Challengers` |
| `model:{name}:used`, `:pins`, `:held`, `:scopes` | what decides how long versions are kept; see `Retention` |
| `snapshot:{task}`, `:0`, `:1`, `:owner` | pointer, two slots, number of the owner; see `RedisSnapshots` |
| `snapshot:{task}:archive` | hash: number and point in the task's life -> snapshot |
| `reference:{name}` | signed profile that detectors start with; see `ProfileStore` |
| `control` | hash: state (paused or on), epoch, who, reason, since; see `Control` |
| `swaps` | channel: a hint after every change of a champion, of the challengers or of `control` |

Scripts touch several of these at once, so they need one server (with replicas, if you like), not Redis Cluster.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import redis

from learners.artifacts import ArtifactError, Place, Trust, Untrusted, digest
from learners.base import Learner
from stream.config.redis import RetentionConfig
from stream.errors import StoreError
from stream.stores.base import (
    GLOBAL,
    Champion,
    Conflict,
    Entered,
    Entrant,
    Loaded,
    StaleWriter,
    UnknownVersion,
    VersionMeta,
)
from stream.stores.challengers import Challengers
from stream.stores.connection import address, as_bytes, as_text, redis_errors
from stream.stores.control import Control
from stream.stores.hints import Hints
from stream.stores.retention import Retention
from stream.stores.scripts import CHAMPION_FIELDS, MAX_HISTORY, PROMOTE, PUBLISH


class ModelStore:
    """The models of one app. Safe to use from several threads; raises StoreError whenever Redis cannot be had.

    A change whose answer was lost on the way is not made twice. Whoever publishes a version also removes those that
    `retention` does not keep.
    """

    def __init__(
        self, client: redis.Redis, app: str, trust: Trust, *, retention: RetentionConfig | None = None
    ) -> None:
        self.where = address(client)
        self._redis = client
        self._app = app
        self._trust = trust
        self._prefix = f"driftline:{app}:"
        self.challengers = Challengers(client, self._prefix)
        self.control = Control(client, self._prefix)
        self.retention = Retention(client, self._prefix, retention or RetentionConfig())
        self._publish = client.register_script(PUBLISH)
        self._promote = client.register_script(PROMOTE)

    # versions

    def publish(self, name: str, learner: Learner[Any], *, meta: VersionMeta, origin: str = "") -> int:
        """Sign the learner, store it with its metadata, and return its version: larger than any before, and larger
        than its parents' even when Redis was wiped since. It serves nobody until it is promoted.

        `origin` names the point at which the learner was made; a version that was published from there stands, so that
        doing that point over after a crash makes no second one. Raises StoreError; ArtifactError for a learner that
        holds what may not be stored.
        """
        data = self._trust.seal(learner, Place("model", self._app, name), {"meta": msgspec.to_builtins(_signed(meta))})
        checksum = digest(data)
        stored = msgspec.structs.replace(meta, digest=checksum, size=len(data), version=0)
        model = f"{self._prefix}model:{name}:"
        keys = [
            f"{model}versions",
            f"{model}last",
            f"{model}digests",
            f"{self._prefix}artifact:{checksum}",
            f"{self._prefix}models",
            f"{model}used",
        ]
        with redis_errors(self.where):
            written = msgspec.json.encode(stored)
            args: list[str | bytes | int] = [
                checksum,
                data,
                written,
                max(meta.parents, default=0),
                name,
                origin,
                f"{self._prefix}artifact:",
            ]
            version = int(self._publish(keys=keys, args=args))
        with suppress(StoreError):  # it is published all the same; who publishes next removes more
            self.retention.prune(name)
        return version

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
        return self._known(name, version, data)

    def load(self, name: str, version: int) -> tuple[Learner[Any], VersionMeta]:
        """A learner and its metadata. Raises UnknownVersion; Untrusted for bytes that are not those of the metadata's
        digest, not signed with a key of ours, signed as another model or with other metadata; Incompatible for what
        this program can't run.
        Nothing of the bytes is run before they are verified.
        """
        meta, data = self.fetch(name, version)
        return self.open(name, data, meta), meta

    def fetch(self, name: str, version: int) -> tuple[VersionMeta, bytes]:
        """Metadata and artifact of a version; the header is that of its digest. It is not opened. Raises as `load`."""
        meta = self.version(name, version)
        with redis_errors(self.where):
            data = self._redis.get(f"{self._prefix}artifact:{meta.digest}")
        return meta, self._whole(name, meta, data)

    def artifact(self, name: str, checksum: str) -> Learner[Any]:
        """The learner in the artifact of a digest. Raises as `load` does."""
        with redis_errors(self.where):
            data = self._redis.get(f"{self._prefix}artifact:{checksum}")
        if data is None or not _has_digest(as_bytes(data), checksum):
            raise UnknownVersion(
                f"the artifact {checksum[:12]} of model {name} is not in Redis at {self.where}.",
                "It was removed, being in use no more for redis.retention.older_than, or was lost: restore it from a "
                "backup, and keep artifacts for as long as the journal.",
            )
        return self.open(name, as_bytes(data))

    def open(self, name: str, data: bytes, meta: VersionMeta | None = None) -> Learner[Any]:
        """The learner in an artifact, a new one for each call. Raises Untrusted, also where it was published with other
        metadata than `meta`, if that is given; Incompatible.
        """
        try:
            sealed, learner = self._trust.open(data, Place("model", self._app, name))
        except ArtifactError as error:
            if meta is None:
                raise
            raise type(error)(f"model {name} version {meta.version}: {error}") from error
        if meta is not None and not _is_signed(meta, sealed.get("meta")):
            raise Untrusted(f"the metadata of model {name!r} version {meta.version} is not what it was published with")
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
        """Fetch, with one question, and verify a champion's artifact. Raises as `load` does."""
        version = champion.version
        with redis_errors(self.where), self._redis.pipeline(transaction=False) as pipe:
            pipe.hget(self._versions_key(name), str(version))
            pipe.get(f"{self._prefix}artifact:{champion.digest}")
            known, data = pipe.execute()
        meta = self._known(name, version, known)
        return Loaded(*self._verified(name, meta, self._whole(name, meta, data)), champion)

    def load_challenger(self, name: str, entered: Entered) -> Entrant:
        """Fetch and verify a challenger's artifact. Raises as `load` does."""
        return Entrant(*self._verified(name, *self.fetch(name, entered.version)), entered)

    def promote(
        self, name: str, version: int, *, expected_epoch: int, scope: str = GLOBAL, reason: str, who: str
    ) -> Champion:
        """Make `version` the champion, if the champion's epoch is still `expected_epoch` (0: there is none yet), and
        hint at it on the channel. Raises StaleWriter when the epoch is another, UnknownVersion, StoreError.
        """
        return self._change(name, version, expected_epoch, scope, reason, who, keep=-1)

    def rollback(
        self,
        name: str,
        to: int | None = None,
        *,
        expected_epoch: int | None = None,
        scope: str = GLOBAL,
        reason: str = "rollback",
        who: str,
    ) -> Champion:
        """Make the champion before this one that is still kept the champion again, or version `to`; if the champion's
        epoch is still `expected_epoch`, where that is given.

        It undoes: what is rolled back leaves the history, so that rolling back twice goes two champions back, not
        there and back again. With `to`, all champions after its last reign leave the history; a version that never
        reigned is promoted. Raises StaleWriter when another writer comes between, UnknownVersion, StoreError.
        """
        champion = self.champion(name, scope)
        if champion is None:
            raise Conflict(f"model {name} has no champion: there is nothing to roll back.", "Promote a version first.")
        past = self._past(name, champion, scope)
        target = self._last_kept(name, champion, past) if to is None else to
        if target is None:
            none = "none before it is kept (redis.retention)" if past else "there is none before it"
            first = "the champion" if past else "the first champion"
            raise Conflict(
                f"model {name} version {champion.version} is {first}: {none}.", "Name the version to go back to."
            )
        if target == champion.version:
            raise Conflict(f"model {name} version {to} is the champion already.", "Name another version.")
        keep = len(past) - 1 - past[::-1].index(target) if target in past else -1
        epoch = champion.epoch if expected_epoch is None else expected_epoch
        return self._change(name, target, epoch, scope, reason, who, keep=keep)

    def rollback_target(self, name: str, champion: Champion, scope: str = GLOBAL) -> int | None:
        """The version that `rollback` would go to from this champion; None if there is none."""
        return self._last_kept(name, champion, self._past(name, champion, scope))

    def _past(self, name: str, champion: Champion, scope: str) -> list[int]:
        """Champions before this one, oldest first."""
        with redis_errors(self.where):
            history = [int(v) for v in self._redis.lrange(f"{self._champion_key(name, scope)}:history", 0, -1)]
        past = history[:-1]
        while past and past[-1] == champion.version:
            past.pop()  # promoted again while it reigned: going back to it would change nothing
        return past

    def _last_kept(self, name: str, champion: Champion, past: list[int]) -> int | None:
        kept = {meta.version for meta in self.versions(name)}
        return next((v for v in reversed(past) if v in kept and v != champion.version), None)

    def _change(
        self, name: str, version: int, expected_epoch: int, scope: str, reason: str, who: str, *, keep: int
    ) -> Champion:
        champion_key = self._champion_key(name, scope)
        model = f"{self._prefix}model:{name}:"
        keys = [
            f"{model}versions",
            champion_key,
            f"{champion_key}:history",
            f"{self._prefix}swaps",
            f"{self._prefix}challengers:{name}",
            f"{model}used",
            f"{model}scopes",
        ]
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
        if word == b"lost":
            raise UnknownVersion.without_artifact(name, version, self.where)
        raise UnknownVersion.of(name, version, self.where)

    # hints

    def hints(self) -> Hints:
        """Subscribe to hints of changed champions."""
        return Hints(self._redis, f"{self._prefix}swaps", self.where)

    def ping(self) -> None:
        """Raises StoreError unless the server answers."""
        with redis_errors(self.where):
            self._redis.ping()

    # helpers

    def _verified(self, name: str, meta: VersionMeta, data: bytes) -> tuple[VersionMeta, Callable[[], Learner[Any]]]:
        self.open(name, data, meta)
        return meta, partial(self.open, name, data)

    def _versions_key(self, name: str) -> str:
        return f"{self._prefix}model:{name}:versions"

    def _champion_key(self, name: str, scope: str) -> str:
        return f"{self._prefix}champion:{name}:{scope}"

    def _whole(self, name: str, meta: VersionMeta, data: bytes | str | None) -> bytes:
        """An artifact that was asked for, if it is there and has the digest of its metadata."""
        if data is None:
            raise UnknownVersion.without_artifact(name, meta.version, self.where)
        artifact = as_bytes(data)
        if not _has_digest(artifact, meta.digest):
            raise Untrusted(
                f"model {name} version {meta.version}: its bytes are not those of its digest {meta.digest[:12]}"
            )
        return artifact

    def _known(self, name: str, version: int, data: bytes | str | None) -> VersionMeta:
        """Metadata that was asked for, if there is such a version."""
        if data is None:
            raise UnknownVersion.of(name, version, self.where)
        return self._meta(name, version, data)

    def _meta(self, name: str, version: int, data: bytes | str) -> VersionMeta:
        try:
            meta = msgspec.json.decode(data, type=VersionMeta)
            parent = 0 if meta.parents else msgspec.json.decode(data, type=_Older).parent
        except msgspec.MsgspecError as error:
            raise StoreError(
                f"model {name} version {version}: its metadata cannot be read ({error}).",
                "Another program wrote under Driftline's keys. Promote another version.",
            ) from error
        return msgspec.structs.replace(meta, version=version, parents=(parent,) if parent else meta.parents)


class _Older(msgspec.Struct):
    """What the metadata of versions had instead of `parents`."""

    parent: int = 0


def _signed(meta: VersionMeta) -> VersionMeta:
    """Metadata as its publisher gave it: what is signed with the artifact."""
    return msgspec.structs.replace(meta, version=0, digest="", size=0)


def _has_digest(artifact: bytes, checksum: str) -> bool:
    try:
        return digest(artifact) == checksum
    except ArtifactError:
        return False


def _is_signed(meta: VersionMeta, sealed: Any) -> bool:
    try:
        return msgspec.convert(sealed, VersionMeta) == _signed(meta)
    except msgspec.ValidationError:
        return False


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
