"""Where one run of the demo keeps its things: the service's file, its settings for other terminals, its logs."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import stream
from stream.embedded.datadir import DataDir
from stream.errors import DriftlineError

CONFIG = "flights.yaml"


class DemoError(DriftlineError):
    """The demo cannot begin, or cannot go on."""


@dataclass(frozen=True)
class Where:
    """Where a person can look: addresses and files of a run, and the model's name."""

    kafka: str
    redis: str
    page_url: str
    env: Path
    log: Path
    model: str


class Place:
    """A directory: `data_dir`, which must not hold an earlier run, or a temporary one that `close` removes.

    Raises DemoError and `stream.embedded.errors.DataDirError`.
    """

    def __init__(self, data_dir: Path | None) -> None:
        self._dir = DataDir(data_dir, "demo")
        self.path = self._dir.path
        self.config = self.path / CONFIG
        if self.config.exists():
            raise DemoError(
                f"{self.path} holds an earlier run of the demo.",
                cure="Name another directory, or remove this one. Its Kafka and Redis come back with "
                f"`driftline dev up --data-dir {shlex.quote(str(self.path))}`.",
            )
        self.lock = self._dir.lock()

    @property
    def temporary(self) -> bool:
        """Whether all of it is gone at the end."""
        return self._dir.temporary

    def settings(self, bootstrap_servers: str, redis_url: str, http_port: int) -> dict[str, str]:
        """The environment of the service, with a new signing key. Written to `env`, beside the service's file."""
        self.config.write_text(shipped(CONFIG).read_text(encoding="utf-8"), encoding="utf-8")
        own = {
            "DRIFTLINE_KAFKA": bootstrap_servers,
            "DRIFTLINE_REDIS_URL": redis_url,
            "DRIFTLINE_HTTP_HOST": "127.0.0.1",
            "DRIFTLINE_HTTP_PORT": str(http_port),
            "DRIFTLINE_HTTP_EVERYBODY": "operator",  # only this machine reaches it, and it is there to be tried out
            "DRIFTLINE_SIGNING_KEY": secrets.token_hex(32),
        }
        self._write_env(own)
        return own

    def close(self) -> None:
        """Let go of the directory, and remove it if it is temporary."""
        os.close(self.lock)
        self._dir.remove()

    @property
    def env(self) -> Path:
        """A file for a shell to source; then `driftline ... -c $DEMO` speaks to this run."""
        return self.path / "env"

    def _write_env(self, settings: Mapping[str, str]) -> None:
        lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
        lines.append(f"export DEMO={shlex.quote(str(self.config))}")
        lines.append(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
        self.env.touch(mode=0o600)  # it holds the signing key
        self.env.write_text("\n".join(lines) + "\n", encoding="utf-8")


def shipped(name: str) -> Path:
    """A configuration file that comes with Driftline: beside the source, or where the wheel has put it."""
    beside = Path(stream.__file__).parents[1] / "configs" / name
    if beside.is_file():
        return beside
    for file in metadata.files("driftline") or ():
        if file.parts[-2:] == ("configs", name):
            return Path(str(file.locate()))
    raise DemoError(
        f"{name} did not come with this installation of Driftline (looked in {sysconfig.get_path('data')}).",
        cure="Install the distribution again.",
    )
