"""Apache Kafka on loopback: one KRaft node that is broker and controller, in a directory of its own."""

from __future__ import annotations

import base64
import contextlib
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from rich.console import Console

from stream.embedded.errors import EmbeddedError, StartError
from stream.embedded.jars import cache_lock
from stream.embedded.java import KafkaRuntime, find_runtime
from stream.embedded.ports import HOST, free_port, is_listening
from stream.embedded.server import EmbeddedServer

_FOREVER_MS = str(2**63 - 1)
_FORMAT_SECONDS = 60.0
_ANSWER_MS = 10_000
_RECORD_SECONDS = 120.0

# What makes a single small node of Kafka; all else is as Kafka ships it.
_PROPERTIES: Mapping[str, str] = {
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    # A broker that was killed may register again when its old session has expired; 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Records carry the times of their events, which may be years ago: nothing is too old to be accepted or kept, and
    # a year of events that arrives in a minute makes one segment, not fifty.
    "log.message.timestamp.type": "CreateTime",
    "log.message.timestamp.before.max.ms": _FOREVER_MS,
    "log.retention.ms": "-1",
    "log.roll.ms": _FOREVER_MS,
    # A quarter of the heap by default, for compacting topics far larger than those here.
    "log.cleaner.dedupe.buffer.size": str(4 * 2**20),
}

# What ties the broker to its directory and its ports (see `_write_properties`).
_FIXED = frozenset(
    {
        "process.roles",
        "node.id",
        "controller.quorum.voters",
        "controller.listener.names",
        "listeners",
        "advertised.listeners",
        "listener.security.protocol.map",
        "log.dirs",
    }
)


