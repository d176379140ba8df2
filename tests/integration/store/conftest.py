"""Real servers for the store: the embedded Valkey, and Debian's redis-server where it is installed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest
import redis
from kafka import KafkaAdminClient

from learners.artifacts import KeyRing, SigningKey, Trust
from learners.base import Learner, Problem, Schema
from learners.linear import LogisticConfig
from learners.registry import build
from stream.config.redis import RedisConfig
from stream.embedded import EmbeddedKafka
from stream.embedded.server import EmbeddedServer
from stream.embedded.valkey import EmbeddedValkey
from stream.stores.base import GLOBAL, VersionMeta
from stream.stores.connection import connect
from stream.stores.registry import ModelStore

REDIS_SERVER = Path("/usr/bin/redis-server")
KINDS = ["valkey", "redis"] if REDIS_SERVER.exists() else ["valkey"]
ON_ONE_SERVER = pytest.mark.parametrize("shared_server", KINDS[-1:], indirect=True)
"""For commands that ask of a server only what is tried on both kinds beside them, and take a process for each test."""
KEY = SigningKey("k1", b"0123456789abcdef0123456789abcdef")
FOREIGN_KEY = SigningKey("k1", b"another-key-of-another-house-0000")
CONFIG = """
app: flights
topics: {{events: e, labels: l, predictions: p, alerts: a, dead_letters: d}}
events: {{features: {{x: {{type: number}}}}}}
model: {{name: delays, problem: binary, learner: {{kind: logistic}}}}
redis: {{url: "{url}"}}
"""
AUDIT = "driftline-flights-audit"


class DebianRedis(EmbeddedValkey):
    """The same embedding around Debian's own binary."""

    name: ClassVar[str] = "Redis"

    def _command(self) -> list[str]:
        return [str(REDIS_SERVER), *super()._command()[1:]]


def make_server(kind: str, **options: Any) -> EmbeddedValkey:
    return DebianRedis(**options) if kind == "redis" else EmbeddedValkey(**options)


class Open(Protocol):
    """Opens a store on a server, as one more process would."""

    def __call__(
        self, server: EmbeddedValkey, key: SigningKey = KEY, timeout: float = 5.0, login: str = ""
    ) -> ModelStore: ...


@pytest.fixture(scope="session", params=KINDS)
def shared_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedValkey]:
    with make_server(request.param) as server:
        yield server


@pytest.fixture
def server(shared_server: EmbeddedValkey) -> EmbeddedValkey:
    """A running server, empty."""
    with redis.Redis.from_url(shared_server.url) as client:
        client.flushall()
    return shared_server


@pytest.fixture(params=KINDS)
def own_server(request: pytest.FixtureRequest) -> Iterator[EmbeddedValkey]:
    """A running server of the test's own, to be stopped, hung or wiped."""
    with make_server(request.param) as server:
        yield server


@pytest.fixture
def open_store() -> Iterator[Open]:
    clients: list[redis.Redis] = []

    def open_one(server: EmbeddedValkey, key: SigningKey = KEY, timeout: float = 5.0, login: str = "") -> ModelStore:
        client = connect(RedisConfig(url=f"redis://{login}{server.address}/0", timeout=timeout))
        clients.append(client)
        return ModelStore(client, "flights", Trust(KeyRing([key]), key))

    yield open_one
    for client in clients:
        client.close()


@pytest.fixture
def store(server: EmbeddedValkey, open_store: Open) -> ModelStore:
    return open_store(server)


@pytest.fixture(scope="session")
def audited_at(broker: EmbeddedKafka) -> str:
    """The shared broker's address, where the topic is that changes by commands are written to."""
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)) as admin:
        admin.create_topics({AUDIT: {"num_partitions": 1}}, wait_for_metadata=True)
    return broker.bootstrap_servers


@pytest.fixture
def config(server: EmbeddedValkey, audited_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of a service that has its models on the server, with our key in the environment."""
    monkeypatch.setenv("DRIFTLINE_SIGNING_KEY", KEY.secret.decode())
    path = tmp_path / "flights.yaml"
    kafka = f"kafka: {{bootstrap_servers: '{audited_at}'}}\n"
    path.write_text(CONFIG.format(url=server.url) + kafka, encoding="utf-8")
    return path


@pytest.fixture
def client(server: EmbeddedValkey) -> Iterator[redis.Redis]:
    """Somebody else's client, who reads and meddles."""
    with redis.Redis.from_url(server.url) as client:
        yield client


@contextmanager
def hanging(server: EmbeddedServer) -> Iterator[None]:
    """The server's process stands still: it accepts connections and answers nothing."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def make_learner(labels: int = 0) -> Learner[Any]:
    """A small learner that was shown `labels` labels, so that different counts predict differently."""
    learner = build(LogisticConfig(), Problem.BINARY, Schema(numeric=("x",)), seed=1)
    learner.learn([{"x": float(n % 7)} for n in range(labels)], [n % 7 > 3 for n in range(labels)])
    return learner


def make_meta(reason: str = "first", parent: int = 0, labels: int = 0) -> VersionMeta:
    return VersionMeta(
        created=1_767_225_600.0 + labels,
        recipe="logistic",
        reason=reason,
        who="task 0",
        scores={"roc_auc": 0.75},
        labels=labels,
        parents=(parent,) if parent else (),
    )


def publish(store: ModelStore, labels: int = 0, parent: int = 0) -> int:
    return store.publish("delays", make_learner(labels), meta=make_meta(parent=parent, labels=labels))


def promote(store: ModelStore, version: int, scope: str = GLOBAL) -> None:
    """Whatever serves now."""
    champion = store.champion("delays", scope)
    epoch = 0 if champion is None else champion.epoch
    store.promote("delays", version, expected_epoch=epoch, scope=scope, reason="promoted", who="tester")


def serving(store: ModelStore) -> int | None:
    champion = store.champion("delays")
    return None if champion is None else champion.version


def competing(store: ModelStore) -> list[int]:
    return [entered.version for entered in store.challengers.now("delays")]
