"""Asking for a prediction and waiting for it. The event goes through Kafka like any other (docs/predict.md).

It is produced to the events topic, keyed, and the prediction of its id is waited for on the predictions topic, from
where that ended before. So the worker that owns the partition answers, with the champion of that moment, exactly once,
and the event's label finds it.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from stream.config.model import Config
from stream.decode import EventDecoder
from stream.errors import BrokerError, DataError
from stream.kafka.client import PRODUCER_MAX_BYTES, Outgoing, Producer, make_producer
from stream.kafka.sender import Sender
from stream.records import RawRecord, Rejected
from stream.refusal import MALFORMED_JSON
from stream.schema import MAX_ID
from stream.web.feeds.lookup import TookTooLong, TooMany
from stream.web.feeds.reading import readable
from stream.web.feeds.tail import Standing, Tail, Take

MOST_WAITING: Final = 200
"""Requests that wait for their predictions at once."""
IDLE_SECONDS: Final = 60.0
"""Time without a request after which the predictions topic is no longer followed."""

_OF_THE_PAST: Final = 3600.0  # seconds behind the clock from which an event, or a stream, is of another time
_SENDING: Final = 4
_KEY: Final = "key"
_TOO_LARGE: Final = "too_large"
_BAD_KEY: Final = "bad_key"


class NotAnEvent(DataError):
    """What was sent is no event of this service: `reason` is that with which it would be a dead letter."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message, "Send it as `events` of the configuration describes it: GET /v1/config.")
        self.reason = reason


class Asked(NamedTuple):
    """An event to be predicted: its id as the prediction will carry it, the record that it is, and its own time in
    seconds since the epoch, if it says one.
    """

    id: str
    record: Outgoing
    time: float | None


class Answer(NamedTuple):
    """A prediction as it stands on the topic."""

    value: bytes
    partition: int
    offset: int


class Follower(Protocol):
    """What hands over the records of a topic: see `Tail`."""

    positioned: threading.Event

    @property
    def standing(self) -> Standing: ...

    def start(self) -> Any: ...

    def stop(self) -> None: ...


