"""The keys that artifacts are sealed with: what signs them, what checks a signature, what encrypts them.

A key belongs to one algorithm for good, and is never tried with another. An artifact states the algorithm of its
signature, but what counts is that of the key in the ring: where they differ it is refused before anything is computed.
So nobody can pass off the public half of an Ed25519 key, which everybody may know, as an HMAC secret.

Sources: HMAC is RFC 2104, Ed25519 RFC 8032, AES-GCM NIST SP 800-38D; Ed25519 and AES-GCM are those of `cryptography`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LEAST_SECRET_BYTES: Final = 16
ED25519_BYTES: Final = 32
"""Of an Ed25519 private key, and of a public one."""
AES_BYTES: Final = 32
NONCE_BYTES: Final = 12


class Algorithm(StrEnum):
    """How something is signed."""

    HMAC = "hmac-sha256"
    ED25519 = "ed25519"


SIGNATURE_BYTES: Final = {Algorithm.HMAC: 32, Algorithm.ED25519: 64}


@dataclass(frozen=True)
class SigningKey:
    """A secret that signs, the name it is known by, and what it signs with.

    `secret` is never printed. For HMAC it is 16 bytes or more, and whoever can check a signature can make one. For
    Ed25519 it is the 32 bytes of the private key.
    """

    id: str
    secret: bytes = field(repr=False)
    algorithm: Algorithm = Algorithm.HMAC

    def __post_init__(self) -> None:
        _check_id(self.id)
        if self.algorithm is Algorithm.ED25519:
            _check_length(self.id, "private Ed25519 key", self.secret, ED25519_BYTES)
        elif len(self.secret) < LEAST_SECRET_BYTES:
            raise ValueError(
                f"key {self.id!r}: the secret has {len(self.secret)} bytes; expected {LEAST_SECRET_BYTES} or more. "
                "`openssl rand -hex 32` makes a good one."
            )

    def sign(self, *parts: bytes) -> bytes:
        """The signature over the parts, one after the other."""
        if self.algorithm is Algorithm.ED25519:
            return self._private.sign(b"".join(parts))
        mac = hmac.new(self.secret, digestmod=hashlib.sha256)
        for part in parts:
            mac.update(part)
        return mac.digest()

    def verify(self, signature: bytes, *parts: bytes) -> bool:
        """Whether this key made that signature over the parts. Takes as long whatever the signature is."""
        if self.algorithm is Algorithm.ED25519:
            return self.public.verify(signature, *parts)
        return hmac.compare_digest(self.sign(*parts), signature)

    @property
    def public(self) -> PublicKey:
        """What checks the signatures of an Ed25519 key. Raises ValueError for an HMAC key, which has no such half."""
        if self.algorithm is not Algorithm.ED25519:
            raise ValueError(f"key {self.id!r} is an HMAC key: there is no public half of it")
        return PublicKey(self.id, self._private.public_key().public_bytes_raw())

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.secret)


@dataclass(frozen=True)
class PublicKey:
    """The public half of an Ed25519 key, 32 bytes: it checks signatures and can't make any."""

    id: str
    public_bytes: bytes

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check_length(self.id, "public Ed25519 key", self.public_bytes, ED25519_BYTES)

    @property
    def algorithm(self) -> Algorithm:
        return Algorithm.ED25519

    def verify(self, signature: bytes, *parts: bytes) -> bool:
        """Whether the private half made that signature over the parts."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_bytes).verify(signature, b"".join(parts))
        except InvalidSignature:
            return False
        return True


VerifyingKey: TypeAlias = SigningKey | PublicKey
"""What can check a signature."""


@dataclass(frozen=True)
class EncryptionKey:
    """A key for AES-256-GCM, 32 bytes, and the name it is known by. `secret` is never printed.

    Each encryption draws a nonce of 96 bits. By chance alone two are alike with a probability below 2^-32 as long as a
    key encrypts no more than 2^32 times: a thousand tasks that are saved every 30 seconds take four years to that.
    """

    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_id(self.id)
        _check_length(self.id, "AES-256 key", self.secret, AES_BYTES)

    def encrypt(self, plain: bytes, aad: bytes) -> tuple[bytes, bytes]:
        """A new nonce, and the ciphertext with its tag; `aad` is authenticated with it but not in it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce, AESGCM(self.secret).encrypt(nonce, plain, aad)

    def decrypt(self, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes | None:
        """What was encrypted; None when it was with another key, or one of the three was altered."""
        try:
            return AESGCM(self.secret).decrypt(nonce, ciphertext, aad)
        except InvalidTag:
            return None


class KeyRing:
    """The keys whose signatures are accepted, and those that decrypt, each by its id. Several at once while keys are
    rotated, of both algorithms if need be.

    With `encrypted_only`, what is not encrypted is refused, however well it is signed. Raises ValueError when an id
    stands for two keys.
    """

    def __init__(
        self,
        keys: Iterable[VerifyingKey],
        decrypting: Iterable[EncryptionKey] = (),
        *,
        encrypted_only: bool = False,
    ) -> None:
        self._keys: dict[str, VerifyingKey] = {}
        for key in keys:
            if self._keys.setdefault(key.id, key) != key:
                raise ValueError(f"key id {key.id!r} stands for two keys")
        self._decrypting: dict[str, EncryptionKey] = {}
        for cipher in decrypting:
            if self._decrypting.setdefault(cipher.id, cipher) != cipher:
                raise ValueError(f"key id {cipher.id!r} stands for two encryption keys")
        self.encrypted_only = encrypted_only

    def get(self, key_id: str) -> VerifyingKey | None:
        """The key that checks signatures of that id, or None."""
        return self._keys.get(key_id)

    def decrypting(self, key_id: str) -> EncryptionKey | None:
        """The key that decrypts what that id encrypted, or None."""
        return self._decrypting.get(key_id)

    @property
    def ids(self) -> list[str]:
        """The ids of all keys whose signatures are accepted, sorted."""
        return sorted(self._keys)

    @property
    def decrypting_ids(self) -> list[str]:
        """The ids of all keys that decrypt, sorted."""
        return sorted(self._decrypting)


def _check_id(key_id: str) -> None:
    if not 1 <= len(key_id.encode()) <= 255:
        raise ValueError(f"key id: got {len(key_id.encode())} bytes; expected 1 to 255")


def _check_length(key_id: str, what: str, got: bytes, expected: int) -> None:
    if len(got) != expected:
        raise ValueError(f"key {key_id!r}: a {what} has {expected} bytes; this one has {len(got)}")
