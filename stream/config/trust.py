"""From the keys that a configuration names to what they seal and open. No message ever shows one."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from learners.artifacts import Trust
from learners.keys import Algorithm, EncryptionKey, KeyRing, PublicKey, SigningKey, VerifyingKey
from stream.config.fields import Secret
from stream.config.secrets import secret
from stream.config.security import EncryptionConfig, KeySource, SecurityConfig
from stream.errors import ConfigError

MIN_KEY: Final = 32
"""Shortest HMAC key, in characters."""

_ED25519_PRIVATE: Final = "MC4CAQAwBQYDK2Vw"
_ED25519_PUBLIC: Final = "MCowBQYDK2VwAyEA"
"""How the base64 of such keys begins."""

_HOW: Final = "Make one with `driftline keys new` and keep it: what is signed with another is refused."
_HOW_TO_ENCRYPT: Final = (
    "Make one with `driftline keys new --algorithm aes-256-gcm` and keep it: nobody reads what it encrypted without it."
)


def trust_of(security: SecurityConfig, env: Mapping[str, str] = os.environ) -> Trust:
    """What the configuration trusts; `key` is None where there is only the public half of the signing key.

    Raises ConfigError for a key that is missing, too weak, or of another algorithm than it is said to be.
    """
    keys = {key_id: read() for key_id, read in _verifying_keys(security, env).items()}
    own = keys[security.key_id]
    decrypting = {key_id: read() for key_id, read in _decrypting_keys(security.encryption, env).items()}
    encryption = None if security.encryption is None else decrypting[security.encryption.key_id]
    _refuse_shared_secrets(security, env)
    ring = KeyRing(
        keys.values(),
        decrypting.values(),
        encrypted_only=security.encryption is not None and not security.encryption.accept_unencrypted,
    )
    return Trust(ring, own if isinstance(own, SigningKey) else None, encryption, tuple(security.modules))


def faults_of(security: SecurityConfig, env: Mapping[str, str] = os.environ) -> Iterator[ConfigError]:
    """What is wrong with each key that the configuration names; `trust_of` raises the first of these."""
    for read in (*_verifying_keys(security, env).values(), *_decrypting_keys(security.encryption, env).values()):
        try:
            read()
        except ConfigError as error:
            yield error


def require_signing(trust: Trust) -> None:
    """Raises ConfigError where nothing can be signed."""
    if trust.key is None:
        raise ConfigError(
            "security.signing_key: this is the public half of a key, which checks signatures and cannot sign.",
            "Name the private key here, or use a command that only reads (models list, explain).",
        )


def _verifying_keys(security: SecurityConfig, env: Mapping[str, str]) -> dict[str, Callable[[], VerifyingKey]]:
    """How to read each key that signatures are checked with, by its id."""
    sources = {key_id: (source, f"accepted_keys.{key_id}") for key_id, source in security.accepted_keys.items()}
    sources[security.key_id] = (security.signing_key, "signing_key")
    return {
        key_id: partial(_verifying, source, key_id, f"security.{at}", env) for key_id, (source, at) in sources.items()
    }


def _verifying(source: KeySource, key_id: str, field: str, env: Mapping[str, str]) -> VerifyingKey:
    text = _text(source, field, env, _HOW)
    if source.algorithm is Algorithm.ED25519:
        return _ed25519(text, key_id, field)
    if "-----BEGIN " in text or text.startswith((_ED25519_PRIVATE, _ED25519_PUBLIC)):
        raise ConfigError(
            f"{field}: this is a key in PEM, and the algorithm is {source.algorithm}, whose keys are plain secrets.",
            "Say `algorithm: ed25519`, or name another key.",
        )
    if len(text) < MIN_KEY:
        raise ConfigError(f"{field}: the key has {len(text)} characters; expected at least {MIN_KEY}.", _HOW)
    return SigningKey(key_id, text.encode())


def _ed25519(text: str, key_id: str, field: str) -> VerifyingKey:
    """A key in PEM, private (PKCS #8) or public (SubjectPublicKeyInfo); its lines of dashes may be left out."""
    joined = "".join(line.strip() for line in text.splitlines() if not line.startswith("-----"))
    key: object = None
    with suppress(binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        der = base64.b64decode(joined, validate=True)
        key = load_der_public_key(der) if joined.startswith(_ED25519_PUBLIC) else load_der_private_key(der, None)
    match key:
        case Ed25519PublicKey():
            return PublicKey(key_id, key.public_bytes_raw())
        case Ed25519PrivateKey():
            return SigningKey(key_id, key.private_bytes_raw(), Algorithm.ED25519)
    raise ConfigError(
        f"{field}: this is no Ed25519 key in PEM (private or public, without a passphrase).",
        "Make one with `driftline keys new --algorithm ed25519`, or say what algorithm the key is for.",
    )


def _decrypting_keys(config: EncryptionConfig | None, env: Mapping[str, str]) -> dict[str, Callable[[], EncryptionKey]]:
    """How to read each key that decrypts, by its id."""
    if config is None:
        return {}
    sources = {key_id: (source, f"accepted_keys.{key_id}") for key_id, source in config.accepted_keys.items()}
    sources[config.key_id] = (config.key, "key")
    return {
        key_id: partial(_aes, source, key_id, f"security.encryption.{at}", env)
        for key_id, (source, at) in sources.items()
    }


def _aes(source: Secret, key_id: str, field: str, env: Mapping[str, str]) -> EncryptionKey:
    text = _text(source, field, env, _HOW_TO_ENCRYPT)
    try:
        return EncryptionKey(key_id, bytes.fromhex(text))
    except ValueError:
        raise ConfigError(
            f"{field}: the key has {len(text)} characters; expected 64 hexadecimal digits.", _HOW_TO_ENCRYPT
        ) from None


def _refuse_shared_secrets(security: SecurityConfig, env: Mapping[str, str]) -> None:
    """A secret that serves two purposes is as safe as the weaker use of it."""
    if security.encryption is None:
        return
    signing = {secret(source, env=env) for source in (security.signing_key, *security.accepted_keys.values())}
    for source in (security.encryption.key, *security.encryption.accepted_keys.values()):
        if secret(source, env=env) in signing:
            raise ConfigError(
                "security.encryption.key: this secret signs too; expected one of its own for each purpose.",
                _HOW_TO_ENCRYPT,
            )


def _text(source: Secret, field: str, env: Mapping[str, str], how: str) -> str:
    try:
        return secret(source, field, env)
    except ConfigError as error:
        raise ConfigError(error.message, f"{error.cure} {how}") from error
