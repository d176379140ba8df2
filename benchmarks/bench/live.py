"""A live stream: events and labels sent at a steady rate, and predictions received, by processes of their own."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Flag
from types import TracebackType
from typing import Self

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from bench.models import SPAN, rows
from bench.place import Stream

CONTEXT = multiprocessing.get_context("spawn")
_DISTINCT = 5_000
_TICK = 0.003
"""Time between two bursts of events: each makes work for everybody on the way, however few it holds."""
_MOST = 100
"""Most events of a tick."""
_WAITING = 10_000
"""Records on their way to the broker above which a sender pauses."""
_ANSWER = 30.0


class Sender:
    """Sends `rate` events a second as long as its block lasts, to the partitions in turn, and the label of each when
    `SPAN` more have gone by; as many as it can at an infinite rate. The time of an event is taken right before it is
    sent.
    """

    def __init__(self, address: str, stream: Stream, rate: float) -> None:
        self._stop = CONTEXT.Event()
        self._process = CONTEXT.Process(target=_send, args=(address, stream, rate, self._stop), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._process.join()


class Receiver:
    """Reads the committed predictions of a topic from its end on; ready when its block begins."""

    def __init__(self, address: str, topic: str) -> None:
        self._stop = CONTEXT.Event()
        self._queue: Queue[list[tuple[float, float]]] = CONTEXT.Queue()
        self._process = CONTEXT.Process(target=_receive, args=(address, topic, self._queue, self._stop), daemon=True)

    def received(self) -> list[tuple[float, float]]:
        """End it; the time each prediction's event has, and the time at which the prediction was there."""
        self._stop.set()
        return self._queue.get(timeout=_ANSWER)

    def __enter__(self) -> Self:
        self._process.start()
        self._queue.get(timeout=_ANSWER)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if error is not None:
            self._process.terminate()
        self._process.join()


class _Prediction(msgspec.Struct):
    ts: float


def _send(address: str, stream: Stream, rate: float, stop: Flag) -> None:
    xs, ys = rows(_DISTINCT)
    encode = msgspec.json.Encoder().encode
    producer = Producer({"bootstrap.servers": address, "linger.ms": 0, "acks": 1, "log_level": 0})
    assert stream.labels is not None
    began, n = time.monotonic(), 0
    while not stop.is_set():
        due = min((time.monotonic() - began) * rate, n + _MOST)
        while n < due:
            event = {"id": f"e{n}", "ts": time.time(), **xs[n % _DISTINCT]}
            producer.produce(stream.events, encode(event), b"k", n % stream.partitions)
            if n >= SPAN:
                label = {"id": f"e{n - SPAN}", "label": ys[(n - SPAN) % _DISTINCT]}
                producer.produce(stream.labels, encode(label), b"k", (n - SPAN) % stream.partitions)
            n += 1
        producer.poll(0)
        time.sleep(_TICK)
        while len(producer) > _WAITING:
            producer.poll(_TICK)
    producer.flush(_ANSWER)


def _receive(address: str, topic: str, queue: Queue[list[tuple[float, float]]], stop: Flag) -> None:
    consumer = Consumer(
        {"bootstrap.servers": address, "group.id": "receiver", "isolation.level": "read_committed", "log_level": 0}
    )
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=_ANSWER)
    consumer.assign([TopicPartition(topic, 0, end)])
    decode = msgspec.json.Decoder(_Prediction).decode
    seen: list[tuple[float, float]] = []
    queue.put([])
    while not stop.is_set():
        first = consumer.poll(0.1)
        if first is None:
            continue
        messages = [first, *consumer.consume(1000, 0.0)]
        now = time.time()
        seen += [(decode(message.value() or b"").ts, now) for message in messages if message.error() is None]
    queue.put(seen)
    consumer.close()
