"""The word to pause: who may say it, and who hears it when."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.stores.base import StaleWriter
from stream.stores.control import Standing
from stream.stores.registry import ModelStore
from stream.stores.watch import ChampionWatcher
from tests.integration.store.conftest import Open, promote, publish
from tests.integration.support.waiting import until

NEVER = 3600.0


def test_nobody_pauses_before_anybody_says_so(store: ModelStore) -> None:
    assert store.control.now() == Standing(0)


def test_what_was_said_stays_until_something_else_is_said(store: ModelStore) -> None:
    paused = store.control.pause(expected_epoch=0, who="anna", reason="a bad deploy")
    assert paused == store.control.now()
    assert paused.pause is not None
    assert (paused.epoch, paused.pause.who, paused.pause.reason) == (1, "anna", "a bad deploy")
    assert paused.pause.since > 1.7e9
    on = store.control.resume(expected_epoch=1, who="ben", reason="mended")
    assert on == store.control.now() == Standing(2)


def test_of_many_who_say_it_at_once_one_is_heard(store: ModelStore) -> None:
    def say(n: int) -> bool:
        try:
            store.control.pause(expected_epoch=0, who=f"caller {n}", reason="x")
        except StaleWriter:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(say, range(16))) == 1
    assert store.control.now().epoch == 1


def test_who_has_not_seen_the_newest_word_changes_nothing(store: ModelStore) -> None:
    store.control.pause(expected_epoch=0, who="anna", reason="x")
    with pytest.raises(StaleWriter, match=r"somebody else has said paused meanwhile \(epoch 1\)"):
        store.control.resume(expected_epoch=0, who="ben", reason="y")
    assert store.control.now().pause is not None


def test_what_another_program_wrote_is_told_with_the_cure(store: ModelStore, client: redis.Redis) -> None:
    client.hset("driftline:flights:control", mapping={"state": "paused", "epoch": "soon", "since": "x"})
    with pytest.raises(StoreError, match=r"(?s)cannot be read.*Delete driftline:flights:control"):
        store.control.now()


def test_a_watcher_hears_of_a_pause_at_once_by_a_hint(store: ModelStore) -> None:
    promote(store, publish(store))
    watcher = ChampionWatcher(store, "delays", NEVER).start()
    try:
        assert watcher.refresh(20)
        assert watcher.refresh(20)  # the subscription stands after the first
        assert watcher.pause is None
        store.control.pause(expected_epoch=0, who="anna", reason="x")
        until(lambda: watcher.pause)
        store.control.resume(expected_epoch=1, who="anna", reason="x")
        until(lambda: watcher.pause is None)
    finally:
        watcher.stop()


def test_while_the_store_is_away_the_last_word_holds(own_server: EmbeddedValkey, open_store: Open) -> None:
    store = open_store(own_server, timeout=0.5)
    store.control.pause(expected_epoch=0, who="anna", reason="x")
    watcher = ChampionWatcher(store, "delays", 0.05).start()
    try:
        assert watcher.refresh(20)
        own_server.kill()
        until(lambda: not watcher.healthy)
        assert watcher.pause is not None
        assert watcher.pause.who == "anna"
    finally:
        watcher.stop()
