"""Fetching secrets from where the configuration says they are kept. No message ever shows one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from stream.config.fields import Secret
from stream.errors import ConfigError


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
