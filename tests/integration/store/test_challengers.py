"""Entering and withdrawing challengers, and how workers hear of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import redis
import structlog
from msgspec import structs
from structlog.testing import capture_logs

from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.stores.base import UnknownVersion
from stream.stores.registry import ModelStore
from stream.stores.scripts import MAX_CHALLENGERS
from stream.stores.watch import ChampionWatcher
from tests.integration.store.conftest import FOREIGN_KEY, Open, competing, make_learner, make_meta
from tests.integration.store.test_watch import NEVER, SOON
from tests.integration.support.waiting import until

ROWS = [{"x": float(n)} for n in range(7)]


def publish(store: ModelStore, labels: int, *parents: int) -> int:
    meta = structs.replace(make_meta("pushed", labels=labels), parents=parents)
    return store.publish("delays", make_learner(labels), meta=meta)


@pytest.fixture
def watcher(store: ModelStore) -> Iterator[ChampionWatcher]:
    watcher = ChampionWatcher(store, "delays", NEVER).start()
    assert watcher.refresh(SOON)
    yield watcher
    watcher.stop()


def seen(watcher: ChampionWatcher) -> list[int] | None:
    return None if watcher.field is None else sorted(watcher.field.entrants)


def test_who_is_entered_competes_until_withdrawn_and_the_store_says_who_did_it(store: ModelStore) -> None:
    first, second = publish(store, 10), publish(store, 20)
    store.challengers.enter("delays", first, who="ann")
    store.challengers.enter("delays", second, who="bob")
    entered = store.challengers.now("delays")

    assert store.challengers.withdraw("delays", first)
    assert not store.challengers.withdraw("delays", first)

    assert [(one.version, one.who) for one in entered] == [(first, "ann"), (second, "bob")]
    assert abs(entered[0].since - time.time()) < 3600
    assert competing(store) == [second]


def test_entering_twice_changes_nothing(store: ModelStore) -> None:
    version = publish(store, 10)
    store.challengers.enter("delays", version, who="ann")
    before = store.challengers.now("delays")
    store.challengers.enter("delays", version, who="bob")
    assert store.challengers.now("delays") == before


def test_a_version_that_is_not_there_or_has_lost_its_artifact_cannot_be_entered(
    store: ModelStore, client: redis.Redis
) -> None:
    version = publish(store, 10)
    with pytest.raises(UnknownVersion, match="has no version 9"):
        store.challengers.enter("delays", 9, who="ann")
    client.delete(f"driftline:flights:artifact:{store.version('delays', version).digest}")
    with pytest.raises(UnknownVersion, match="is gone from Redis"):
        store.challengers.enter("delays", version, who="ann")
    assert competing(store) == []


def test_there_are_no_more_challengers_than_the_engine_can_bear(store: ModelStore) -> None:
    versions = [publish(store, n) for n in range(MAX_CHALLENGERS + 1)]
    for version in versions[:-1]:
        store.challengers.enter("delays", version, who="ann")
    with pytest.raises(StoreError, match=f"has {MAX_CHALLENGERS} challengers from outside"):
        store.challengers.enter("delays", versions[-1], who="ann")
    assert competing(store) == versions[:-1]


def test_a_challenger_that_becomes_champion_competes_no_more_nor_does_one_whose_child_does(store: ModelStore) -> None:
    itself, parent, other = publish(store, 10), publish(store, 20), publish(store, 30)
    for version in (itself, parent, other):
        store.challengers.enter("delays", version, who="ann")
    child = publish(store, 40, parent, itself)

    store.promote("delays", itself, expected_epoch=0, reason="promoted", who="ann")
    first = competing(store)
    store.promote("delays", child, expected_epoch=1, reason="beat_champion", who="task 0")

    assert first == [parent, other]
    assert competing(store) == [other]


def test_a_promotion_that_is_refused_leaves_the_challengers_alone(store: ModelStore) -> None:
    version = publish(store, 10)
    store.challengers.enter("delays", version, who="ann")
    with pytest.raises(StoreError):
        store.promote("delays", version, expected_epoch=5, reason="promoted", who="zombie")
    assert competing(store) == [version]


def test_a_hint_brings_a_challenger_and_its_withdrawal_to_a_watcher_without_a_poll(
    server: EmbeddedValkey, open_store: Open, watcher: ChampionWatcher
) -> None:
    outside = open_store(server)
    before = seen(watcher)
    version = publish(outside, 10)
    outside.challengers.enter("delays", version, who="ann")
    until(lambda: seen(watcher) == [version])
    field = watcher.field
    assert field is not None
    entrant = field.entrants[version]
    outside.challengers.withdraw("delays", version)
    until(lambda: seen(watcher) == [])

    assert before == []
    assert entrant.learner().predict(ROWS) == make_learner(10).predict(ROWS)
    assert entrant.learner() is not entrant.learner()


def test_a_challenger_whose_hint_was_lost_comes_with_a_poll(own_server: EmbeddedValkey, open_store: Open) -> None:
    with redis.Redis.from_url(own_server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "resetchannels", "+@all")
    watcher = ChampionWatcher(open_store(own_server, login="deaf:pw@"), "delays", 0.05).start()
    try:
        outside = open_store(own_server)
        version = publish(outside, 10)
        outside.challengers.enter("delays", version, who="ann")
        until(lambda: seen(watcher) == [version])
    finally:
        watcher.stop()


def test_a_challenger_that_is_not_trusted_is_told_once_and_the_others_compete(
    server: EmbeddedValkey, open_store: Open, watcher: ChampionWatcher, store: ModelStore
) -> None:
    structlog.reset_defaults()
    with capture_logs() as lines:
        foreign = publish(open_store(server, FOREIGN_KEY), 10)
        good = publish(store, 20)
        for version in (foreign, good):
            store.challengers.enter("delays", version, who="ann")
        until(lambda: seen(watcher) == [good])
        for _ in range(3):
            assert watcher.refresh(SOON)

    assert watcher.field is not None
    assert watcher.field.entered == {foreign, good}
    refused = [line for line in lines if line["event"] == "challenger_refused"]
    assert [(line["version"], line["who"]) for line in refused] == [(foreign, "ann")]


def test_a_challenger_whose_artifact_is_restored_competes_then(
    store: ModelStore, client: redis.Redis, watcher: ChampionWatcher
) -> None:
    version = publish(store, 10)
    meta, data = store.fetch("delays", version)
    store.challengers.enter("delays", version, who="ann")
    until(lambda: seen(watcher) == [version])
    second = publish(store, 20)
    key = f"driftline:flights:artifact:{store.version('delays', second).digest}"
    kept = client.get(key)
    assert isinstance(kept, bytes)
    store.challengers.enter("delays", second, who="ann")
    client.delete(key)
    fresh = ChampionWatcher(store, "delays", 0.05).start()
    try:
        until(lambda: seen(fresh) == [version])
        client.set(key, kept)
        until(lambda: seen(fresh) == [version, second])
    finally:
        fresh.stop()
    assert (meta.version, len(data)) == (version, meta.size)


def test_challengers_that_another_program_wrote_are_told(store: ModelStore, client: redis.Redis) -> None:
    client.hset("driftline:flights:challengers:delays", "one", "junk")
    with pytest.raises(StoreError, match="the challengers of model delays cannot be read"):
        store.challengers.now("delays")
