"""Artifacts: how a model leaves the process and comes back, through stores that anybody may have written to.

What is sealed is an envelope (`learners.envelope`) whose body is a zlib-compressed pickle. On opening, the signature is
checked before a byte of the body is decompressed; then the body goes through the allow-listing unpickler.
"""

from __future__ import annotations

import functools
import importlib.metadata
import io
import platform
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from learners.envelope import ArtifactError, Incompatible, Place, Untrusted, digest, resealed, unwrap, wrap
from learners.keys import EncryptionKey, KeyRing, SigningKey
from learners.refused import Refused
from learners.unpickle import AllowListPickler, AllowListUnpickler

__all__ = [
    "MAX_BYTES",
    "ArtifactError",
    "Incompatible",
    "KeyRing",
    "Place",
    "SigningKey",
    "Trust",
    "Untrusted",
    "digest",
    "open_sealed",
    "seal",
    "versions",
]

MAX_BYTES = 512 * 2**20
"""Largest body, compressed or not, that is opened unless the caller says otherwise."""
LEVEL = 1
"""zlib's. What is left of a model are mostly numbers: level 6 makes them an eighth smaller and takes three times as
long (`benchmarks/snapshots.py`).
"""

_FIELDS = frozenset(("type", "versions", "compression", "raw_bytes", "metadata"))
"""What `seal` says of the body in the header."""


@dataclass(frozen=True)
class Trust:
    """What a process seals with, and what it opens.

    Without a `key` it opens only. With `encryption` all that it seals is encrypted. `modules` are those whose classes
    artifacts may hold beyond the stock ones.
    """

    keys: KeyRing
    key: SigningKey | None = None
    encryption: EncryptionKey | None = None
    modules: tuple[str, ...] = ()

    def seal(self, obj: Any, place: Place, metadata: Mapping[str, Any]) -> bytes:
        """The object as signed bytes that only `place` accepts. Raises ArtifactError."""
        return seal(
            obj, key=self._signing(), metadata=metadata, extra=self.modules, place=place, encryption=self.encryption
        )

    def open(self, data: bytes, place: Place) -> tuple[dict[str, Any], Any]:
        """Metadata and object. Raises Untrusted, also for what was sealed for another place; Incompatible."""
        return open_sealed(data, keys=self.keys, extra=self.modules, place=place)

    def renewed(self, data: bytes) -> bytes:
        """The same artifact, signed and encrypted with the keys of today; its digest stays, and nothing is unpickled.

        Raises ArtifactError.
        """
        return resealed(data, self.keys, self._signing(), self.encryption)

    def _signing(self) -> SigningKey:
        if self.key is None:
            raise ArtifactError("there is only the public half of the signing key here, which cannot sign")
        return self.key


def seal(
    obj: Any,
    *,
    key: SigningKey,
    metadata: Mapping[str, Any],
    extra: Sequence[str] = (),
    place: Place | None = None,
    encryption: EncryptionKey | None = None,
) -> bytes:
    """The object as signed bytes, encrypted if there is a key for it.

    `metadata` is JSON and comes back from `open_sealed`; times, versions and names of models belong there. `extra`
    names more modules whose classes the object may hold. Raises `ArtifactError` when it holds something `open_sealed`
    would refuse.
    """
    pickled = io.BytesIO()
    try:
        AllowListPickler(pickled, extra).dump(obj)
    except Exception as error:
        raise ArtifactError(
            f"this {type(obj).__name__} cannot be stored: {error}. Use another, or name its module in security.modules."
        ) from error
    raw = pickled.getbuffer()
    header = {
        "type": f"{type(obj).__module__}.{type(obj).__qualname__}",
        "versions": versions(),
        "compression": "zlib",
        "raw_bytes": len(raw),
        "metadata": dict(metadata),
    }
    return wrap(header, zlib.compress(raw, LEVEL), key, encryption, place)


def open_sealed(
    data: bytes,
    *,
    keys: KeyRing,
    extra: Sequence[str] = (),
    place: Place | None = None,
    max_bytes: int = MAX_BYTES,
) -> tuple[dict[str, Any], Any]:
    """The metadata and the object of signed bytes.

    Raises `Untrusted` before anything is parsed when the signature does not hold, then when it was sealed for another
    place than `place` (if that is given), and when the body names anything but models; `Incompatible` when it is
    genuine but larger than `max_bytes`, of versions that don't fit, or encrypted with a key that is not in the ring.
    """
    header, body = unwrap(data, keys, place)
    if not header.keys() >= _FIELDS:
        raise Incompatible("the artifact's header does not say what is in it. Let it be made anew.")
    _check_versions(header)
    raw = _decompress(body, header, max_bytes)
    try:
        obj = AllowListUnpickler(io.BytesIO(raw), extra).load()
    except Refused as refused:
        raise Untrusted(
            f"the artifact is signed with a key of ours but {refused}. Whoever holds that key may be misusing it; if "
            "the class is yours, name its module in security.modules."
        ) from refused
    except Exception as error:
        raise Incompatible(
            f"a {header['type']} of {_listed(header['versions'])} cannot be rebuilt here ({_listed(versions())}): "
            f"{type(error).__name__}: {error}. Install the versions it was written with, or train it anew."
        ) from error
    return header["metadata"], obj


def versions() -> dict[str, str]:
    """The versions a sealed object depends on, as they are here."""
    return {"python": platform.python_version(), **{name: _installed(name) for name in ("driftline", "numpy", "river")}}


@functools.cache
def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _check_versions(header: Mapping[str, Any]) -> None:
    """River changes what its objects hold between minor versions, not between patches."""
    theirs, ours = header["versions"]["river"], versions()["river"]
    if theirs.split(".")[:2] != ours.split(".")[:2]:
        raise Incompatible(
            f"the model was written with River {theirs}; here is River {ours}. Install {theirs}, or train it anew."
        )


def _decompress(body: bytes, header: Mapping[str, Any], max_bytes: int) -> bytes:
    """The pickle, never more than `max_bytes` of it."""
    size = header["raw_bytes"]
    if max(size, len(body)) > max_bytes:
        raise Incompatible(
            f"the model has {size} bytes; at most {max_bytes} are opened here. Raise the limit if it is yours."
        )
    try:
        inflater = zlib.decompressobj()
        raw = inflater.decompress(body, size + 1)
    except zlib.error as error:
        raise Incompatible(f"the model's body cannot be decompressed: {error}. Store it again.") from error
    if len(raw) != size or not inflater.eof or inflater.unused_data:
        raise Incompatible(f"the model's body does not have the {size} bytes its header states. Store it again.")
    return raw


def _listed(named: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(named.items()))
