"""Fetching secrets from where the configuration says they are kept. No message ever shows one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stream.config.fields import Secret
from stream.config.model import SecurityConfig
from stream.errors import ConfigError

MIN_KEY: Final = 32
"""Shortest signing key, in characters."""


def secret(source: Secret, field: str = "secret", env: Mapping[str, str] = os.environ) -> str:
    """The secret itself; `field` names its place in the configuration. Raises ConfigError if there is none."""
    if source.env is not None:
        value = env.get(source.env)
        if not value:
            state = "is not set" if value is None else "is empty"
            raise ConfigError(f"{field}: the environment variable {source.env} {state}.", f"Set {source.env}.")
        return value
    file = Path(source.file or "")
    try:
        value = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise ConfigError(f"{field}: there is no file {file}.", "Create it, or correct the path.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{field}: the file {file} is not UTF-8 text.") from None
    except OSError as error:
        raise ConfigError(f"{field}: the file {file} cannot be read: {error.strerror}.") from None
    if not value:
        raise ConfigError(f"{field}: the file {file} is empty.")
    return value


_HOW = (
    'Make one with `python -c "import secrets; print(secrets.token_hex(32))"` and keep it: models signed with another '
    "are refused."
)


def signing_key(security: SecurityConfig, env: Mapping[str, str] = os.environ) -> bytes:
    """The key that models are signed with. Raises ConfigError if it is missing or shorter than `MIN_KEY`."""
    return _key(security.signing_key, "security.signing_key", env)


def accepted_keys(security: SecurityConfig, env: Mapping[str, str] = os.environ) -> dict[str, bytes]:
    """All keys whose signatures are accepted, by key id: the signing key and the old ones. Raises ConfigError."""
    old = {key_id: _key(source, f"security.old_keys.{key_id}", env) for key_id, source in security.old_keys.items()}
    return {**old, security.key_id: signing_key(security, env)}


def _key(source: Secret, field: str, env: Mapping[str, str]) -> bytes:
    try:
        value = secret(source, field, env)
    except ConfigError as error:
        raise ConfigError(error.message, f"{error.cure} {_HOW}") from error
    if len(value) < MIN_KEY:
        raise ConfigError(f"{field}: the key has {len(value)} characters; expected at least {MIN_KEY}.", _HOW)
    return value.encode()
