"""The history in Redis (or Valkey): what workers write, and what readers find.

Keys, all under `driftline:{app}:history:`

| key | what |
|---|---|
| `points:{tier}:{partition}` | list: points of a partition, oldest first, at most `history.points` |
| `layout:{id}` | what the packed parts of points are |
| `now` | hash: partition -> newest details |
| `features:{partition}` | hash: feature and which (`reference`, `current`) -> distribution |
| `worker:{id}` | a worker, with a time to live |
| `workers` | sorted set: ids of workers by when they were seen last |
| `live` | channel: points as they are written |

All of it is bounded: by the number of partitions, of features and of points. Of a service that runs no more it is gone
after `KEPT`. It is written as MessagePack, and only by workers of one version or of the next: what cannot be read is
taken for not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec
import redis

from stream.config.history import HistoryConfig
from stream.history.frames import Distribution, Layout, Now, Point, WorkerNow
from stream.history.tiers import TIERS, Tier
from stream.stores.connection import address, as_bytes, as_text, redis_errors
from stream.stores.hints import Hints

KEPT: Final = 14 * 86_400
"""Seconds for which a history is kept that nobody writes any more."""
WORKER_KEPT: Final = 3600
"""Seconds for which a worker that is seen no more, and did not take its leave, is remembered."""

Which: TypeAlias = Literal["reference", "current"]
Told: TypeAlias = tuple[str, Which]
"""A feature, and which of its distributions."""

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder().encode
_point = msgspec.msgpack.Decoder(Point)
_layout = msgspec.msgpack.Decoder(Layout)
_now = msgspec.msgpack.Decoder(Now)
_distribution = msgspec.msgpack.Decoder(Distribution)
_worker = msgspec.msgpack.Decoder(WorkerNow)


class Batch(NamedTuple):
    """What is written at once: points with their series, layouts, newest details, distributions, and the worker."""

    points: Sequence[tuple[Tier, Point]] = ()
    layouts: Sequence[Layout] = ()
    nows: Sequence[Now] = ()
    features: Mapping[int, Mapping[Told, Distribution]] = {}
    worker: WorkerNow | None = None


class Seen(NamedTuple):
    """A worker, and how many seconds ago it was seen, by the store's clock."""

    worker: WorkerNow
    ago: float


class Reach(NamedTuple):
    """How far back a series goes: when its oldest point was made, and whether it has lost none yet."""

    oldest: float
    whole: bool


