"""The laws of snapshot stores: Redis, Valkey and directories keep the same promises."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
import redis

from stream.config.redis import RedisConfig
from stream.config.runtime import ArchiveConfig
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.stores.archive import NO_ARCHIVE, Point
from stream.stores.base import SnapshotStore, Superseded
from stream.stores.connection import connect
from stream.stores.files import FileSnapshots
from stream.stores.snapshots import RedisSnapshots
from tests.integration.store.conftest import KINDS, make_server

POINTER = "driftline:flights:snapshot:3"
EVERY_TWO_MINUTES = ArchiveConfig(every=120.0, keep=3)


class Open(Protocol):
    def __call__(self, archive: ArchiveConfig = NO_ARCHIVE) -> SnapshotStore: ...


class Place(NamedTuple):
    """A snapshot store: how a process opens it, with an archive or without, and how everything in it is wiped."""

    open: Open
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
        yield Place(partial(FileSnapshots, address, "flights"), lambda: shutil.rmtree(address / "flights"))
        shutil.rmtree(address / "flights", ignore_errors=True)
    else:
        with connect(RedisConfig(url=address)) as client:
            client.flushall()
            yield Place(partial(RedisSnapshots, client, "flights"), lambda: client.flushall() and None)


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


# the archive


def at(minute: float) -> Point:
    """The point of a task's life at that minute."""
    return Point(round(600 + 10 * minute), round(6000 + 100 * minute), round(1_700_000_000_000 + 60_000 * minute))


def save_by_the_minute(store: SnapshotStore, owner: int, minutes: Sequence[float]) -> None:
    for minute in minutes:  # larger than what Redis keeps in the order it came
        store.save("3", (b"minute %g" % minute).ljust(100), owner=owner, point=at(minute))


def archived(store: SnapshotStore) -> list[bytes | None]:
    found = [store.load_archived("3", archived) for archived in store.archived("3")]
    return [data and data.rstrip() for data in found]


def test_every_so_often_a_snapshot_is_archived_too_under_where_it_was_taken(place: Place) -> None:
    store = place.open(EVERY_TWO_MINUTES)
    save_by_the_minute(store, store.claim("3"), [1, 1.9, 2.9, 3, 4.5, 5, 6])

    reader = place.open()
    assert archived(reader) == [b"minute 1", b"minute 3", b"minute 5"]
    assert [archived.point for archived in reader.archived("3")] == [at(1), at(3), at(5)]
    assert reader.load("3") == b"minute 6".ljust(100)
    assert reader.load("3", previous=True) == b"minute 5".ljust(100)


def test_of_the_archive_the_oldest_go_and_as_many_as_may_be_are_kept(place: Place) -> None:
    store = place.open(EVERY_TWO_MINUTES)
    save_by_the_minute(store, store.claim("3"), range(0, 40, 2))
    assert archived(store) == [b"minute 34", b"minute 36", b"minute 38"]


def test_an_archive_that_is_to_keep_fewer_is_made_smaller_by_the_next_snapshot(place: Place) -> None:
    store = place.open(EVERY_TWO_MINUTES)
    owner = store.claim("3")
    save_by_the_minute(store, owner, [0, 2, 4])
    save_by_the_minute(place.open(ArchiveConfig(every=120.0, keep=2)), owner, [5])
    assert archived(store) == [b"minute 2", b"minute 4"]
    save_by_the_minute(place.open(NO_ARCHIVE), owner, [10])
    assert archived(store) == []


def test_a_snapshot_that_names_no_point_is_not_archived(place: Place) -> None:
    store = place.open(EVERY_TWO_MINUTES)
    store.save("3", b"data", owner=store.claim("3"))
    assert store.archived("3") == []


def test_an_older_owner_archives_nothing(place: Place) -> None:
    store = place.open(EVERY_TWO_MINUTES)
    zombie = store.claim("3")
    save_by_the_minute(store, zombie, [0])
    owner = store.claim("3")
    with pytest.raises(Superseded):
        save_by_the_minute(store, zombie, [2])
    save_by_the_minute(store, owner, [4])
    with pytest.raises(Superseded):
        save_by_the_minute(store, zombie, [6])
    assert archived(store) == [b"minute 0", b"minute 4"]


def test_the_archive_goes_on_with_the_next_owner_in_the_order_of_writing(place: Place) -> None:
    first, second = place.open(EVERY_TWO_MINUTES), place.open(EVERY_TWO_MINUTES)
    save_by_the_minute(first, first.claim("3"), [10, 12])
    # of a worker whose clock is an hour behind
    save_by_the_minute(second, second.claim("3"), [-47, -46, -45])
    assert archived(first) == [b"minute 12", b"minute -47", b"minute -45"]


def test_archives_of_tasks_are_kept_apart(place: Place) -> None:
    store = place.open(EVERY_TWO_MINUTES)
    save_by_the_minute(store, store.claim("3"), [0])
    store.save("4", b"of 4", owner=store.claim("4"), point=at(1))
    assert archived(store) == [b"minute 0"]
    assert store.archived("5") == []


def test_an_archived_snapshot_that_was_removed_meanwhile_is_none(place: Place) -> None:
    store = place.open(EVERY_TWO_MINUTES)
    owner = store.claim("3")
    save_by_the_minute(store, owner, [0])
    [first] = store.archived("3")
    save_by_the_minute(store, owner, [2, 4, 6])
    assert store.load_archived("3", first) is None


def test_after_a_wipe_the_next_snapshot_is_archived_at_once(place: Place) -> None:
    store = place.open(EVERY_TWO_MINUTES)
    owner = store.claim("3")
    save_by_the_minute(store, owner, [0])
    place.wipe()
    save_by_the_minute(store, owner, [1])
    assert archived(store) == [b"minute 1"]


# Redis and Valkey alone


def test_an_archive_in_redis_is_one_key_and_what_others_put_there_is_left_alone(client: redis.Redis) -> None:
    client.hset(f"{POINTER}:archive", "not ours", b"!")
    store = RedisSnapshots(client, "flights", EVERY_TWO_MINUTES)
    save_by_the_minute(store, store.claim("3"), range(0, 20, 2))
    assert archived(store) == [b"minute 14", b"minute 16", b"minute 18"]
    assert client.hget(f"{POINTER}:archive", "not ours") == b"!"
    assert client.hlen(f"{POINTER}:archive") == 4


def test_a_snapshot_said_twice_is_archived_once(client: redis.Redis) -> None:
    store = RedisSnapshots(client, "flights", EVERY_TWO_MINUTES)
    save_by_the_minute(store, store.claim("3"), [0, 2, 2])
    assert archived(store) == [b"minute 0", b"minute 2"]


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
