"""Versions of models in the store: kept as they were, refused where somebody changed them, servers that fail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import redis

from learners.artifacts import KeyRing, Trust, Untrusted, digest
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.stores.base import UnknownVersion
from stream.stores.registry import ModelStore
from tests.integration.store.conftest import (
    FOREIGN_KEY,
    KEY,
    Open,
    hanging,
    make_learner,
    make_meta,
    promote,
    publish,
    serving,
)

ROWS = [{"x": float(n)} for n in range(7)]
ARTIFACTS = "driftline:flights:artifact:"
CHAMPION = "driftline:flights:champion:delays:global"


# versions


def test_what_was_published_is_loaded_as_it_was(store: ModelStore) -> None:
    learner = make_learner(200)
    version = store.publish("delays", learner, meta=make_meta("beat_champion", labels=200))

    loaded, meta = store.load("delays", version)

    assert loaded.predict(ROWS) == learner.predict(ROWS)
    assert loaded.predict(ROWS) != make_learner(0).predict(ROWS)
    assert (meta.version, meta.reason, meta.who, meta.labels) == (1, "beat_champion", "task 0", 200)
    assert meta.scores == {"roc_auc": 0.75}


def test_metadata_names_the_artifact_and_its_size(store: ModelStore, client: redis.Redis) -> None:
    meta = store.version("delays", publish(store))
    data = client.get(f"{ARTIFACTS}{meta.digest}")
    assert isinstance(data, bytes)
    assert (meta.digest, meta.size) == (digest(data), len(data))


def test_versions_are_listed_in_order(store: ModelStore) -> None:
    for labels in range(12):
        publish(store, labels)
    assert [meta.version for meta in store.versions("delays")] == list(range(1, 13))
    assert store.names() == ["delays"]


def test_a_model_nobody_published_has_no_versions(store: ModelStore) -> None:
    assert (store.versions("delays"), store.names(), store.champion("delays")) == ([], [], None)


def test_the_same_bytes_published_again_are_the_same_version(store: ModelStore) -> None:
    first = publish(store, labels=50)
    again = publish(store, labels=50)
    assert (first, again, len(store.versions("delays"))) == (1, 1, 1)


def test_a_model_published_again_from_the_same_origin_makes_no_second_version(store: ModelStore) -> None:
    first = store.publish("delays", make_learner(10), meta=make_meta(), origin="task 0, entry 7")
    again = store.publish("delays", make_learner(20), meta=make_meta(), origin="task 0, entry 7")
    other = store.publish("delays", make_learner(20), meta=make_meta(), origin="task 0, entry 8")

    assert again == first
    assert other == first + 1


def test_a_damaged_artifact_is_made_good_by_publishing_it_again(store: ModelStore, client: redis.Redis) -> None:
    meta = store.version("delays", publish(store, labels=50))
    client.set(f"{ARTIFACTS}{meta.digest}", b"damaged")

    assert publish(store, labels=50) == meta.version

    assert store.load("delays", meta.version)[0].predict(ROWS) == make_learner(50).predict(ROWS)


def test_versions_of_writers_at_once_are_all_different(server: EmbeddedValkey, open_store: Open) -> None:
    stores = [open_store(server) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda n: publish(stores[n % 4], labels=n), range(20)))
    assert sorted(versions) == list(range(1, 21))


def test_an_unknown_version_is_told_with_the_cure(store: ModelStore) -> None:
    publish(store)
    with pytest.raises(UnknownVersion, match=r"model delays has no version 7 in Redis at 127.*\n.*models list"):
        store.load("delays", 7)


def test_version_numbers_go_on_after_redis_was_wiped(store: ModelStore, client: redis.Redis) -> None:
    promote(store, publish(store))
    client.flushall()

    version = publish(store, parent=12)

    assert version == 13
    assert publish(store, labels=1) == 14
    assert serving(store) is None


# trust


def test_an_artifact_of_another_key_is_refused(server: EmbeddedValkey, open_store: Open) -> None:
    version = publish(open_store(server, key=FOREIGN_KEY))
    with pytest.raises(Untrusted, match="signature by key 'k1' does not hold"):
        open_store(server).load("delays", version)


def test_an_altered_artifact_is_refused(store: ModelStore, client: redis.Redis) -> None:
    meta = store.version("delays", publish(store))
    key = f"{ARTIFACTS}{meta.digest}"
    client.setrange(key, meta.size - 1, b"\x00")
    client.setrange(key, meta.size - 2, b"\x00")

    with pytest.raises(Untrusted, match="signature by key 'k1' does not hold"):
        store.load("delays", meta.version)


def test_a_genuine_artifact_in_the_place_of_another_models_is_refused(store: ModelStore, client: redis.Redis) -> None:
    version = publish(store)
    other = store.publish("payments", make_learner(5), meta=make_meta())
    theirs = client.hget("driftline:flights:model:payments:versions", str(other))
    assert theirs is not None
    client.hset("driftline:flights:model:delays:versions", str(version), theirs)

    with pytest.raises(Untrusted, match="model 'payments' of app 'flights' stands in the place of the model"):
        store.load("delays", version)


def test_a_genuine_artifact_in_the_place_of_another_version_is_refused(store: ModelStore, client: redis.Redis) -> None:
    first, second = (store.version("delays", publish(store, labels=labels)) for labels in (10, 20))
    old = client.get(f"{ARTIFACTS}{first.digest}")
    assert old is not None
    client.set(f"{ARTIFACTS}{second.digest}", old)

    with pytest.raises(Untrusted, match="version 2: its bytes are not those of its digest"):
        store.load("delays", second.version)


def test_an_artifact_of_another_app_is_refused(server: EmbeddedValkey, open_store: Open, client: redis.Redis) -> None:
    store = open_store(server)
    meta, data = store.fetch("delays", publish(store))
    other = ModelStore(client, "buses", Trust(KeyRing([KEY]), KEY))

    assert store.open("delays", data, meta).predict(ROWS)
    with pytest.raises(Untrusted, match="of app 'flights' stands in the place of the model 'delays' of app"):
        other.open("delays", data)


@pytest.mark.parametrize("change", [{"scores": {"accuracy": 0.99}}, {"who": "the board"}, {"parents": (3,)}])
def test_metadata_other_than_what_was_signed_with_the_artifact_is_refused(
    store: ModelStore, client: redis.Redis, change: dict[str, Any]
) -> None:
    meta = store.version("delays", publish(store))
    raw = msgspec.json.encode(msgspec.structs.replace(meta, **change))
    client.hset("driftline:flights:model:delays:versions", str(meta.version), raw)

    with pytest.raises(Untrusted, match="metadata of model 'delays' version 1 is not what it was published with"):
        store.load("delays", meta.version)
    promote(store, meta.version)
    champion = store.champion("delays")
    assert champion is not None
    with pytest.raises(Untrusted, match="is not what it was published with"):
        store.load_champion("delays", champion)


def test_bytes_that_are_no_artifact_are_refused(store: ModelStore, client: redis.Redis) -> None:
    meta = store.version("delays", publish(store))
    forged = b"cos\nsystem\n(S'true'\ntR."
    client.set(f"{ARTIFACTS}{meta.digest}", forged)

    with pytest.raises(Untrusted, match="its bytes are not those of its digest"):
        store.load("delays", meta.version)


def test_metadata_that_somebody_broke_is_a_clear_error(store: ModelStore, client: redis.Redis) -> None:
    version = publish(store)
    client.hset("driftline:flights:model:delays:versions", str(version), "{")
    with pytest.raises(StoreError, match="model delays version 1: its metadata cannot be read"):
        store.load("delays", version)


def test_a_champion_record_that_somebody_broke_is_a_clear_error(store: ModelStore, client: redis.Redis) -> None:
    promote(store, publish(store))
    client.hset(CHAMPION, "epoch", "soon")
    with pytest.raises(StoreError, match="the champion's record cannot be read"):
        store.champion("delays")


# servers that fail


def test_a_server_that_is_down_is_told_with_address_and_cure(own_server: EmbeddedValkey, open_store: Open) -> None:
    store = open_store(own_server)
    own_server.stop()
    with pytest.raises(StoreError) as caught:
        store.champion("delays")
    assert caught.value.message == f"Redis at 127.0.0.1:{own_server.port} refused the connection."
    assert caught.value.cure == "Start it, or set redis.url to where it runs."


def test_a_server_that_hangs_is_given_up_after_the_timeout(own_server: EmbeddedValkey, open_store: Open) -> None:
    store = open_store(own_server, timeout=0.2)
    store.ping()
    with hanging(own_server), pytest.raises(StoreError, match="gave no answer in time"):
        store.champion("delays")
    assert store.champion("delays") is None


def test_a_connection_that_broke_while_idle_is_made_anew(own_server: EmbeddedValkey, open_store: Open) -> None:
    store = open_store(own_server)
    promote(store, publish(store))
    own_server.stop()
    own_server.start()
    assert serving(store) == 1
    assert publish(store, labels=1) == 2


def test_a_wrong_password_is_never_shown(own_server: EmbeddedValkey, open_store: Open) -> None:
    store = open_store(own_server, login="operator:hunter2@")
    with pytest.raises(StoreError, match="refused the log-in") as caught:
        store.ping()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)
    assert "hunter2" not in store.where


def test_a_user_without_rights_is_told_which_it_needs(own_server: EmbeddedValkey, open_store: Open) -> None:
    with redis.Redis.from_url(own_server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "guest", "on", ">pw", "~*", "+ping")
    with pytest.raises(StoreError, match=r"does not allow this user .*\n.*\+@scripting"):
        publish(open_store(own_server, login="guest:pw@"))


def test_a_server_that_is_full_is_told_with_the_cure(own_server: EmbeddedValkey, open_store: Open) -> None:
    with redis.Redis.from_url(own_server.url) as admin:
        admin.config_set("maxmemory", "1mb")
    with pytest.raises(StoreError, match=r"is out of memory\.\n.*noeviction"):
        publish(open_store(own_server))
