from __future__ import annotations

import pytest
import redis

from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.stores.registry import ModelStore
from tests.integration.store.conftest import Open

POINTER = "driftline:flights:snapshot:3"


def test_the_newest_snapshot_is_read_back_byte_for_byte(store: ModelStore) -> None:
    for data in (b"first", b"second", bytes(range(256)) * 4096):
        store.save_snapshot("3", data)
    assert store.load_snapshot("3") == bytes(range(256)) * 4096


def test_the_snapshot_before_the_newest_is_kept(store: ModelStore) -> None:
    for data in (b"first", b"second", b"third"):
        store.save_snapshot("3", data)
    assert store.load_snapshot("3", previous=True) == b"second"


def test_a_task_without_a_snapshot_has_none(store: ModelStore) -> None:
    store.save_snapshot("3", b"only")
    assert store.load_snapshot("4") is None
    assert store.load_snapshot("3", previous=True) is None


def test_a_writer_killed_before_the_pointer_flips_leaves_the_newest_snapshot(
    own_server: EmbeddedValkey, open_store: Open
) -> None:
    # Given a snapshot, and a writer that can write its data but gets no further
    store = open_store(own_server)
    store.save_snapshot("3", b"before")
    with redis.Redis.from_url(own_server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "dying", "on", ">pw", "~*", "+set", "+ping", "+client")
        dying = open_store(own_server, login="dying:pw@")

        # When it stages and is stopped
        with pytest.raises(StoreError):
            dying.save_snapshot("3", b"half done")

        # Then the old one stands, what was staged goes by itself, and the next writer is not disturbed
        assert store.load_snapshot("3") == b"before"
        staged = [key for key in admin.keys(f"{POINTER}:staged:*") if 0 < admin.ttl(key) <= 3600]
        assert len(staged) == 1
        store.save_snapshot("3", b"after")
        assert (store.load_snapshot("3"), store.load_snapshot("3", previous=True)) == (b"after", b"before")


def test_snapshots_neither_pile_up_nor_expire(store: ModelStore, client: redis.Redis) -> None:
    for n in range(10):
        store.save_snapshot("3", b"%d" % n)
    keys = sorted(client.keys("driftline:flights:snapshot:*"))
    assert keys == [POINTER.encode(), f"{POINTER}:0".encode(), f"{POINTER}:1".encode()]
    assert [client.ttl(key) for key in keys] == [-1, -1, -1]


def test_a_snapshot_survives_a_crash_of_the_server(own_server: EmbeddedValkey, open_store: Open) -> None:
    store = open_store(own_server)
    store.save_snapshot("3", b"kept")
    own_server.kill()
    with pytest.raises(StoreError):
        store.load_snapshot("3")
    own_server.start()
    assert store.load_snapshot("3") == b"kept"