class HistoryStore:
    """The history of one app. Safe to use from several threads; raises StoreError whenever Redis cannot be had."""

    def __init__(self, client: redis.Redis, app: str, config: HistoryConfig) -> None:
        self.where = address(client)
        self.config = config
        self._redis = client
        self._prefix = f"driftline:{app}:history:"
        self.channel = f"{self._prefix}live"

    # workers write

    def write(self, batch: Batch) -> None:
        """Write a batch, all of it or nothing."""
        with redis_errors(self.where):
            pipe = self._redis.pipeline()
            for layout in batch.layouts:
                pipe.set(f"{self._prefix}layout:{layout.id}", _encode(layout), ex=KEPT)
            for key, points in self._by_key(batch.points).items():
                pipe.rpush(key, *points)
                pipe.ltrim(key, -self.config.points, -1)
                pipe.expire(key, KEPT)
            for tier, point in batch.points:
                if tier is TIERS[0]:
                    pipe.publish(self.channel, _encode(point))
            if batch.nows:
                pipe.hset(f"{self._prefix}now", mapping={str(now.partition): _encode(now) for now in batch.nows})
                pipe.expire(f"{self._prefix}now", KEPT)
            for partition, told in batch.features.items():
                key = f"{self._prefix}features:{partition}"
                pipe.hset(key, mapping={f"{which}:{name}": _encode(one) for (name, which), one in told.items()})
                pipe.expire(key, KEPT)
            if batch.worker is not None:
                pipe.set(self._worker_key(batch.worker.id), _encode(batch.worker), ex=WORKER_KEPT)
                pipe.zadd(f"{self._prefix}workers", {batch.worker.id: batch.worker.seen})
                pipe.zremrangebyscore(f"{self._prefix}workers", "-inf", batch.worker.seen - WORKER_KEPT)
                pipe.expire(f"{self._prefix}workers", KEPT)
            pipe.execute()

    def leave(self, worker: str) -> None:
        """A worker has stopped in order: it is no longer told of."""
        with redis_errors(self.where):
            pipe = self._redis.pipeline()
            pipe.delete(self._worker_key(worker))
            pipe.zrem(f"{self._prefix}workers", worker)
            pipe.execute()

    def _by_key(self, points: Iterable[tuple[Tier, Point]]) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        for tier, point in points:
            found.setdefault(self._points_key(tier, point.partition), []).append(_encode(point))
        return found

    # readers read

    def points(self, wanted: Mapping[tuple[Tier, int], int]) -> dict[tuple[Tier, int], list[Point]]:
        """The newest points of series, at most so many of each, oldest first."""
        with redis_errors(self.where):
            pipe = self._redis.pipeline(transaction=False)
            for (tier, partition), count in wanted.items():
                pipe.lrange(self._points_key(tier, partition), -count, -1)
            answers = pipe.execute()
        return {
            series: [point for one in answer if (point := _read(_point, one)) is not None]
            for series, answer in zip(wanted, answers, strict=True)
        }

    def reach(self, partitions: Sequence[int]) -> dict[tuple[Tier, int], Reach]:
        """How far back the series of these partitions go, those that have points."""
        series = [(tier, partition) for tier in TIERS for partition in partitions]
        with redis_errors(self.where):
            pipe = self._redis.pipeline(transaction=False)
            for tier, partition in series:
                pipe.llen(self._points_key(tier, partition))
                pipe.lindex(self._points_key(tier, partition), 0)
            answers = pipe.execute()
        found: dict[tuple[Tier, int], Reach] = {}
        for where, length, oldest in zip(series, answers[::2], answers[1::2], strict=True):
            if (point := _read(_point, oldest)) is not None:
                found[where] = Reach(point.at, whole=length < self.config.points)
        return found

    def layouts(self, ids: Iterable[str]) -> dict[str, Layout]:
        """The layouts of these ids, as far as they are known."""
        wanted = list(ids)
        if not wanted:
            return {}
        with redis_errors(self.where):
            answers = self._redis.mget([f"{self._prefix}layout:{one}" for one in wanted])
        read = {one: _read(_layout, answer) for one, answer in zip(wanted, answers, strict=True)}
        return {one: layout for one, layout in read.items() if layout is not None}

    def nows(self) -> dict[int, Now]:
        """The newest details of each partition, in their order."""
        with redis_errors(self.where):
            answer = self._redis.hgetall(f"{self._prefix}now")
        found = [now for one in answer.values() if (now := _read(_now, one)) is not None]
        return {now.partition: now for now in sorted(found, key=lambda now: now.partition)}

    def partitions(self) -> list[int]:
        """The partitions that were told of."""
        with redis_errors(self.where):
            return sorted(int(one) for one in self._redis.hkeys(f"{self._prefix}now"))

    def feature(self, name: str, partitions: Sequence[int]) -> dict[int, dict[Which, Distribution]]:
        """What is known of a feature, by partition."""
        kinds: tuple[Which, ...] = ("reference", "current")
        with redis_errors(self.where):
            pipe = self._redis.pipeline(transaction=False)
            for partition in partitions:
                pipe.hmget(f"{self._prefix}features:{partition}", [f"{which}:{name}" for which in kinds])
            answers = pipe.execute()
        return {
            partition: {
                which: told
                for which, one in zip(kinds, answer, strict=True)
                if (told := _read(_distribution, one)) is not None
            }
            for partition, answer in zip(partitions, answers, strict=True)
        }

    def workers(self) -> list[Seen]:
        """The workers that were seen lately, in the order of their ids."""
        with redis_errors(self.where):
            members = self._redis.zrange(f"{self._prefix}workers", 0, -1)
            ids = sorted(as_text(one) for one in members if isinstance(one, bytes | str))
            pipe = self._redis.pipeline(transaction=False)
            for id_ in ids:
                pipe.get(self._worker_key(id_))
                pipe.pttl(self._worker_key(id_))
            answers = pipe.execute() if ids else []
        read = [(_read(_worker, data), left) for data, left in zip(answers[::2], answers[1::2], strict=True)]
        return [Seen(worker, WORKER_KEPT - left / 1000.0) for worker, left in read if worker is not None]

    def listen(self) -> Hints:
        """Subscribe to the points that are written."""
        return Hints(self._redis, self.channel, self.where)

    def _points_key(self, tier: Tier, partition: int) -> str:
        return f"{self._prefix}points:{tier.name}:{partition}"

    def _worker_key(self, id_: str) -> str:
        return f"{self._prefix}worker:{id_}"


def point_of(message: bytes) -> Point | None:
    """The point in a message of the channel; None if there is none."""
    return _read(_point, message)


def _read(decoder: msgspec.msgpack.Decoder[T], data: Any) -> T | None:
    """What was written; None for what is not there, or is none of it."""
    if data is None:
        return None
    try:
        return decoder.decode(as_bytes(data))
    except msgspec.MsgspecError:
        return None
