"""Who may do what: bearer tokens of the configuration, of a file beside it, and of an identity provider.

Of a token of ours only the SHA-256 is known here. Tokens are compared in constant time, and all of them each time.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Final

import structlog
import yaml
from pydantic import TypeAdapter, ValidationError

from stream.config.web import AuthConfig, HttpConfig, Role, TokenConfig
from stream.errors import ConfigError
from stream.web.caller import Caller
from stream.web.errors import Refused
from stream.web.provider import Provider

log = structlog.get_logger()

EVERYBODY: Final = "anybody on this machine"
"""The name of who has no token and needs none."""

_FILE: Final = TypeAdapter(list[TokenConfig])
_MOST_BYTES: Final = 1_048_576


def sha256(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Access:
    """Decides who a caller is. Raises ConfigError for a file of tokens or of keys that cannot be used.

    A file that changes is read again; while it cannot be read, or is not as it must be, none of its tokens counts, and
    the log says so.
    """

    def __init__(self, config: HttpConfig) -> None:
        self._auth = config.auth
        self._loopback = config.loopback
        self._closed = config.closed
        self._file = None if config.auth.tokens_file is None else TokensFile(config.auth)
        self._provider = None if config.auth.jwt is None else Provider(config.auth.jwt)

    @property
    def asks(self) -> bool:
        """Whether a token may have to wait for somebody else's answer."""
        return self._provider is not None

    def caller(self, authorization: str | None, ip: str, *, forwarded: bool) -> Caller:
        """Who sent these headers. `forwarded`: a proxy passed them on, so that they may come from anywhere.

        May wait for the identity provider, a few seconds at most. Raises Refused: 401 for who is not known, 403 for a
        token that gives no role here, 503 while the identity provider cannot be asked.
        """
        everybody = self._auth.everybody if self._loopback and not forwarded else None
        if authorization is None:
            if everybody is None:
                raise _unknown("A token is needed.", self._cure)
            return Caller(EVERYBODY, everybody, ip, self._loopback)
        kind, _, token = authorization.partition(" ")
        token = token.strip()
        if kind.lower() != "bearer" or not token:
            raise _unknown("The Authorization header holds no bearer token.", "Send it as `Bearer ...`.")
        name, role = self._known(token)
        if everybody is not None and everybody.may(role):
            role = everybody
        return Caller(name, role, ip, self._loopback)

    def _known(self, token: str) -> tuple[str, Role]:
        digest, found = sha256(token), None
        for one in (*self._auth.tokens, *(self._file.tokens() if self._file else ())):
            if hmac.compare_digest(one.sha256, digest):
                found = one.name, one.role
        if found is None and self._provider is not None and token.count(".") == 2:
            found = self._provider.caller(token)
        if found is None:
            raise _unknown("This token is not known here.", self._cure, "invalid_token")
        return found

    @property
    def _cure(self) -> str:
        if self._closed:
            return "None is configured: `driftline tokens new --name ... --role ...` makes one (docs/api.md)."
        return "Ask whoever runs this service for one; they make it with `driftline tokens new`."


class TokensFile:
    """Tokens in a YAML file, as they stand there now. Raises ConfigError for one that cannot be used to begin with."""

    def __init__(self, auth: AuthConfig) -> None:
        assert auth.tokens_file is not None
        self._path = auth.tokens_file
        self._taken = frozenset(token.name for token in auth.tokens)
        self._lock = threading.Lock()
        self._stamp = _stamp(self._path)
        self._tokens = self._read()

    def tokens(self) -> Sequence[TokenConfig]:
        """The tokens now. Looks at the file's time, and reads it only when that is another."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._tokens = self._read()
                except ConfigError as error:
                    self._tokens = ()
                    log.error("tokens_not_read", error=error.message, effect="none of its tokens counts")
                else:
                    log.info("tokens_read", file=str(self._path), tokens=len(self._tokens))
            return self._tokens

    def _read(self) -> Sequence[TokenConfig]:
        where = f"http.auth.tokens_file: {self._path}"
        try:
            with self._path.open(encoding="utf-8") as file:
                text = file.read(_MOST_BYTES + 1)
            if len(text) > _MOST_BYTES:
                raise ConfigError(f"{where} is longer than {_MOST_BYTES:,} characters.")
            tokens = _FILE.validate_python(yaml.safe_load(text) or [])
        except OSError as error:
            raise ConfigError(f"{where} cannot be read: {error.strerror}.", "Create it, or correct the path.") from None
        except (UnicodeDecodeError, yaml.YAMLError):
            raise ConfigError(f"{where} is not YAML.", _AS_PRINTED) from None
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise ConfigError(f"{where}: {place}: {first['msg']}.", _AS_PRINTED) from None
        names = [token.name for token in tokens]
        for name in names:
            if name in self._taken or names.count(name) > 1:
                raise ConfigError(f"{where}: the name {name!r} stands for two tokens.", "Give each a name of its own.")
        return tuple(tokens)


_AS_PRINTED: Final = "It is a list of {name, role, sha256}, as `driftline tokens new` prints them."


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What is another when a file is."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _unknown(detail: str, cure: str, error: str = "") -> Refused:
    challenge = 'Bearer realm="driftline"' + (f', error="{error}"' if error else "")
    return Refused(HTTPStatus.UNAUTHORIZED, detail, cure, {"WWW-Authenticate": challenge})
