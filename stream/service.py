"""Puts a service together from its configuration and runs it until it is asked to stop."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from functools import partial
from types import FrameType

import structlog

from stream.basis import Basis
from stream.config.model import Config
from stream.errors import StoreError
from stream.kafka.champions import Champions
from stream.kafka.client import make_log_reader
from stream.kafka.delivery import delivery_of
from stream.kafka.opening import Opener
from stream.kafka.snapshots import Snapshots
from stream.kafka.worker import Worker
from stream.stores.opening import open_basis, open_snapshots, open_store, trusted_keys
from stream.stores.watch import ChampionWatcher
from stream.telemetry import Telemetry
from stream.web.http import HttpServer

log = structlog.get_logger()

CLOSE_TIMEOUT = 5.0
"""Longest wait, in seconds, for the last snapshots to be stored."""
GC_THRESHOLDS = (50_000, 20, 50)
SWITCH_INTERVAL = 0.0005
"""See `tune_the_interpreter`."""


class Service:
    """One worker with its HTTP server and its watch on the model store. Raises ConfigError when it cannot be built."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._stop = threading.Event()
        self._telemetry = Telemetry(config.model.name)
        basis = open_basis(config)
        _look_at_profile(basis)
        store = open_store(config)
        key, keys = trusted_keys(config.security)
        self._watcher = ChampionWatcher(store, config.model.name, config.redis.poll_interval, telemetry=self._telemetry)
        champions = Champions(config, store, self._watcher, self._telemetry)
        self._snapshots = Snapshots(basis, open_snapshots(config), key, keys, self._telemetry)
        opener = Opener(
            basis,
            self._snapshots,
            self._telemetry,
            partial(store.artifact, config.model.name),
            lambda: make_log_reader(config.kafka),
        )
        deliver = partial(delivery_of, config)
        self._worker = Worker(config, champions, self._snapshots, opener, self._telemetry, deliver)
        self._http = HttpServer(config.http.host, config.http.port, self._telemetry, self._worker.status)

    def run(self) -> None:
        """Serve until `stop` is called. Raises BrokerError when the topics are not as they must be."""
        self._http.start()
        self._watcher.start()
        log.info(
            "starting",
            app=self.config.app,
            model=self.config.model.name,
            http_port=self.http_port,
            waits_for=f"Kafka at {self.config.kafka.bootstrap_servers}",
        )
        try:
            self._worker.run(self._stop, self._started)
        finally:
            self._snapshots.close(CLOSE_TIMEOUT)
            self._watcher.stop()
            self._http.stop()
            log.info("stopped", app=self.config.app)

    def _started(self) -> None:
        log.info("started", app=self.config.app, model=self.config.model.name, http_port=self.http_port)

    @property
    def http_port(self) -> int:
        """The port of /metrics, /healthz and /readyz."""
        return self._http.port

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Finish what is begun and return from `run`. May be called from any thread or signal handler."""
        self._stop.set()


def _look_at_profile(basis: Basis) -> None:
    """What is wrong with the profile is said before anything starts; a store that is away is waited for."""
    try:
        _ = basis.profile
    except StoreError as error:
        log.warning("profile_not_read", error=error.message)


def stop_on_signals(service: Service) -> None:
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