class EmbeddedKafka(EmbeddedServer):
    """A real broker for demos and tests; any Kafka client can use `bootstrap_servers`.

    `properties` are added to the broker's own (see Kafka's broker configuration) and win over them; those that tie
    the broker to its directory and ports cannot be changed. `listeners` are more doors to it, by name, each with its
    security protocol (SSL, SASL_SSL, SASL_PLAINTEXT): configure them with `properties` that begin with
    `listener.name.<name>.`, in small letters, and reach them at `listener(name)`. `scram_users` are users with their
    passwords, known to SCRAM-SHA-256 and SCRAM-SHA-512 from the first start on a directory.

    Jars are fetched at the first start on a machine (45 MB; `console` shows the progress). From then on it is up in
    about 1.5 s and takes some 200 MB of memory.
    """

    name: ClassVar[str] = "Kafka"

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int | None = None,
        properties: Mapping[str, str] | None = None,
        *,
        listeners: Mapping[str, str] | None = None,
        scram_users: Mapping[str, str] | None = None,
        console: Console | None = None,
        runtime: KafkaRuntime | None = None,
        start_timeout: float = 60.0,
    ) -> None:
        super().__init__(data_dir, port, start_timeout)
        if fixed := _FIXED.intersection(properties or {}):
            raise EmbeddedError(
                f"Broker property {min(fixed)!r} is set by the embedded broker and cannot be changed.",
                cure="Leave it out.",
            )
        self._properties = dict(properties or {})
        self._protocols = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        self._ports: dict[str, int] = {}
        self._scram_users = dict(scram_users or {})
        self._console = console
        self._runtime = runtime
        self._controller_port: int | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`127.0.0.1:port`."""
        return self.address

    def listener(self, name: str) -> str:
        """`127.0.0.1:port` of one of `listeners`, from the first start on."""
        return f"{HOST}:{self._ports[name]}"

    def launch(self) -> None:
        if self._runtime is None:
            self._runtime = install(self._console)
        super().launch()

    def _prepare(self, lock: int) -> None:
        """Write the configuration; format the storage if that has not been done."""
        # Drawn anew at each start: nobody but the broker itself knows it.
        self._controller_port = free_port()
        for name in self._protocols:
            self._ports.setdefault(name, self.port if name == "PLAINTEXT" else free_port())
        data = self.data_dir / "data"
        if not data.exists():
            self._format(data, lock)
        self._write_properties(self.data_dir / "server.properties", data.name)

    def _format(self, data: Path, lock: int) -> None:
        """Make `data` complete or not at all: a start that was cut short leaves nothing half formatted."""
        unfinished = data.with_name("data.part")
        config = self.data_dir / "format.properties"
        self._write_properties(config, unfinished.name)
        scram = [
            f"--add-scram={mechanism}=[name={user},password={password}]"
            for user, password in self._scram_users.items()
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        ]
        command = self._run(
            "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", _cluster_id(), "-c", config.name, *scram
        )
        process = self._guarded(command, lock)
        try:
            code = process.wait(_FORMAT_SECONDS)
        except BaseException as error:
            process.kill()
            if isinstance(error, TimeoutError):
                raise StartError(f"Formatting Kafka's storage in {self.data_dir}: {error}.{self._tail()}") from error
            raise
        if code != 0:
            raise StartError(f"Formatting Kafka's storage in {self.data_dir} failed (exit code {code}).{self._tail()}")
        unfinished.rename(data)
        config.unlink()

    def _command(self) -> list[str]:
        return self._run("kafka.Kafka", "server.properties")

    def _run(self, program: str, *arguments: str) -> list[str]:
        assert self._runtime is not None
        return self._runtime.command(program, *arguments)

    def _write_properties(self, path: Path, data: str) -> None:
        # `data` is relative to the directory in which Kafka runs: a path that Kafka would have to parse could hold a
        # comma (which separates two directories) or letters that a properties file must escape.
        doors = {name: f"{name}://{HOST}:{port}" for name, port in self._ports.items()}
        own = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join([*doors.values(), f"CONTROLLER://{HOST}:{self._controller_port}"]),
            "advertised.listeners": ",".join(doors.values()),
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}" for name, protocol in {**self._protocols, "CONTROLLER": "PLAINTEXT"}.items()
            ),
            "log.dirs": data,
        }
        lines = [f"{key}={value}\n" for key, value in {**_PROPERTIES, **self._properties, **own}.items()]
        path.write_text("".join(lines), encoding="latin-1")

    def _answers(self) -> bool:
        # Asked by hand first, because the client logs each refusal.
        if not is_listening(self.port):
            return False
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers, bootstrap_timeout_ms=_ANSWER_MS)
        except KafkaError:
            return False
        with contextlib.closing(admin):
            try:
                brokers = admin.describe_cluster()["brokers"]
            except KafkaError:
                return False
            # Fenced: known to the controller, but not yet allowed to lead partitions.
            return any(not broker.get("is_fenced", False) for broker in brokers)


def install(console: Console | None = None) -> KafkaRuntime:
    """Everything a first start needs, done once per machine: fetch the jars, record the start cache.

    Raises `FetchError`, `JarsRefusedError` and `MissingExtraError`. Afterwards no network is needed.
    """
    runtime = find_runtime(console)
    if not runtime.start_cache.exists():
        with cache_lock(runtime.start_cache):
            if not runtime.start_cache.exists():
                _record_start(runtime, console or Console(quiet=True))
    return runtime


def _record_start(runtime: KafkaRuntime, console: Console) -> None:
    """Start and stop a broker, recording the classes it loads; the recording gets its name when it is complete.

    Without it all works, only slower: a failure is reported on `console` and goes no further.
    """
    with tempfile.TemporaryDirectory(dir=runtime.start_cache.parent, prefix="recording-") as folder:
        recording = Path(folder) / "start.aot"
        kafka = EmbeddedKafka(runtime=replace(runtime, start_cache=recording, record=True))
        try:
            with console.status("Preparing quick starts of Kafka (once, about 10 s)"):
                kafka.start()
                kafka.stop(_RECORD_SECONDS)
                recording.rename(runtime.start_cache)
        except (EmbeddedError, OSError) as error:
            console.print(f"Quick starts could not be prepared; Kafka starts all the same. {error}", markup=False)
        finally:
            kafka.kill()
            kafka.close()


def _cluster_id() -> str:
    """A random id as Kafka writes them: 16 bytes in 22 characters; no leading dash, which would look like an option."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