class Gateway:
    """Asks for predictions, on behalf of one service's callers. One tail serves all that wait; it is there only while
    somebody has asked lately. `ask` is for one event loop, the rest for any thread.
    """

    def __init__(
        self,
        config: Config,
        connect: Callable[[], Producer] | None = None,
        follow: Callable[[Take], Follower] | None = None,
        stream_time: Callable[[], float | None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._events = config.topics.events
        self._id_path = config.events.id.split(".")
        self._decoder = EventDecoder(config)
        self._sender = Sender(connect or partial(make_producer, config.kafka))
        self._says_time = config.events.time is not None
        self._stream_time = stream_time
        self._clock = clock
        self._follow = follow or partial(Tail, config.kafka, config.topics.predictions, "end")
        self._id_of = msgspec.json.Decoder(_Id).decode
        self._pool = ThreadPoolExecutor(_SENDING, "driftline-predict")
        self._lock = threading.Lock()
        # Guarded by _lock:
        self._waiting: dict[str, list[Future[Answer]]] = {}
        self._tail: Follower | None = None
        self._rest: threading.Timer | None = None

    def read(self, body: bytes) -> Asked:
        """The event in a request's body, as it would stand on the topic, with an id of its own if it has none.

        Its key is the text under `key`, or else its id. Raises NotAnEvent.
        """
        row = _object(body)
        if row is not None and _get(row, self._id_path) is None and _put(row, self._id_path, uuid.uuid4().hex):
            body = msgspec.json.encode(row)
        if len(body) > PRODUCER_MAX_BYTES:
            raise NotAnEvent(_TOO_LARGE, f"the event has {len(body):,} bytes; expected at most {PRODUCER_MAX_BYTES:,}.")
        (event,) = self._decoder.decode([_Offered(body, self._events)])
        if isinstance(event, Rejected):
            raise NotAnEvent(event.reason, event.message.partition(": ")[2])
        if row is None:  # the decoder skips fields that nobody declared, the key among them
            raise NotAnEvent(MALFORMED_JSON, "a field that is not declared holds what cannot be read.")
        key = row.get(_KEY)
        if key is None:
            key = event.id
        if not isinstance(key, str) or not 0 < len(key) <= MAX_ID:
            raise NotAnEvent(_BAD_KEY, f"'{_KEY}' is the record's key; expected text of 1 to {MAX_ID} characters.")
        return Asked(event.id, Outgoing(self._events, key.encode(), body, []), event.time if self._says_time else None)

    async def ask(self, asked: Asked, seconds: float) -> Answer:
        """Produce the event and return its prediction, as soon as that is committed.

        Raises TooMany; TookTooLong when none has come within so many seconds (it may still come); BrokerError when
        the event could not be produced.
        """
        future: Future[Answer] = Future()
        deadline = time.monotonic() + seconds
        self._expect(asked.id, future)
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._send, asked, deadline)
            return await asyncio.wait_for(asyncio.wrap_future(future), max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise TookTooLong(
                f"The event {asked.id!r} was produced; no prediction of it has come within {seconds:g} s.",
                f"Ask for it later: GET /v1/predictions/{asked.id}. None is made of an id that was predicted before, "
                "nor while no worker runs or the service is paused.",
            ) from None
        finally:
            self._forget(asked.id, future)

    def close(self) -> None:
        """Let go of the broker. Whoever waits still gets no answer."""
        with self._lock:
            tail, timer = self._tail, self._rest
            self._tail = self._rest = None
        if timer is not None:
            timer.cancel()
        if tail is not None:
            tail.stop()
        self._sender.close(2.0)
        self._pool.shutdown(wait=False, cancel_futures=True)

    # sending

    def _send(self, asked: Asked, deadline: float) -> None:
        tail = self._followed()
        if not tail.positioned.wait(max(0.0, deadline - time.monotonic())):
            raise BrokerError(f"The event was not produced: the predictions cannot be read: {tail.standing.trouble}.")
        try:
            self._sender.send(asked.record._replace(at=self._at(asked)), max(0.1, deadline - time.monotonic()))
        except BrokerError as error:
            raise BrokerError(
                f"The event could not be produced: {error.message}", "See that Kafka is up, and try again."
            ) from error

    def _at(self, asked: Asked) -> int | None:
        """The time of the record, in milliseconds: None for that of the moment, as any producer's has.

        A stream that is replayed has the time of its records. One of today would bring all of it to today: what waits
        for labels would be given up, and blocks of days would end. So an event of the past is of that stream's time.
        """
        latest = self._clock() - _OF_THE_PAST
        if asked.time is None or asked.time >= latest:
            return None
        reached = self._stream_time()
        return round(reached * 1000) if reached is not None and reached < latest else None

    def _followed(self) -> Follower:
        with self._lock:
            if self._tail is None:
                self._tail = self._follow(self._match)
                self._tail.start()
            return self._tail

    # waiting

    def _expect(self, id_: str, future: Future[Answer]) -> None:
        with self._lock:
            if sum(map(len, self._waiting.values())) >= MOST_WAITING:
                raise TooMany(f"{MOST_WAITING} requests wait for their predictions.", "Ask again in a few seconds.")
            self._waiting.setdefault(id_, []).append(future)
            if self._rest is not None:
                self._rest.cancel()
                self._rest = None

    def _forget(self, id_: str, future: Future[Answer]) -> None:
        with self._lock:
            futures = self._waiting.get(id_, [])
            if future in futures:
                futures.remove(future)
            if not futures:
                self._waiting.pop(id_, None)
            if not self._waiting and self._tail is not None and self._rest is None:
                self._rest = threading.Timer(IDLE_SECONDS, self._idle)
                self._rest.daemon = True
                self._rest.start()

    def _idle(self) -> None:
        """Nobody has asked for a while."""
        with self._lock:
            if self._waiting or self._tail is None:
                return
            tail, self._tail, self._rest = self._tail, None, None
        tail.stop()

    def _match(self, records: Sequence[RawRecord]) -> None:
        """Give those that wait what has come for them."""
        for record, prediction in readable(records, self._id_of):
            if not self._waiting:
                return
            with self._lock:
                futures = self._waiting.pop(prediction.id, [])
            for future in futures:
                with suppress(InvalidStateError):  # whoever waited has just gone
                    future.set_result(Answer(record.value or b"", record.partition, record.offset))


class _Id(msgspec.Struct):
    """Of a prediction, what says whose it is."""

    id: str


class _Offered(NamedTuple):
    """An event that is on no topic yet, as the decoder takes it."""

    value: bytes
    topic: str
    partition: int = 0
    offset: int = 0
    timestamp: int = -1
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def _object(body: bytes) -> dict[str, Any] | None:
    """The body as an object; None if it is none, which the decoder says in its words."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _get(row: dict[str, Any], path: Sequence[str]) -> Any:
    node: Any = row
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _put(row: dict[str, Any], path: Sequence[str], value: str) -> bool:
    """Write a value at a path; whether there is room for it."""
    node = row
    for part in path[:-1]:
        inner = node.get(part)
        if inner is None:
            inner = node[part] = {}
        if not isinstance(inner, dict):
            return False
        node = inner
    node[path[-1]] = value
    return True
