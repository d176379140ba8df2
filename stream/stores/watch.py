"""Keeps a worker at the champion: listens for hints, polls in case one was lost, and verifies before it hands over.

All waiting for Redis, fetching and verifying happens in the watcher's own thread. The worker's loop only takes what is
ready, so that a Redis that is down, hanging or wiped never holds up a prediction.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from learners.artifacts import Incompatible, Untrusted
from stream.errors import StoreError
from stream.log import masked
from stream.stores.base import GLOBAL, Champion, Loaded, UnknownVersion
from stream.stores.control import Pause
from stream.stores.entrants import Entrants, Field
from stream.stores.hints import Hints
from stream.stores.registry import ModelStore
from stream.telemetry import Telemetry

log = structlog.get_logger()

MAX_BACKOFF = 15.0
"""Longest pause between two tries while Redis is down, in seconds."""

_SLICE = 0.1  # how long a hint is waited for before `wake` and `stop` are heard, in seconds


class ChampionWatcher:
    """Watches one model's champion, its challengers from outside, and whether workers are to pause, from a daemon
    thread; every method may be called from any other thread.

    A model that is refused (unsigned, altered, unknown) is logged and counted once, and what serves goes on serving;
    the watcher looks at it again only when the champion changes. Redis going away and coming back is one log line each.
    """

    def __init__(
        self,
        store: ModelStore,
        name: str,
        poll_interval: float,
        *,
        scope: str = GLOBAL,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.name = name
        self._store = store
        self._scope = scope
        self._poll_interval = poll_interval
        self._telemetry = telemetry
        self._entrants = Entrants(store, name, telemetry)
        self._state = threading.Condition()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="driftline-champion", daemon=True)
        self._pause: Pause | None = None
        # Guarded by _state:
        self._champion: Champion | None = None
        self._latest: Loaded | None = None
        self._untaken: Loaded | None = None
        self._healthy = False
        self._store_error: str | None = None
        self._model_error: str | None = None
        self._begun = self._ended = 0
        # The thread's own:
        self._hints: Hints | None = None
        self._settled: Champion | None = None
        self._complaint: object = None
        self._down_since: float | None = None

    def start(self) -> ChampionWatcher:
        """Begin watching."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop watching. Waits for the thread no longer than one answer of Redis may take."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=MAX_BACKOFF)

    def take(self) -> Loaded | None:
        """The newest champion that was verified and not taken yet. Never waits."""
        with self._state:
            taken, self._untaken = self._untaken, None
        return taken

    @property
    def has_news(self) -> bool:
        """Whether there is something to `take`. Costs nothing."""
        return self._untaken is not None

    @property
    def latest(self) -> Loaded | None:
        """The newest champion that was verified, taken or not: what a task that starts now should serve with."""
        with self._state:
            return self._latest

    @property
    def champion(self) -> Champion | None:
        """The champion as last seen in the store, whether or not its artifact could be used."""
        with self._state:
            return self._champion

    @property
    def field(self) -> Field | None:
        """The challengers from outside as last seen in the store; None before the first look."""
        return self._entrants.field

    @property
    def pause(self) -> Pause | None:
        """Who had workers pause, as last seen in the store; None: they are to work."""
        return self._pause

    @property
    def healthy(self) -> bool:
        """Whether the store answered when it was last asked. False before the first answer."""
        with self._state:
            return self._healthy

    @property
    def last_error(self) -> str | None:
        """What is wrong now: the store is away, or its champion is missing or refused. None when all is well."""
        with self._state:
            return self._store_error or self._model_error

    def wake(self) -> None:
        """Look at the store soon, without waiting for a hint or the next poll."""
        self._wake.set()

    def refresh(self, timeout: float) -> bool:
        """Look at the store now and wait until that look has ended, well or badly; False if it takes too long."""
        with self._state:
            wanted = self._begun + 1
            self._wake.set()
            return self._state.wait_for(lambda: self._ended >= wanted, timeout)

    # the thread

    def _run(self) -> None:
        backoff = self._poll_interval
        while not self._stopping.is_set():
            self._wake.clear()
            with self._state:
                self._begun += 1
            well = self._survives(self._look, backoff)
            with self._state:
                self._ended = self._begun
                self._state.notify_all()
            if well and self._survives(self._wait_for_hint, backoff):
                backoff = self._poll_interval
            else:
                self._wake.wait(backoff)
                backoff = max(self._poll_interval, min(2 * backoff, MAX_BACKOFF))
        self._unsubscribe()

    def _survives(self, step: Callable[[], None], backoff: float) -> bool:
        """Take a step; whether it went well. Nothing ends the thread: without it an old model would serve unnoticed."""
        try:
            step()
        except StoreError as error:
            self._unanswered(error.message, backoff)
            return False
        except Exception:
            log.exception("champion_watch_failed", model=self.name)
            self._unanswered("a fault of Driftline: the log has it under champion_watch_failed", backoff)
            return False
        return True

    def _look(self) -> None:
        """Ask for the champion, whether to pause and for the challengers, and load what is another than before. Raises
        StoreError.
        """
        champion = self._store.champion(self.name, self._scope)
        self._answered(champion)
        if champion is None:
            self._note_missing()
        elif champion != self._settled:
            self._load(champion)
        self._pause = self._store.control.now().pause
        self._entrants.look()

    def _load(self, champion: Champion) -> None:
        try:
            loaded = self._store.load_champion(self.name, champion)
        except (Untrusted, Incompatible) as error:
            self._settled = champion
            self._complain("model_refused", champion, error)
            if self._telemetry is not None:
                self._telemetry.add_refused_model()
        except UnknownVersion as error:
            # Not settled: the artifact may be restored, or be on its way from another store.
            self._complain("model_missing", champion, error)
        else:
            self._settled, self._complaint = champion, None
            with self._state:
                self._latest = self._untaken = loaded
                self._model_error = None

    def _note_missing(self) -> None:
        self._settled = None
        with self._state:
            known = self._latest
            self._model_error = (
                None if known is None else f"Redis at {self._store.where} lost the champion of {self.name}"
            )
        if known is not None and self._complaint != "lost":
            self._complaint = "lost"
            log.warning("champion_lost", model=self.name, store=self._store.where, serving=known.version)

    def _complain(self, event: str, champion: Champion, error: Exception) -> None:
        """Say once what is wrong with a champion; it stays the error until the champion is another."""
        text = masked(str(error))
        with self._state:
            self._model_error = text
            serving = 0 if self._latest is None else self._latest.version
        if self._complaint != champion:
            self._complaint = champion
            log.error(
                event, model=self.name, version=champion.version, digest=champion.digest, serving=serving, error=text
            )

    def _answered(self, champion: Champion | None) -> None:
        with self._state:
            self._healthy, self._store_error, self._champion = True, None, champion
        if self._down_since is not None:
            log.info(
                "model_store_back", store=self._store.where, down_seconds=round(time.monotonic() - self._down_since, 1)
            )
        self._down_since = None
        if self._telemetry is not None:
            self._telemetry.set_up("redis", True)

    def _unanswered(self, error: str, retry: float) -> None:
        self._unsubscribe()
        with self._state:
            self._healthy, self._store_error = False, error
            serving = 0 if self._latest is None else self._latest.version
        if self._down_since is None:
            self._down_since = time.monotonic()
            log.warning("model_store_down", store=self._store.where, error=error, serving=serving, retry_seconds=retry)
        if self._telemetry is not None:
            self._telemetry.set_up("redis", False)

    def _wait_for_hint(self) -> None:
        """Wait until a hint comes, somebody wakes us or it is time to poll. Without pub/sub, only the latter two."""
        until = time.monotonic() + self._poll_interval
        if self._hints is None:
            try:
                self._hints = self._store.hints()
            except StoreError:
                self._wake.wait(self._poll_interval)
            return  # a hint before the subscription would have been lost: look once more
        try:
            while not self._wake.is_set() and (left := until - time.monotonic()) > 0:
                if self._hints.wait(min(left, _SLICE)):
                    return
        except StoreError:
            self._unsubscribe()
            self._wake.wait(min(self._poll_interval, 1.0))  # the next look says what is wrong, if it is more than this

    def _unsubscribe(self) -> None:
        if self._hints is not None:
            self._hints.close()
            self._hints = None
