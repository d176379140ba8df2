"""The processes of one run, and the watch on them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from stream.config.load import load
from stream.demo.child import Child
from stream.demo.picture import NEW_YORK, Picture, Stretch
from stream.demo.place import DemoError, Place, Where
from stream.demo.watch import Watch
from stream.embedded.box import Box
from stream.embedded.ports import free_port
from stream.interruption import Interruption
from stream.kafka.client import admin
from stream.kafka.topics import ensure_topics

YEAR: Final = datetime(2013, 1, 1, tzinfo=NEW_YORK)
DAYS: Final = 365
PARTITIONS: Final = 2
MAX_LAG: Final = 5_000
"""Records that the service may be behind before the simulator waits for it."""

_TURN_SECONDS = 0.2
_STALLED_SECONDS = 30.0
_SERVICE_SECONDS = 15.0
_SIMULATOR_SECONDS = 3.0
_LAST_SECONDS = 1.3


class Options(NamedTuple):
    """What may be chosen. `speed` is simulated seconds per second, or `max`; `flights` and `days` end it early."""

    speed: str
    flights: int | None = None
    days: int | None = None
    data_dir: Path | None = None
    keep: bool = False
    plain: bool = False


class Session:
    """Runs the service and the simulator against a box, from entering to leaving.

    Raises DriftlineError when something cannot start.
    """

    def __init__(self, options: Options, place: Place, box: Box) -> None:
        port = free_port()
        env = place.settings(box.bootstrap_servers, box.redis_url, port)
        config = load(place.config, env)
        with closing(admin(config.kafka)) as client:
            ensure_topics(client, config.topics, PARTITIONS)
        begin, end = YEAR, YEAR + timedelta(days=options.days or DAYS)
        simulate = ["simulate", "flights", "-c", str(place.config), "--plain", "--speed", options.speed]
        simulate += ["--max-lag", str(MAX_LAG), "--end", end.astimezone(UTC).isoformat()]
        if options.flights is not None:
            simulate += ["--events", str(options.flights)]
        self._box = box
        with ExitStack() as stack:
            self._service = Child("service", ["run", "-c", str(place.config), "--log-format", "json"], place, env)
            stack.callback(self._service.stop, _SERVICE_SECONDS)
            self._simulator = Child("simulator", simulate, place, env)
            stack.callback(self._simulator.kill)
            self.picture = Picture(Stretch(begin.timestamp(), end.timestamp(), options.flights))
            self._watch = Watch(config, port, self.picture)
            stack.callback(self._watch.close)
            self._close = stack.pop_all().close
        self.where = Where(
            kafka=box.bootstrap_servers,
            redis=box.redis_url,
            page_url=f"http://127.0.0.1:{port}/",
            env=place.env,
            log=self._service.log,
            model=config.model.name,
        )

    @property
    def played(self) -> bool:
        """Whether the simulator has come to its end. Raises DemoError when it failed."""
        return self._simulator.finished()

    def turn(self) -> None:
        """Watch for a moment. Raises DriftlineError when a process has ended by itself."""
        self._watch.turn(_TURN_SECONDS)
        if self._service.finished():
            raise DemoError(f"The service ended by itself. Its log is {self._service.log}.")
        for server in (self._box.kafka, self._box.valkey):
            if not server.running:
                raise DemoError(server.describe_end())

    def conclude(self) -> None:
        """Send nothing more, give what is on its way (a second's scores too) time to arrive, and take a last look."""
        self._simulator.stop(_SIMULATOR_SECONDS)
        self._watch.turn(_LAST_SECONDS)
        self._watch.look()
        self.picture.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()


def watch_to_the_end(session: Session, interruption: Interruption, show: Callable[[], None]) -> bool:
    """Watch until all that was sent is accounted for, nothing moves any more, or somebody asks to stop.

    `show` is called after each look. Returns whether all was sent and accounted for.
    """
    moved_at, last = time.monotonic(), -1
    while not interruption.asked:
        session.turn()
        show()
        picture = session.picture
        ended = picture.metrics.ended("events") + picture.metrics.ended("labels") + picture.predictions
        if ended != last:
            moved_at, last = time.monotonic(), ended
        if session.played and (picture.complete or time.monotonic() - moved_at > _STALLED_SECONDS):
            return picture.complete
    return False
