"""The laws of snapshot stores: Redis, Valkey and directories keep the same promises."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
import redis

from stream.config.model import RedisConfig
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.stores.base import SnapshotStore, Superseded
from stream.stores.connection import connect
from stream.stores.files import FileSnapshots
from stream.stores.snapshots import RedisSnapshots
from tests.integration.store.conftest import KINDS, make_server

POINTER = "driftline:flights:snapshot:3"


class Place(NamedTuple):
    """A snapshot store: how a process opens it, and how everything in it is wiped."""

    open: Callable[[], SnapshotStore]
    wipe: Callable[[], None]


@pytest.fixture(scope="module", params=[*KINDS, "directory"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | Path]:
    """Of a server, or a directory."""
    if request.param == "directory":
        yield tmp_path_factory.mktemp("snapshots")
    else:
        with make_server(request.param) as server:
            yield server.url


@pytest.fixture
def place(address: str | Path) -> Iterator[Place]:
    """An empty store."""
    if isinstance(address, Path):
        place = Place(lambda: FileSnapshots(address, "flights"), lambda: shutil.rmtree(address))
        yield place
        shutil.rmtree(address, ignore_errors=True)
    else:
        with connect(RedisConfig(url=address)) as client:
            client.flushall()
            yield Place(lambda: RedisSnapshots(client, "flights"), lambda: client.flushall() and None)


@pytest.fixture
def store(place: Place) -> SnapshotStore:
    return place.open()


def test_the_newest_snapshot_is_read_back_byte_for_byte(place: Place) -> None:
    store = place.open()
    owner = store.claim("3")
    for data in (b"first", b"second", bytes(range(256)) * 4096):
        store.save("3", data, owner=owner)
    assert place.open().load("3") == bytes(range(256)) * 4096


def test_the_snapshot_before_the_newest_is_kept(store: SnapshotStore) -> None:
    owner = store.claim("3")
    for data in (b"first", b"second", b"third"):
        store.save("3", data, owner=owner)
    assert store.load("3", previous=True) == b"second"


def test_a_task_without_a_snapshot_has_none(store: SnapshotStore) -> None:
    store.save("3", b"only", owner=store.claim("3"))
    store.claim("4")
    assert store.load("4") is None
    assert store.load("3", previous=True) is None


def test_tasks_are_kept_apart(store: SnapshotStore) -> None:
    three, four = store.claim("3"), store.claim("4")
    store.save("3", b"of 3", owner=three)
    store.save("4", b"of 4", owner=four)
    assert (store.load("3"), store.load("4")) == (b"of 3", b"of 4")


def test_each_owner_has_a_larger_number_than_those_before(place: Place) -> None:
    numbers = [place.open().claim("3") for _ in range(20)]
    assert numbers == sorted(set(numbers))


def test_of_owners_that_claim_at_once_no_two_get_one_number_and_the_largest_writes(place: Place) -> None:
    stores = [place.open() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda store: store.claim("3"), stores))
    assert len(set(numbers)) == 4
    for store, number in zip(stores, numbers, strict=True):
        if number == max(numbers):
            store.save("3", b"mine", owner=number)
        else:
            with pytest.raises(Superseded):
                store.save("3", b"theirs", owner=number)
    assert stores[0].load("3") == b"mine"


def test_an_older_owner_is_refused_and_changes_nothing(place: Place) -> None:
    old, new = place.open(), place.open()
    zombie = old.claim("3")
    old.save("3", b"before", owner=zombie)
    owner = new.claim("3")

    with pytest.raises(Superseded, match="another worker has taken the task over"):
        old.save("3", b"of a zombie, before the new owner wrote", owner=zombie)
    assert (new.load("3"), new.load("3", previous=True)) == (b"before", None)

    new.save("3", b"after", owner=owner)
    with pytest.raises(Superseded):
        old.save("3", b"of a zombie, after it wrote", owner=zombie)
    assert (new.load("3"), new.load("3", previous=True)) == (b"after", b"before")


def test_superseding_one_task_leaves_the_others_to_their_owner(place: Place) -> None:
    mine, theirs = place.open(), place.open()
    owners = {task: mine.claim(task) for task in ("3", "4")}
    theirs.claim("3")
    mine.save("4", b"mine", owner=owners["4"])
    assert mine.load("4") == b"mine"


def test_after_a_wipe_the_owner_writes_on(place: Place) -> None:
    store = place.open()
    owner = store.claim("3")
    store.save("3", b"wiped", owner=owner)
    place.wipe()
    assert store.load("3") is None
    store.save("3", b"after", owner=owner)
    assert (store.load("3"), store.load("3", previous=True)) == (b"after", None)


def test_after_a_wipe_the_newer_of_two_owners_has_the_last_word(place: Place) -> None:
    store = place.open()
    zombie, owner = store.claim("3"), store.claim("3")
    place.wipe()
    store.save("3", b"of a zombie", owner=zombie)
    store.save("3", b"of the owner", owner=owner)
    with pytest.raises(Superseded):
        store.save("3", b"of a zombie again", owner=zombie)
    assert store.load("3") == b"of the owner"


def test_after_a_wipe_a_new_owner_is_newer_than_any_before(place: Place) -> None:
    store = place.open()
    before = store.claim("3")
    place.wipe()
    assert store.claim("3") > before


def test_readers_see_one_of_the_two_newest_while_a_writer_writes(place: Place) -> None:
    store = place.open()
    owner = store.claim("3")
    blocks = [bytes([n]) * 50_000 for n in range(60)]
    store.save("3", blocks[0], owner=owner)

    def write() -> None:
        for block in blocks[1:]:
            store.save("3", block, owner=owner)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        seen = []
        while not writing.done():
            seen.append(place.open().load("3"))
        writing.result()
    assert all(data in blocks for data in seen)
    assert seen == sorted(seen, key=lambda data: blocks.index(data or b""))


# Redis and Valkey alone


def test_snapshots_in_redis_neither_pile_up_nor_expire(server: EmbeddedValkey, client: redis.Redis) -> None:
    store = RedisSnapshots(client, "flights")
    owner = store.claim("3")
    for n in range(10):
        store.save("3", b"%d" % n, owner=owner)
    keys = sorted(client.keys("driftline:flights:snapshot:*"))
    assert keys == [f"{POINTER}{end}".encode() for end in ("", ":0", ":1", ":owner")]
    assert [client.ttl(key) for key in keys] == [-1, -1, -1, -1]


def test_a_snapshot_said_twice_because_the_answer_was_lost_counts_once(client: redis.Redis) -> None:
    store = RedisSnapshots(client, "flights")
    owner = store.claim("3")
    for data in (b"first", b"second", b"second"):
        store.save("3", data, owner=owner)
    assert (store.load("3"), store.load("3", previous=True)) == (b"second", b"first")


def test_a_server_without_room_keeps_the_snapshots_it_has(own_server: EmbeddedValkey) -> None:
    with connect(RedisConfig(url=own_server.url)) as client:
        store = RedisSnapshots(client, "flights")
        owner = store.claim("3")
        store.save("3", b"before", owner=owner)
        client.config_set("maxmemory", "1mb")
        with pytest.raises(StoreError, match="out of memory"):
            store.save("3", b"x" * 1_000_000, owner=owner)
        assert store.load("3") == b"before"


def test_a_snapshot_survives_a_crash_of_the_server(own_server: EmbeddedValkey) -> None:
    with connect(RedisConfig(url=own_server.url)) as client:
        store = RedisSnapshots(client, "flights")
        owner = store.claim("3")
        store.save("3", b"kept", owner=owner)
        own_server.kill()
        with pytest.raises(StoreError):
            store.load("3")
        own_server.start()
        assert store.load("3") == b"kept"
        with pytest.raises(Superseded):
            store.save("3", b"of one before", owner=owner - 1)
