"""Signed envelopes: how a model leaves the process and comes back, through stores that anybody may have written to.

    magic (6) | format (2) | key id length (1) | key id | header length (4) | header | HMAC-SHA256 (32) | body

All numbers are big-endian. The header is canonical JSON (type name, versions, sizes, the caller's metadata); the body
is a zlib-compressed pickle. The signature covers all other bytes and is checked, in constant time, before the header
is parsed or a byte of the body is decompressed; then the body goes through the allow-listing unpickler.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import importlib.metadata
import io
import json
import platform
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from learners.unpickle import AllowListPickler, AllowListUnpickler, Refused

MAGIC = b"DRIFTL"
FORMAT = 1
MAC_BYTES = hashlib.sha256().digest_size
MAX_BYTES = 512 * 2**20
"""Largest body, compressed or not, that is opened unless the caller says otherwise."""
MAX_HEADER_BYTES = 2**20
LEVEL = 1
"""zlib's. What is left of a model are mostly numbers: level 6 makes them an eighth smaller and takes three times as
long (`benchmarks/snapshots.py`).
"""
LEAST_SECRET_BYTES = 16


class ArtifactError(Exception):
    """A model could not be sealed or opened. The message says what is wrong with it and the cure."""


class Untrusted(ArtifactError):
    """The bytes are unsigned, altered, signed with a key we don't have, or hold what no model is made of."""


class Incompatible(ArtifactError):
    """The bytes are genuine, but this version of the program, or its limits, cannot open them."""


@dataclass(frozen=True)
class SigningKey:
    """A secret and the name it is known by. `secret` is at least 16 bytes and never printed."""

    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.id.encode()) <= 255:
            raise ValueError(f"key id: got {len(self.id.encode())} bytes; expected 1 to 255")
        if len(self.secret) < LEAST_SECRET_BYTES:
            raise ValueError(
                f"key {self.id!r}: the secret has {len(self.secret)} bytes; expected {LEAST_SECRET_BYTES} or more. "
                "`openssl rand -hex 32` makes a good one."
            )

    def sign(self, *parts: bytes) -> bytes:
        """HMAC-SHA256 over the parts, one after the other."""
        mac = hmac.new(self.secret, digestmod=hashlib.sha256)
        for part in parts:
            mac.update(part)
        return mac.digest()


class KeyRing:
    """The keys whose signatures are accepted, by id. Several at once while keys are rotated."""

    def __init__(self, keys: Iterable[SigningKey]) -> None:
        self._keys = {key.id: key for key in keys}

    def get(self, key_id: str) -> SigningKey | None:
        """The key of that id, or None."""
        return self._keys.get(key_id)

    @property
    def ids(self) -> list[str]:
        """All key ids, sorted."""
        return sorted(self._keys)


def seal(obj: Any, *, key: SigningKey, metadata: Mapping[str, Any], extra: Sequence[str] = ()) -> bytes:
    """The object as signed bytes.

    `metadata` is JSON and comes back from `open_sealed`; times, versions and names of models belong there. `extra`
    names more modules whose classes the object may hold. Raises `ArtifactError` when it holds something `open_sealed`
    would refuse.
    """
    pickled = io.BytesIO()
    try:
        AllowListPickler(pickled, extra).dump(obj)
    except Exception as error:
        raise ArtifactError(
            f"this {type(obj).__name__} cannot be stored: {error}. Use another, or list its module as extra."
        ) from error
    raw = pickled.getbuffer()
    body = zlib.compress(raw, LEVEL)
    header = json.dumps(
        {
            "type": f"{type(obj).__module__}.{type(obj).__qualname__}",
            "versions": versions(),
            "compression": "zlib",
            "raw_bytes": len(raw),
            "body_bytes": len(body),
            "metadata": dict(metadata),
        },
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    ).encode()
    if len(header) > MAX_HEADER_BYTES:
        raise ArtifactError(
            f"the metadata makes a header of {len(header)} bytes; at most {MAX_HEADER_BYTES} are stored"
        )
    key_id = key.id.encode()
    front = b"".join((MAGIC, struct.pack(">HB", FORMAT, len(key_id)), key_id, struct.pack(">I", len(header)), header))
    return b"".join((front, key.sign(front, body), body))


def open_sealed(
    data: bytes, *, keys: KeyRing, extra: Sequence[str] = (), max_bytes: int = MAX_BYTES
) -> tuple[dict[str, Any], Any]:
    """The metadata and the object of signed bytes.

    Raises `Untrusted` before anything is parsed when the signature does not hold, and when the body names anything but
    models; `Incompatible` when it is genuine but larger than `max_bytes` or of versions that don't fit.
    """
    front, mac, body, header_at = _split(data)
    key_id = front[len(MAGIC) + 3 : header_at - 4].decode("utf-8", "replace")
    key = keys.get(key_id)
    if key is None:
        known = ", ".join(keys.ids) or "none"
        raise Untrusted(
            f"the model is signed with key {key_id!r}, which is not among the accepted keys ({known}). If it is one "
            "of ours, add the key; if not, somebody else wrote this."
        )
    if not hmac.compare_digest(key.sign(front, body), mac):
        raise Untrusted(
            f"the model's signature by key {key_id!r} does not hold: the bytes were altered or damaged after signing, "
            "or two parties use one key id for different secrets. Store the model again from its source."
        )
    header: dict[str, Any] = json.loads(front[header_at:])
    _check_versions(header)
    raw = _decompress(body, header, max_bytes)
    try:
        obj = AllowListUnpickler(io.BytesIO(raw), extra).load()
    except Refused as refused:
        raise Untrusted(
            f"the model is signed with key {key_id!r} but {refused}. Whoever holds that key may be misusing it; if the "
            "class is yours, list its module as extra."
        ) from refused
    except Exception as error:
        raise Incompatible(
            f"a {header['type']} of {_listed(header['versions'])} cannot be rebuilt here ({_listed(versions())}): "
            f"{type(error).__name__}: {error}. Install the versions it was written with, or train it anew."
        ) from error
    return header["metadata"], obj


def digest(data: bytes) -> str:
    """SHA-256 of sealed bytes, in hex: the name an artifact is stored under."""
    return hashlib.sha256(data).hexdigest()


def versions() -> dict[str, str]:
    """The versions a sealed object depends on, as they are here."""
    return {"python": platform.python_version(), **{name: _installed(name) for name in ("driftline", "numpy", "river")}}


@functools.cache
def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _split(data: bytes) -> tuple[bytes, bytes, bytes, int]:
    """What is signed before the signature, the signature, the body, and where the header begins."""
    if data[: len(MAGIC)] != MAGIC:
        raise Untrusted(
            "these bytes are not a signed model (they do not begin as one). They were not written by this program, or "
            "not by `seal`; nothing of them was read."
        )
    at = len(MAGIC)
    try:
        written, id_length = struct.unpack_from(">HB", data, at)
        header_at = at + 3 + id_length + 4
        (header_length,) = struct.unpack_from(">I", data, header_at - 4)
    except struct.error as error:
        raise Untrusted("the signed model is cut off within its first bytes; fetch or store it again") from error
    if written != FORMAT:
        raise Incompatible(
            f"the model is of format {written}; this version reads format {FORMAT}. Update this program."
        )
    body_at = header_at + header_length + MAC_BYTES
    if header_length > MAX_HEADER_BYTES or body_at > len(data):
        raise Untrusted("the signed model is cut off or its header length altered; fetch or store it again")
    return data[: body_at - MAC_BYTES], data[body_at - MAC_BYTES : body_at], data[body_at:], header_at


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
