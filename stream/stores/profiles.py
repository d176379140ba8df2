"""Where profiles are kept: files, and beside the model in Redis, signed as models are.

The key in Redis is `driftline:{app}:reference:{model}`.
"""

from __future__ import annotations

from pathlib import Path

import redis

from learners.artifacts import ArtifactError, KeyRing, SigningKey, open_sealed, seal
from stream.config.model import Config
from stream.errors import ConfigError, DataError, ModelError
from stream.profile import Profile, decode, encode
from stream.stores.connection import address, as_bytes, redis_errors


class ProfileStore:
    """The profile of a model in Redis. Raises StoreError whenever Redis cannot be had."""

    def __init__(self, client: redis.Redis, config: Config, *, key: SigningKey, keys: KeyRing) -> None:
        self.where = address(client)
        self._redis = client
        self._config = config
        self._key = key
        self._keys = keys
        self._model = config.model.name
        self._at = f"driftline:{config.app}:reference:{self._model}"

    def save(self, profile: Profile) -> None:
        """Sign a profile and put it in the place of the one that is there. Services read it when they start."""
        data = seal(encode(profile), key=self._key, metadata={"reference": self._model})
        with redis_errors(self.where):
            self._redis.set(self._at, data)

    def load(self) -> Profile:
        """The profile. Raises ConfigError if there is none, or it does not fit the configuration; ModelError for bytes
        that are not signed with a key of ours, or as another thing; nothing of them is read then.
        """
        with redis_errors(self.where):
            data = self._redis.get(self._at)
        if data is None:
            raise ConfigError(
                f"references.profile: there is none of model {self._model} in Redis at {self.where}.",
                "Put one there with `driftline profile push`, or name a file.",
            )
        try:
            sealed, content = open_sealed(as_bytes(data), keys=self._keys)
        except ArtifactError as error:
            raise ModelError(f"the profile of model {self._model} in Redis: {error}", _AGAIN) from error
        if sealed.get("reference") != self._model or not isinstance(content, bytes):
            raise ModelError(f"what stands in the place of the profile of model {self._model} is none of it.", _AGAIN)
        return _decoded(content, self._config, f"references.profile: Redis at {self.where}")


def read_profile(path: Path, config: Config, field: str) -> Profile:
    """The profile in a file; `field` is what named it. Raises ConfigError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{field}: there is no file {path}.", "Correct the path, or make it with `driftline profile build`."
        ) from None
    except OSError as error:
        raise ConfigError(f"{field}: {path} cannot be read: {error.strerror}.") from None
    return _decoded(data, config, f"{field}: {path}")


def _decoded(data: bytes, config: Config, where: str) -> Profile:
    try:
        return decode(data, config)
    except DataError as error:
        raise ConfigError(f"{where}: {error.message}", error.cure) from None


_AGAIN = "Put it there again with `driftline profile push`."
