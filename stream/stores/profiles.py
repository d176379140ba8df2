"""Where profiles are kept: files, and beside the model in Redis, signed as models are.

The key in Redis is `driftline:{app}:reference:{model}`. Under the same and a digest are that profile and earlier ones,
for predictions from their time to be explained; `digests` lists them, the newest first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import redis

from learners.artifacts import ArtifactError, Place, Trust
from stream.config.model import Config
from stream.config.trust import require_signing
from stream.errors import ConfigError, DataError, ModelError
from stream.profile import Profile, decode, encode
from stream.stores.connection import address, as_bytes, redis_errors
from stream.stores.scripts import KEEP

EARLIER: Final = 10
"""Profiles that are kept besides the one that services start with."""


class ProfileStore:
    """The profile of a model in Redis. Raises StoreError whenever Redis cannot be had."""

    def __init__(self, client: redis.Redis, config: Config, trust: Trust) -> None:
        self.where = address(client)
        self._redis = client
        self._config = config
        self._trust = trust
        self._model = config.model.name
        self._place = Place("profile", config.app, self._model)
        self._at = f"driftline:{config.app}:reference:{self._model}"
        self._keep = client.register_script(KEEP)

    def save(self, profile: Profile) -> None:
        """Sign a profile and put it in the place of the one that is there, which is kept, as are the ten newest before
        it. Services read it when they start. Raises ConfigError where nothing can be signed.
        """
        require_signing(self._trust)
        data = self._trust.seal(encode(profile), self._place, {})
        keys = [self._at, f"{self._at}:digests"]
        with redis_errors(self.where):
            self._keep(keys=keys, args=[data, profile.digest, f"{self._at}:", EARLIER + 1])

    def digests(self) -> list[str]:
        """The digests of the profiles that are kept, the newest first."""
        with redis_errors(self.where):
            return [as_bytes(digest).decode() for digest in self._redis.lrange(f"{self._at}:digests", 0, -1)]

    def load(self, digest: str | None = None) -> Profile:
        """The profile, or the one that is kept under a digest. Raises ConfigError if there is none, or it does not fit
        the configuration; ModelError for bytes that are not signed with a key of ours, or as another thing; nothing of
        them is read then.
        """
        with redis_errors(self.where):
            data = self._redis.get(self._at if digest is None else f"{self._at}:{digest}")
        if data is None:
            raise ConfigError(
                f"references.profile: there is none of model {self._model} in Redis at {self.where}.",
                "Put one there with `driftline profile push`, or name a file.",
            )
        try:
            _, content = self._trust.open(as_bytes(data), self._place)
        except ArtifactError as error:
            raise ModelError(f"the profile of model {self._model} in Redis: {error}", _AGAIN) from error
        if not isinstance(content, bytes):
            raise ModelError(f"what stands in the place of the profile of model {self._model} is none of it.", _AGAIN)
        profile = _decoded(content, self._config, f"references.profile: Redis at {self.where}")
        if digest not in (None, profile.digest):
            raise ModelError(f"what is kept as profile {digest} of model {self._model} is another one.", _AGAIN)
        return profile


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
