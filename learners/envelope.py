"""The envelope of an artifact: bytes with a header, signed, and encrypted if asked for.

    magic (6) | format (2) | signature algorithm (1) | cipher (1) | key id | encryption key id
        | header length (4) | header | nonce (0 or 12) | signature (32 or 64) | body

Numbers are big-endian; an id is its length (1) and its bytes, of the encryption key none when nothing is encrypted. The
header is canonical JSON and always readable. It says what the body is, for which place it was made, and the SHA-256 of
the body before encryption: the SHA-256 of the header, the artifact's digest, names header and body at once, and stays
the same when the artifact is signed or encrypted anew.

Encrypted first, signed last. The cipher takes all that stands before the nonce as associated data; the signature covers
every byte but itself, ciphertext and nonce included. So nothing is decrypted, parsed or decompressed that the holder of
a key of ours did not write; whoever has only a public key can tell what is genuine without being able to read it; and a
ciphertext is of use under no other header, key or algorithm than it was made for, not even to another holder of a
signing key, who may strip a signature but not make the body his own. The other order (sign, then encrypt) would have to
decrypt what nobody vouched for.

What is told without the encryption key: the header, so the name of a model and its scores, the offsets and the times of
a snapshot, sizes, and whether two artifacts are the same. Not: parameters, and the events that wait for their labels.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from learners.keys import NONCE_BYTES, SIGNATURE_BYTES, Algorithm, EncryptionKey, KeyRing, SigningKey

MAGIC: Final = b"DRIFTL"
FORMAT: Final = 2
MAX_HEADER_BYTES: Final = 2**20

_ALGORITHMS: Final = {Algorithm.HMAC: 1, Algorithm.ED25519: 2}
_ALGORITHM_OF: Final = {number: algorithm for algorithm, number in _ALGORITHMS.items()}
_PLAIN, _AES_256_GCM = 0, 1


class ArtifactError(Exception):
    """Something could not be sealed or opened. The message says what is wrong with it and the cure."""


class Untrusted(ArtifactError):
    """The bytes are unsigned, altered, signed with a key we don't have, not what belongs in their place, or hold what
    no model is made of.
    """


class Incompatible(ArtifactError):
    """The bytes may be genuine, but this version of the program, or its limits, cannot open them."""


class Place(NamedTuple):
    """Where an artifact belongs: what kind of thing it is, of which app, and of which model or task."""

    kind: Literal["model", "profile", "snapshot"]
    app: str
    name: str

    def __str__(self) -> str:
        owner = {"model": "", "profile": " of model", "snapshot": " of task"}[self.kind]
        return f"{self.kind}{owner} {self.name!r} of app {self.app!r}"


class Envelope(NamedTuple):
    """Sealed bytes taken apart, nothing of them checked yet. `encryption_id` is empty when nothing is encrypted."""

    key_id: str
    algorithm: Algorithm
    encryption_id: str
    front: bytes
    header: bytes
    nonce: bytes
    signature: bytes
    body: bytes


def wrap(
    header: Mapping[str, Any], body: bytes, key: SigningKey, encryption: EncryptionKey | None, place: Place | None
) -> bytes:
    """Sealed bytes with this header, and with what `wrap` itself puts into it. Raises ArtifactError for a header that
    is too large, ValueError or TypeError for one that is not JSON.
    """
    full = {
        **header,
        "body_bytes": len(body),
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "place": None if place is None else place._asdict(),
    }
    text = canonical(full)
    if len(text) > MAX_HEADER_BYTES:
        raise ArtifactError(f"the metadata makes a header of {len(text)} bytes; at most {MAX_HEADER_BYTES} are stored")
    return _sealed(text, body, key, encryption)


def unwrap(data: bytes, keys: KeyRing, place: Place | None) -> tuple[dict[str, Any], bytes]:
    """Header and body of sealed bytes.

    The signature is checked first, over bytes that nobody has looked into. Raises Untrusted, also for what was sealed
    for another place than `place`, if that is given, or is not encrypted where it must be; Incompatible.
    """
    envelope = split(data)
    _verify(envelope, keys)
    header = _parsed(envelope)
    if place is not None and header["place"] != place._asdict():
        raise Untrusted(f"{_belonging(header['place'])} stands in the place of the {place}. Somebody moved it there.")
    body = _decrypted(envelope, keys)
    if len(body) != header["body_bytes"] or hashlib.sha256(body).hexdigest() != header["body_sha256"]:
        raise Untrusted("the body is not the one that its header was signed for; store it again from its source")
    return header, body


def resealed(data: bytes, keys: KeyRing, key: SigningKey, encryption: EncryptionKey | None) -> bytes:
    """The same header and body, signed and encrypted with these keys: the digest stays. Nothing is unpickled.

    Raises as `unwrap` does.
    """
    _, body = unwrap(data, keys, None)
    return _sealed(split(data).header, body, key, encryption)


def split(data: bytes) -> Envelope:
    """The parts of sealed bytes, unchecked. Raises Untrusted where they are none, Incompatible for another format."""
    if data[: len(MAGIC)] != MAGIC:
        raise Untrusted(
            "these bytes are not a signed artifact (they do not begin as one). They were not written by this program, "
            "or not by `seal`; nothing of them was read."
        )
    try:
        at = len(MAGIC)
        (written,) = struct.unpack_from(">H", data, at)
        if written != FORMAT:
            raise Incompatible(
                f"the artifact is of format {written}; this version reads format {FORMAT} and no other, as older ones "
                "vouch for less. Open it with the version that wrote it, or let it be made anew."
            )
        algorithm, cipher, length = struct.unpack_from(">BBB", data, at + 2)
        key_id, at = data[at + 5 : at + 5 + length], at + 5 + length
        (length,) = struct.unpack_from(">B", data, at)
        encryption_id, at = data[at + 1 : at + 1 + length], at + 1 + length
        (length,) = struct.unpack_from(">I", data, at)
    except struct.error as error:
        raise Untrusted("the artifact is cut off within its first bytes; fetch or store it again") from error
    if algorithm not in _ALGORITHM_OF or cipher not in (_PLAIN, _AES_256_GCM):
        raise Untrusted(f"the artifact names signature {algorithm} and cipher {cipher}, which are not known")
    if (cipher == _PLAIN) != (not encryption_id):
        raise Untrusted("the artifact names a key for encryption and no cipher, or the other way round")
    header_at = at + 4
    nonce_at = header_at + length
    signature_at = nonce_at + (NONCE_BYTES if cipher else 0)
    body_at = signature_at + SIGNATURE_BYTES[_ALGORITHM_OF[algorithm]]
    if length > MAX_HEADER_BYTES or body_at > len(data):
        raise Untrusted("the artifact is cut off or its header length altered; fetch or store it again")
    return Envelope(
        key_id.decode("utf-8", "replace"),
        _ALGORITHM_OF[algorithm],
        encryption_id.decode("utf-8", "replace"),
        data[:nonce_at],
        data[header_at:nonce_at],
        data[nonce_at:signature_at],
        data[signature_at:body_at],
        data[body_at:],
    )


def digest(data: bytes) -> str:
    """What an artifact is stored under: SHA-256 of its header, in hexadecimal. Raises as `split` does."""
    return hashlib.sha256(split(data).header).hexdigest()


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON in the one form that counts: keys in order, no white space, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _sealed(header: bytes, body: bytes, key: SigningKey, encryption: EncryptionKey | None) -> bytes:
    key_id, encryption_id = key.id.encode(), encryption.id.encode() if encryption else b""
    front = b"".join(
        (
            MAGIC,
            struct.pack(">HBB", FORMAT, _ALGORITHMS[key.algorithm], _AES_256_GCM if encryption else _PLAIN),
            struct.pack(">B", len(key_id)) + key_id,
            struct.pack(">B", len(encryption_id)) + encryption_id,
            struct.pack(">I", len(header)),
            header,
        )
    )
    nonce, kept = encryption.encrypt(body, front) if encryption else (b"", body)
    return b"".join((front, nonce, key.sign(front, nonce, kept), kept))


def _verify(envelope: Envelope, keys: KeyRing) -> None:
    key = keys.get(envelope.key_id)
    if key is None:
        known = ", ".join(keys.ids) or "none"
        raise Untrusted(
            f"the artifact is signed with key {envelope.key_id!r}, which is not among the accepted keys ({known}). If "
            "it is one of ours, add the key; if not, somebody else wrote this."
        )
    if key.algorithm is not envelope.algorithm:
        raise Untrusted(
            f"the artifact is signed by {envelope.algorithm} and key {envelope.key_id!r} is for {key.algorithm}: a key "
            "is never used with another algorithm. Somebody else wrote this, or two keys have one id."
        )
    if not key.verify(envelope.signature, envelope.front, envelope.nonce, envelope.body):
        raise Untrusted(
            f"the artifact's signature by key {envelope.key_id!r} does not hold: it was signed with another "
            "secret than the one here under this id, or the bytes were altered or damaged since. Give the secret that "
            "it was signed with, or store it again from its source."
        )
    if keys.encrypted_only and not envelope.encryption_id:
        raise Untrusted(
            "the artifact is not encrypted, and only encrypted ones are accepted here. If it is from before encryption "
            "was turned on, accept both kinds until it has been sealed anew."
        )


def _parsed(envelope: Envelope) -> dict[str, Any]:
    """The header, which is signed: what is wrong with it, a holder of the key did."""
    try:
        header = json.loads(envelope.header)
        is_canonical = isinstance(header, dict) and canonical(header) == envelope.header
    except (ValueError, RecursionError):
        is_canonical = False
    if not is_canonical or not header.keys() >= {"body_bytes", "body_sha256", "place"}:
        raise Untrusted(
            f"the header is signed with key {envelope.key_id!r} but is not as this program writes it. Whoever holds "
            "that key may be misusing it."
        )
    return dict(header)


def _decrypted(envelope: Envelope, keys: KeyRing) -> bytes:
    if not envelope.encryption_id:
        return envelope.body
    key = keys.decrypting(envelope.encryption_id)
    if key is None:
        known = ", ".join(keys.decrypting_ids) or "none"
        raise Incompatible(
            f"the artifact is genuine and encrypted with key {envelope.encryption_id!r}, which is not among the keys "
            f"that decrypt here ({known}). Add it to read what is inside."
        )
    body = key.decrypt(envelope.nonce, envelope.body, envelope.front)
    if body is None:
        raise Untrusted(
            f"the artifact does not decrypt with key {envelope.encryption_id!r}: two parties use one key id for "
            "different secrets, or somebody signed what others had encrypted."
        )
    return body


def _belonging(place: Any) -> str:
    try:
        return f"an artifact sealed as {Place(**place)}"
    except (TypeError, KeyError):
        return "an artifact that was sealed for no place"
