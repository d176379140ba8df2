"""Puts a service together from its configuration and runs it until it is asked to stop."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Protocol

import structlog

from stream.basis import Basis
from stream.config.model import Config
from stream.config.trust import require_signing, trust_of
from stream.errors import StoreError
from stream.history.recorder import Recorder
from stream.kafka.champions import Champions
from stream.kafka.client import make_log_reader
from stream.kafka.delivery import delivery_of
from stream.kafka.opening import Opener
from stream.kafka.snapshots import Snapshots
from stream.kafka.worker import Worker
from stream.stores.opening import open_basis, open_history, open_snapshots, open_store
from stream.stores.watch import ChampionWatcher
from stream.telemetry import Telemetry
from stream.web.server import Server
from stream.web.wiring import application
from stream.webhooks.following import Webhooks

if TYPE_CHECKING:
    from stream.tracing import Traces

log = structlog.get_logger()

CLOSE_TIMEOUT = 5.0
"""Longest wait, in seconds, for the last snapshots to be stored, and for the last of the history."""
GC_THRESHOLDS = (50_000, 20, 50)
SWITCH_INTERVAL = 0.0005
"""See `tune_the_interpreter`."""


class Service:
    """One worker with its web application and its watch on the models. Raises ConfigError when it cannot be built, and
    ModelError for a profile that cannot be trusted.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._stop = threading.Event()
        self._traces = _traces_of(config)
        self._telemetry = Telemetry(config.model.name, self._traces)
        basis = open_basis(config)
        _look_at_profile(basis)
        store = open_store(config)
        trust = trust_of(config.security)
        require_signing(trust)
        self._watcher = ChampionWatcher(store, config.model.name, config.redis.poll_interval, telemetry=self._telemetry)
        champions = Champions(config, store, self._watcher, self._telemetry)
        self._snapshots = Snapshots(basis, open_snapshots(config), trust, self._telemetry)
        opener = Opener(
            basis,
            self._snapshots,
            self._telemetry,
            partial(store.artifact, config.model.name),
            lambda: make_log_reader(config.kafka),
        )
        deliver = partial(delivery_of, config)
        history = open_history(config)
        self._history = None if history is None else Recorder(basis, history, self._telemetry)
        self._worker = Worker(config, champions, self._snapshots, opener, self._telemetry, deliver, self._history)
        self._webhooks = Webhooks(config, self._telemetry)
        app = application(config, store, self._telemetry, self._worker.status)
        self._http = Server(app, config.http)
        if self._history is not None:
            self._history.address = f"{config.http.host}:{self._http.port}"

    def run(self) -> None:
        """Serve until `stop` is called. Raises BrokerError when the topics are not as they must be."""
        self._http.start()
        self._watcher.start()
        self._watcher.refresh(self.config.redis.timeout)  # a worker that is to pause takes nothing before it knows
        log.info(
            "starting",
            app=self.config.app,
            model=self.config.model.name,
            page=self.url,
            http_port=self.http_port,
            waits_for=f"Kafka at {self.config.kafka.bootstrap_servers}",
        )
        try:
            self._worker.run(self._stop, self._started)
        finally:
            self._webhooks.stop()
            self._snapshots.close(CLOSE_TIMEOUT)
            if self._history is not None:
                self._history.close(CLOSE_TIMEOUT)
            self._watcher.stop()
            self._http.stop()
            if self._traces is not None:
                self._traces.close()
            log.info("stopped", app=self.config.app)

    def _started(self) -> None:
        self._webhooks.start()
        log.info("started", app=self.config.app, model=self.config.model.name, page=self.url, http_port=self.http_port)

    @property
    def http_port(self) -> int:
        """The port of the page, the API, /metrics, /healthz and /readyz."""
        return self._http.port

    @property
    def url(self) -> str:
        """The address of the page."""
        return self._http.url

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Finish what is begun and return from `run`. May be called from any thread or signal handler."""
        self._stop.set()


def _traces_of(config: Config) -> Traces | None:
    """What traces are sent by; None where they are not asked for: nothing of OpenTelemetry is imported then."""
    if config.tracing is None:
        return None
    from stream.tracing import Traces

    return Traces(config.tracing, config.app)


def _look_at_profile(basis: Basis) -> None:
    """What is wrong with the profile is said before anything starts; a store that is away is waited for."""
    try:
        _ = basis.profile
    except StoreError as error:
        log.warning("profile_not_read", error=error.message)


class Stoppable(Protocol):
    """What runs until it is asked to stop."""

    @property
    def stopping(self) -> bool:
        """Whether it was asked to."""

    def stop(self) -> None:
        """Ask it to. May be called from any thread or signal handler."""


def stop_on_signals(service: Stoppable) -> None:
    """Ctrl-C and SIGTERM stop in order; a second one stops at once (what was not committed comes again)."""

    def handle(number: int, frame: FrameType | None) -> None:
        if service.stopping:
            os._exit(128 + number)
        service.stop()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)


def tune_the_interpreter() -> None:
    """Have Python look for cycles seldom, and never among what is there already; and its threads take turns oftener.

    A worker makes thousands of objects a second and keeps many of them for a while, with hardly a cycle among them.
    At Python's own thresholds looking for some takes a third of its time (see `benchmarks/throughput.py`). And each
    time a commit comes back from the network it waits for its turn: 5 ms, left to Python, several times per commit.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    sys.setswitchinterval(SWITCH_INTERVAL)
