"""Tokens of an identity provider: JWTs, checked with its public keys."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import jwt
import msgspec
import structlog

from stream.config.web import JwtConfig, Role, is_loopback
from stream.errors import ConfigError, InfrastructureError
from stream.web.errors import Refused

log = structlog.get_logger()

FRESH: Final = 600.0
"""Age, in seconds, from which keys are asked for again."""
PAUSE: Final = 30.0
"""Least time between two questions, in seconds: whoever makes up key ids makes no more of them than this."""
TIMEOUT: Final = 5.0
_MOST_BYTES: Final = 262_144
_DISCOVERY: Final = "/.well-known/openid-configuration"
_NAMES: Final = ("preferred_username", "email", "name")

Fetch = Callable[[str], bytes]
"""Gets what is at an address. Raises OSError."""


class Provider:
    """Checks signature, issuer, audience and times, and turns claims into a name and a role. For several threads.

    Keys are kept for ten minutes; a key id that is not among them has the provider asked, at most twice a minute. While
    it cannot be asked, known keys go on to count. Raises ConfigError for an address or file that cannot be used.
    """

    def __init__(
        self, config: JwtConfig, fetch: Fetch | None = None, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._fetch = fetch or _fetch
        self._timer = timer
        self._lock = threading.Lock()
        self._keys: Mapping[str | None, jwt.PyJWK] = {}
        self._asked_at: float | None = None
        self._got_at: float | None = None
        where = config.keys or config.issuer
        if "://" in where:
            _refuse_plain(where, "http.auth.jwt.keys" if config.keys else "http.auth.jwt.issuer")
        elif config.keys is None:
            raise ConfigError(
                f"http.auth.jwt.issuer: {config.issuer!r} is no address, so it cannot be asked for its keys.",
                "Say where they are: http.auth.jwt.keys, an https address or a file.",
            )
        else:
            self._keys = self._read(Path(config.keys))

    def caller(self, token: str) -> tuple[str, Role]:
        """The name and role of who has this token. Raises Refused: 401, 403, or 503 without the provider's keys."""
        config = self._config
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key,
                algorithms=list(config.algorithms),
                audience=config.audience,
                issuer=config.issuer,
                leeway=config.leeway,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise Refused(
                HTTPStatus.UNAUTHORIZED,
                f"The token is not accepted: {str(error)[:200]}.",
                "Get a new one from the identity provider.",
                {"WWW-Authenticate": 'Bearer realm="driftline", error="invalid_token"'},
            ) from None
        roles = [config.roles[value] for value in _values(claims, config.claim) if value in config.roles]
        name = _name(claims)
        if not roles:
            raise Refused(
                HTTPStatus.FORBIDDEN,
                f"The token of {name} gives no role here: its claim {config.claim!r} has none of those that count.",
                "Have the identity provider give one, or map it under http.auth.jwt.roles.",
            )
        return name, max(roles, key=list(Role).index)

    def look(self) -> int:
        """How many keys the provider has, asked now. Raises ConfigError and InfrastructureError when they cannot be
        had.
        """
        try:
            return len(self._fetched())
        except (OSError, ValueError) as error:
            raise InfrastructureError(
                f"the keys of the identity provider cannot be had: {error}.",
                "See that http.auth.jwt.issuer, or keys, is right, and that it can be reached from here.",
            ) from error

    def _key(self, kid: str | None) -> jwt.PyJWK:
        with self._lock:
            now = self._timer()
            stale = self._got_at is None or now - self._got_at >= FRESH
            if (stale or self._find(kid) is None) and (self._asked_at is None or now - self._asked_at >= PAUSE):
                self._asked_at = now
                self._ask(now)
            found = self._find(kid)
            if found is None and not self._keys:
                raise Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "The identity provider's keys cannot be had now, so its tokens cannot be checked.",
                    "Try again in a moment, or use a token of the configuration.",
                    {"Retry-After": f"{PAUSE:.0f}"},
                )
            if found is None:
                raise jwt.InvalidTokenError("it is signed with a key that the identity provider does not name")
            return found

    def _find(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _ask(self, now: float) -> None:
        try:
            self._keys = self._fetched()
            self._got_at = now
        except (OSError, ConfigError, ValueError) as error:
            log.warning("identity_provider_not_reached", issuer=self._config.issuer, error=str(error)[:300])

    def _fetched(self) -> Mapping[str | None, jwt.PyJWK]:
        """The keys as they are now. Raises OSError, ValueError, ConfigError."""
        config = self._config
        if config.keys is not None and "://" not in config.keys:
            return self._read(Path(config.keys))
        return self._parsed(self._fetch(config.keys or self._discovered()))

    def _discovered(self) -> str:
        """Where the provider says that its keys are. Raises OSError, ValueError, ConfigError."""
        told = msgspec.json.decode(self._fetch(self._config.issuer.rstrip("/") + _DISCOVERY), type=_Told)
        if told.issuer != self._config.issuer:
            raise ValueError(f"it calls itself {told.issuer!r}")
        _refuse_plain(told.jwks_uri, "jwks_uri")
        return told.jwks_uri

    def _read(self, path: Path) -> Mapping[str | None, jwt.PyJWK]:
        try:
            return self._parsed(path.read_bytes())
        except OSError as error:
            raise ConfigError(
                f"http.auth.jwt.keys: {path} cannot be read: {error.strerror}.", "Create it, or correct the path."
            ) from None
        except ValueError as error:
            raise ConfigError(f"http.auth.jwt.keys: {path}: {error}.", "It holds a JWK set (JWKS), in JSON.") from None

    def _parsed(self, data: bytes) -> Mapping[str | None, jwt.PyJWK]:
        """The keys for signatures. Raises ValueError."""
        try:
            found = jwt.PyJWKSet.from_dict(msgspec.json.decode(data, type=dict[str, Any])).keys
        except (jwt.PyJWTError, msgspec.MsgspecError, AttributeError, TypeError) as error:
            raise ValueError(f"there are no keys in it ({error})") from None
        keys = {key.key_id: key for key in found if key.public_key_use in (None, "sig") and key.key_type != "oct"}
        if not keys:
            raise ValueError("there is no public key for signatures in it")
        return keys


class _Told(msgspec.Struct):
    issuer: str
    jwks_uri: str


def _values(claims: Mapping[str, Any], path: str) -> list[str]:
    """The texts of a claim, by its name or by a path of names such as `realm_access.roles`."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
    several = found if isinstance(found, list) else [found]
    return [one for one in several if isinstance(one, str)]


def _name(claims: Mapping[str, Any]) -> str:
    """Whose a token is. The subject is always in it: other names may be of the user's own choice."""
    subject = str(claims["sub"])[:200]
    names = (str(claims[name])[:100] for name in _NAMES if isinstance(claims.get(name), str))
    shown = next(names, subject)
    return subject if shown == subject else f"{shown} ({subject})"


def _refuse_plain(where: str, field: str) -> None:
    """Keys that came over a line that others can write to would be anybody's. Raises ConfigError."""
    url = urlsplit(where)
    if url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or "")):
        return
    raise ConfigError(f"{field}: {where!r} is no https address.", "Keys are only taken by https.")


def _fetch(where: str) -> bytes:
    try:
        with (
            httpx2.Client(timeout=TIMEOUT, follow_redirects=False) as client,
            client.stream("GET", where, headers={"Accept": "application/json"}) as response,
        ):
            response.raise_for_status()
            data = b""
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise OSError(f"{where} answers with more than {_MOST_BYTES:,} bytes")
            return data
    except httpx2.HTTPError as error:
        raise OSError(f"{where}: {error}") from error
