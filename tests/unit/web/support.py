"""The web application over parts that tests can see into: no broker, no Redis."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from starlette.testclient import TestClient

from stream.audit import AuditEntry
from stream.config.model import Config
from stream.errors import BrokerError, StoreError
from stream.history.answers import Column, NumberValues
from stream.stores.base import Champion, StaleWriter
from stream.stores.control import Pause, Standing
from stream.stores.registry import ModelStore
from stream.telemetry import Telemetry
from stream.testing import small_config
from stream.web.access import sha256
from stream.web.app import make_app
from stream.web.parts import Mark, News, Parts, Usual
from stream.web.status import Part, Status

WELL = Status(idle=0.1, predicting=True, parts={"kafka": Part("ok"), "redis": Part("ok")})
TOKENS = {"viewer": "see", "operator": "do", "admin": "bring"}
HERE = "http://127.0.0.1:8080"


class Trail:
    """Keeps what is written; raises `trouble` instead while there is some."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.trouble: BrokerError | None = None
        self.closed = False

    def write(self, entry: AuditEntry) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.entries.append(entry)

    def close(self) -> None:
        self.closed = True


class Control:
    """The word to pause, as the store has it. `meanwhile` is done between a look and a change."""

    def __init__(self) -> None:
        self.standing = Standing(0)
        self.meanwhile: Callable[[], None] | None = None

    def now(self) -> Standing:
        return self.standing

    def pause(self, *, expected_epoch: int, who: str, reason: str) -> Standing:
        return self._say(expected_epoch, Pause(who, reason, 5.0))

    def resume(self, *, expected_epoch: int, who: str, reason: str) -> Standing:
        return self._say(expected_epoch, None)

    def _say(self, expected_epoch: int, pause: Pause | None) -> Standing:
        if self.meanwhile is not None:
            self.meanwhile()
        if expected_epoch != self.standing.epoch:
            raise StaleWriter("somebody else was first.")
        self.standing = Standing(expected_epoch + 1, pause)
        return self.standing


class Hints:
    """A subscription to hints: `wait` ends at once when there is one."""

    def __init__(self, given: threading.Event) -> None:
        self._given = given

    def wait(self, seconds: float) -> bool:
        came = self._given.wait(seconds)
        self._given.clear()
        return came

    def close(self) -> None:
        pass


class Store:
    """What routes need of a store that are not about versions of the model."""

    def __init__(self) -> None:
        self.control = Control()
        self.pointer: Champion | None = None
        self.hint = threading.Event()
        self.trouble: StoreError | None = None

    def champion(self, name: str) -> Champion | None:
        if self.trouble is not None:
            raise self.trouble
        return self.pointer

    def hints(self) -> Hints:
        return Hints(self.hint)


class History:
    """Answers with what it was asked, and counts that may be set."""

    def __init__(self) -> None:
        self.counts: Mapping[str, Mapping[str, int]] = {}

    def overview(self) -> Any:
        return {"app": "test", "open_alerts": 0, "lag": float("nan"), "counts": self.counts}

    def series(self, partition: int | None, since: float | None, points: int) -> Any:
        return {"asked": [partition, since, points]}

    def drift(self, partition: int | None, since: float | None, points: int) -> Any:
        return {"asked": [partition, since, points]}

    def feature(self, name: str, partition: int | None) -> Any | None:
        known = {"x": None, "y": {"kind": "number", "n": 9, "quantiles": {"0.5": 2.0}, "missing": 0.0}}
        if name not in known:
            return None
        return {"name": name, "partition": partition, "reference": known[name], "source": known[name] and "the first"}

    def labels(self) -> Any:
        return {"pending": 3}

    def workers(self) -> Any:
        return {"workers": []}

    def partitions(self) -> list[int]:
        return [0, 1, 2, 3]

    def stream_time(self) -> float | None:
        return None

    def watch(self, stop: threading.Event) -> Iterator[Column]:
        stop.wait(10)
        yield from ()


class Feeds:
    """One mark, two open alerts, and whoever listens."""

    def __init__(self) -> None:
        self.running = False
        self.looked = threading.Event()
        self.listeners: list[Callable[[News, Any], None]] = []

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def marks(self, partition: int | None, since: float | None) -> list[Mark]:
        return [Mark(1.0, None, "drift", "a1", "x drifted")]

    def open_alerts(self) -> int:
        return 2

    def alerts_of(self, feature: str) -> list[str]:
        return ["a1"]

    def usual(self, feature: str, partition: int | None) -> Usual | None:
        return Usual(NumberValues(n=5, quantiles={"0.5": 1.0}, missing=0.0), "an alert")

    def look(self) -> None:
        self.looked.set()

    def listen(self, take: Callable[[News, Any], None]) -> Callable[[], None]:
        self.listeners.append(take)
        return lambda: self.listeners.remove(take)


class World:
    """An application with its parts, and clients of it."""

    def __init__(
        self, http: Mapping[str, Any] | None = None, *, everybody: str | None = "viewer", **sections: Any
    ) -> None:
        tokens = [{"name": f"the {role}", "role": role, "sha256": sha256(token)} for role, token in TOKENS.items()]
        auth = {"tokens": tokens, "everybody": everybody} | dict((http or {}).get("auth", {}))
        self.config: Config = small_config({**sections, "http": {**(http or {}), "auth": auth}})
        self.trail, self.store, self.history, self.feeds = Trail(), Store(), History(), Feeds()
        self.status: Status | Exception = WELL
        self.app = make_app(
            Parts(
                config=self.config,
                store=cast(ModelStore, self.store),
                trail=self.trail,
                history=self.history,
                feeds=self.feeds,
                telemetry=Telemetry("small"),
                status=self._told,
            )
        )

    def _told(self) -> Status:
        if isinstance(self.status, Exception):
            raise self.status
        return self.status

    def client(self, role: str | None = None, *, url: str = HERE, ip: str = "127.0.0.1") -> TestClient:
        """A client with the token of a role, or none."""
        headers = {} if role is None else {"Authorization": f"Bearer {TOKENS[role]}"}
        return TestClient(self.app, base_url=url, headers=headers, client=(ip, 40_000), raise_server_exceptions=False)
