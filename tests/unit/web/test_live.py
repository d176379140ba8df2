"""The live stream: what is told to whom, and what becomes of those who do not listen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, cast

import pytest

from stream.errors import StoreError
from stream.history.answers import Column
from stream.stores.base import Champion
from stream.stores.registry import ModelStore
from stream.testing import small_config
from stream.web.errors import Refused
from stream.web.live import QUEUED, Hub
from stream.web.parts import Parts
from tests.unit.web.support import Feeds, Store, Trail


class Telling:
    """A history that tells what it is given, from a thread."""

    def __init__(self) -> None:
        self.columns: list[Column] = []
        self.come = threading.Event()
        self.watched = threading.Event()
        self.left = threading.Event()

    def tell(self, *columns: Column) -> None:
        self.columns += columns
        self.come.set()

    def watch(self, stop: threading.Event) -> Iterator[Column]:
        self.watched.set()
        while not stop.is_set():
            self.come.wait(0.01)
            while self.columns:
                yield self.columns.pop(0)
        self.left.set()


class World:
    """A hub with what it watches, for three pages at most."""

    def __init__(self) -> None:
        config = small_config({"http": {"limits": {"streams": 3}}})
        self.history, self.feeds, self.store = Telling(), Feeds(), Store()
        self.parts = Parts(
            config, cast(ModelStore, self.store), Trail(), history=cast(Any, self.history), feeds=self.feeds
        )
        self.hub = Hub(self.parts)


def live(story: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test that is a story of a world whose hub is open until it ends."""

    async def told() -> None:
        world = World()
        world.hub.open()
        try:
            await story(world)
        finally:
            world.hub.close()

    return lambda: asyncio.run(told())


async def events(stream: AsyncIterator[bytes], n: int) -> list[str]:
    """The next events, after the comment with which a stream begins."""
    got: list[str] = []
    async with asyncio.timeout(10):
        while len(got) < n:
            text = (await anext(stream)).decode()
            if not text.startswith(":"):
                got.append(text)
    return got


async def begun(hub: Hub, partition: int | None = None) -> AsyncIterator[bytes]:
    """A stream that has begun."""
    stream = await hub.stream(partition)
    assert await anext(stream) == b": driftline\n\n"
    return stream


@live
async def test_whoever_looks_at_all_or_at_one_partition_gets_its_points(world: World) -> None:
    whole, one = await begun(world.hub), await begun(world.hub, 1)
    world.history.tell(Column(1, {"time": 1.0}), Column(0, {"time": 2.0}), Column(None, {"time": float("nan")}))
    assert await events(whole, 1) == ['event: point\ndata: {"time":null}\n\n']
    assert await events(one, 1) == ['event: point\ndata: {"time":1.0}\n\n']


@live
async def test_alerts_and_the_audit_are_told_to_everybody(world: World) -> None:
    streams = [await begun(world.hub), await begun(world.hub, 1)]
    for listener in world.feeds.listeners:
        listener("alert", {"id": "a1"})
    for stream in streams:
        assert await events(stream, 1) == ['event: alert\ndata: {"id":"a1"}\n\n']
    world.hub.close()
    assert world.feeds.listeners == []


@live
async def test_a_swap_and_a_pause_are_told(world: World) -> None:
    world.store.pointer = Champion(1, 1, "d", "first", "task 0", 0.0)
    stream = await begun(world.hub)  # what changes from here on is told
    world.store.pointer = Champion(2, 2, "e", "promoted", "anna", 1.0)
    world.store.hint.set()
    (swap,) = await events(stream, 1)
    world.store.control.pause(expected_epoch=0, who="anna", reason="x")
    world.store.hint.set()
    (pause,) = await events(stream, 1)
    assert swap.startswith('event: champion\ndata: {"version":2,')
    assert pause == 'event: control\ndata: {"paused":{"who":"anna","when":5.0,"reason":"x"}}\n\n'


@live
async def test_a_stream_begins_even_while_the_store_is_away(world: World) -> None:
    world.store.trouble = StoreError("Redis is away.")
    async with asyncio.timeout(4.0):  # less than it waits for the first look
        await begun(world.hub)


@live
async def test_a_stream_begins_once_it_is_known_how_things_stand(world: World) -> None:
    looking, goes_on = threading.Event(), threading.Event()

    def look() -> None:
        looking.set()
        goes_on.wait(4.0)

    cast(Any, world.feeds).look = look
    stream = await world.hub.stream(None)
    first = asyncio.ensure_future(anext(stream))
    assert await asyncio.to_thread(looking.wait, 5)
    assert not first.done()
    goes_on.set()
    assert await first == b": driftline\n\n"


@live
async def test_whether_drifts_recover_is_looked_at_while_somebody_looks(world: World) -> None:
    assert not world.feeds.looked.is_set()
    await begun(world.hub)
    assert world.feeds.looked.is_set()


@live
async def test_a_page_that_is_too_slow_is_dropped_and_the_others_are_not(world: World) -> None:
    slow, quick = await begun(world.hub), await begun(world.hub)
    for n in range(QUEUED + 1):
        world.hub.tell("alert", n)
        assert await events(quick, 1) == [f"event: alert\ndata: {n}\n\n"]
    assert world.hub.streams == 1
    assert [event async for event in slow] == []


@live
async def test_no_more_pages_are_served_than_allowed(world: World) -> None:
    first, *_others = [await begun(world.hub) for _ in range(3)]
    with pytest.raises(Refused) as caught:
        await world.hub.stream(None)
    assert caught.value.status_code == 503
    await cast(Any, first).aclose()
    await begun(world.hub)


@live
async def test_the_history_is_watched_only_while_somebody_looks(world: World) -> None:
    assert not world.history.watched.is_set()
    stream = await begun(world.hub)
    assert await asyncio.to_thread(world.history.watched.wait, 5)
    await cast(Any, stream).aclose()
    assert await asyncio.to_thread(world.history.left.wait, 5)
    assert world.hub.streams == 0


@live
async def test_closing_ends_every_stream(world: World) -> None:
    streams = [await begun(world.hub) for _ in range(3)]
    world.hub.close()
    for stream in streams:
        assert [event async for event in stream] == []
    world.hub.tell("alert", 1)  # nobody hears it, and nothing breaks
