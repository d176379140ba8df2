"""What is new, told to every page that looks: one watch on the history and on the feeds, a bounded queue for each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog

from stream.errors import StoreError
from stream.stores.base import Champion
from stream.stores.control import Standing
from stream.stores.hints import Hints
from stream.web.errors import Refused
from stream.web.parts import Parts

log = structlog.get_logger()

QUEUED: Final = 256
"""Events that may wait for one client. One that is further behind is dropped, and may come again."""
SILENCE: Final = 15.0
"""Seconds without an event after which a comment is sent, so that nobody takes the connection for dead."""

_LOOK_SECONDS: Final = 1.0
_STAGES_SECONDS: Final = 2.0  # between two looks at whether drifts recover, which cost more
_FIRST_LOOK_SECONDS: Final = 5.0  # for which a client that comes waits for the first look, which may be a long one


class _Watch:
    """One watch on what is looked at anew again and again, for as long as somebody looks."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.begun = asyncio.Event()
        """Set once all have looked: from then on what changes is told."""
        self._missing = {"store", "stages"}

    def looked(self, at: str) -> None:
        """One has looked, or tried to. Called in the event loop."""
        self._missing.discard(at)
        if not self._missing:
            self.begun.set()


class Hub:
    """Spreads events to the streams that are open. Its methods are the event loop's, but `tell`, which is anybody's.

    History and store are watched only while somebody looks.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._feeds = parts.feeds
        self._most = parts.config.http.limits.streams
        self._queues: dict[asyncio.Queue[bytes | None], int | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deafen: Callable[[], None] | None = None
        self._watching: _Watch | None = None

    def open(self) -> None:
        """Begin to listen; called in the event loop."""
        self._loop = asyncio.get_running_loop()
        if self._feeds is not None:
            self._deafen = self._feeds.listen(self.tell)

    def close(self) -> None:
        """End all streams. May be called twice."""
        if self._deafen is not None:
            self._deafen()
            self._deafen = None
        self._stop_watching()
        for queue in list(self._queues):
            _end(queue)
        self._loop = None

    def tell(self, kind: str, value: Any) -> None:
        """Send an event to all streams. From any thread."""
        self._hand_over(written(kind, value), every=True)

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self._queues)

    async def stream(self, partition: int | None) -> AsyncIterator[bytes]:
        """Events for one client, of all partitions together or of one. Raises Refused when too many are open."""
        if len(self._queues) >= self._most:
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{self._most} live pages are open already.",
                "Close one, or raise http.limits.streams.",
                {"Retry-After": "10"},
            )
        return self._events(partition)

    async def _events(self, partition: int | None) -> AsyncIterator[bytes]:
        # Entered here and not before: a client that is gone already never begins, and so would never leave.
        if self._loop is None or len(self._queues) >= self._most:
            return
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUED)
        self._queues[queue] = partition
        watch = self._watch()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(watch.begun.wait(), _FIRST_LOOK_SECONDS)
            yield b": driftline\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), SILENCE)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if event is None:
                    return
                yield event
        finally:
            self._queues.pop(queue, None)
            if not self._queues:
                self._stop_watching()

    def _hand_over(self, event: bytes, partition: int | None = None, *, every: bool = False) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._spread, event, partition, every)

    def _spread(self, event: bytes, partition: int | None, every: bool) -> None:
        for queue, wanted in list(self._queues.items()):
            if not every and wanted != partition:
                continue
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                log.info("live_page_dropped", reason="it takes events slower than they come")
                self._queues.pop(queue)
                _end(queue)

    def _watch(self) -> _Watch:
        if self._watching is not None:
            return self._watching
        watch = self._watching = _Watch()
        for name, follow in (
            ("history", self._follow_history),
            ("store", self._follow_store),
            ("stages", self._follow_stages),
        ):
            threading.Thread(target=_logged, args=(follow, watch), name=f"driftline-live-{name}", daemon=True).start()
        return watch

    def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.stop.set()
            self._watching.begun.set()  # whoever waits for that need not any more
            self._watching = None

    def _looked(self, watch: _Watch, at: str) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(watch.looked, at)

    def _follow_history(self, watch: _Watch) -> None:
        if self._parts.history is not None:
            for column in self._parts.history.watch(watch.stop):
                self._hand_over(written("point", column.point), column.partition)

    def _follow_stages(self, watch: _Watch) -> None:
        """Tell of drifts that begin to recover."""
        while not watch.stop.is_set():
            with suppress(StoreError):  # it is tried again
                if self._feeds is not None:
                    self._feeds.look()
            self._looked(watch, "stages")
            watch.stop.wait(_STAGES_SECONDS)

    def _follow_store(self, watch: _Watch) -> None:
        """Tell of each change of the champion, and of each pause and its end."""
        store, name = self._parts.store, self._parts.config.model.name
        champion: Champion | None = None
        standing: Standing | None = None
        hints: Hints | None = None
        while not watch.stop.is_set():
            try:
                hints = hints or store.hints()
                before, champion = champion, store.champion(name)
                if champion is not None and before is not None and champion != before:
                    self.tell("champion", champion)
                earlier, standing = standing, store.control.now()
                if earlier is not None and standing != earlier:
                    self.tell("control", control_of(standing))
                self._looked(watch, "store")
                hints.wait(_LOOK_SECONDS)
            except StoreError:  # whoever asks for something is told; here it is tried again
                self._looked(watch, "store")
                if hints is not None:
                    hints.close()
                hints = None
                watch.stop.wait(_LOOK_SECONDS)
        if hints is not None:
            hints.close()


def control_of(standing: Standing) -> dict[str, Any]:
    """How a pause is told, by `/v1/overview` and on the live stream."""
    pause = standing.pause
    return {"paused": None if pause is None else {"who": pause.who, "when": pause.since, "reason": pause.reason}}


def written(kind: str, value: Any) -> bytes:
    """A server-sent event. JSON has no line breaks of its own."""
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(value) + b"\n\n"


def _logged(follow: Callable[[_Watch], None], watch: _Watch) -> None:
    try:
        follow(watch)
    except Exception:
        log.exception("live_failed")


def _end(queue: asyncio.Queue[bytes | None]) -> None:
    """What waits is not sent any more."""
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)
