"""How a watcher hears of champions: by hints, by polling, and whatever becomes of the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
import redis
import structlog
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from stream.embedded.valkey import EmbeddedValkey
from stream.stores.registry import ModelStore
from stream.stores.watch import ChampionWatcher
from stream.telemetry import Telemetry
from tests.integration.store.conftest import FOREIGN_KEY, Open, hanging, make_learner, make_meta
from tests.integration.support.waiting import until

ROWS = [{"x": float(n)} for n in range(7)]
SOON = 20.0
"""Longest any of these waits, in seconds; they go on as soon as what they wait for is there."""
NEVER = 3600.0


class Watch(Protocol):
    """Starts a watcher on a store."""

    def __call__(self, store: ModelStore, poll_interval: float = NEVER) -> ChampionWatcher: ...


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("delays")


@pytest.fixture
def watch(telemetry: Telemetry) -> Iterator[Watch]:
    watchers: list[ChampionWatcher] = []

    def start(store: ModelStore, poll_interval: float = NEVER) -> ChampionWatcher:
        watcher = ChampionWatcher(store, "delays", poll_interval, telemetry=telemetry).start()
        watchers.append(watcher)
        assert watcher.refresh(SOON)
        return watcher

    yield start
    for watcher in watchers:
        watcher.stop()


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    """What was logged, with the level."""
    structlog.reset_defaults()
    with capture_logs() as captured:
        yield captured


def crown(store: ModelStore, labels: int = 0) -> int:
    """Publish a learner and make it the champion."""
    version = store.publish("delays", make_learner(labels), meta=make_meta(labels=labels))
    champion = store.champion("delays")
    epoch = 0 if champion is None else champion.epoch
    store.promote("delays", version, expected_epoch=epoch, reason="promoted", who="tester")
    return version


def value(telemetry: Telemetry, name: str) -> float:
    body, _ = telemetry.render()
    families = text_string_to_metric_families(body.decode())
    return next(sample.value for family in families for sample in family.samples if sample.name == name)


def events(lines: list[Any], *names: str) -> list[str]:
    return [line["event"] for line in lines if line["event"] in names]


def test_the_champion_of_the_start_is_there_to_take_once(store: ModelStore, watch: Watch) -> None:
    crown(store, labels=60)
    watcher = watch(store)

    loaded = watcher.take()

    assert loaded is not None
    assert (loaded.version, loaded.epoch, loaded.meta.labels) == (1, 1, 60)
    assert loaded.learner().predict(ROWS) == make_learner(60).predict(ROWS)
    assert watcher.take() is None
    assert watcher.latest is loaded


def test_before_the_first_promotion_there_is_nothing_to_take_and_nothing_wrong(store: ModelStore, watch: Watch) -> None:
    watcher = watch(store)
    assert (watcher.take(), watcher.champion, watcher.last_error, watcher.healthy) == (None, None, None, True)


def test_each_task_gets_a_learner_of_its_own(store: ModelStore, watch: Watch) -> None:
    crown(store, labels=60)
    loaded = watch(store).take()
    assert loaded is not None
    first, second = loaded.learner(), loaded.learner()
    first.learn(ROWS * 20, [True] * len(ROWS) * 20)
    assert second.predict(ROWS) == make_learner(60).predict(ROWS) != first.predict(ROWS)


def test_a_hint_brings_the_new_champion_without_a_poll(
    server: EmbeddedValkey, open_store: Open, store: ModelStore, watch: Watch
) -> None:
    watcher = watch(store, poll_interval=NEVER)
    crown(open_store(server), labels=5)
    until(lambda: watcher.latest is not None)


def test_a_champion_whose_hint_was_lost_comes_with_a_poll(
    own_server: EmbeddedValkey, open_store: Open, watch: Watch
) -> None:
    # Given a watcher that may not listen to hints
    with redis.Redis.from_url(own_server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "deaf", "on", ">pw", "~*", "resetchannels", "+@all")
    watcher = watch(open_store(own_server, login="deaf:pw@"), poll_interval=0.05)
    assert watcher.healthy

    crown(open_store(own_server))

    until(lambda: watcher.latest is not None)


def test_of_several_changes_only_the_newest_is_taken(store: ModelStore, watch: Watch) -> None:
    watcher = watch(store)
    for labels in range(3):
        crown(store, labels)
    assert watcher.refresh(SOON)
    loaded = watcher.take()
    assert loaded is not None
    assert (loaded.version, watcher.take()) == (3, None)


def test_a_rollback_is_a_change_like_any_other(store: ModelStore, watch: Watch) -> None:
    crown(store, 0)
    crown(store, 1)
    watcher = watch(store)
    watcher.take()
    store.rollback("delays", who="tester")
    assert watcher.refresh(SOON)
    loaded = watcher.take()
    assert loaded is not None
    assert (loaded.version, loaded.epoch, loaded.champion.reason) == (1, 3, "rollback")


def test_a_champion_of_a_foreign_key_is_refused_once_and_the_old_one_stays(
    server: EmbeddedValkey, open_store: Open, store: ModelStore, watch: Watch, telemetry: Telemetry, lines: list[Any]
) -> None:
    crown(store)
    watcher = watch(store)
    serving = watcher.take()
    crown(open_store(server, key=FOREIGN_KEY), labels=9)

    for _ in range(3):
        assert watcher.refresh(SOON)

    assert watcher.take() is None
    assert watcher.latest is serving
    assert watcher.healthy
    assert "does not hold" in (watcher.last_error or "")
    assert value(telemetry, "driftline_models_refused_total") == 1
    [line] = [line for line in lines if line["event"] == "model_refused"]
    assert (line["log_level"], line["version"], line["serving"]) == ("error", 2, 1)
    assert line["digest"] == store.version("delays", 2).digest


def test_after_a_refusal_the_next_good_champion_is_taken(
    server: EmbeddedValkey, open_store: Open, store: ModelStore, watch: Watch
) -> None:
    crown(open_store(server, key=FOREIGN_KEY))
    watcher = watch(store)
    assert watcher.take() is None
    version = crown(store, labels=4)
    assert watcher.refresh(SOON)
    loaded = watcher.take()
    assert loaded is not None
    assert (loaded.version, watcher.last_error) == (version, None)


def test_redis_going_away_and_coming_back_is_one_line_each(
    own_server: EmbeddedValkey, open_store: Open, watch: Watch, telemetry: Telemetry, lines: list[Any]
) -> None:
    store = open_store(own_server)
    crown(store)
    watcher = watch(store, poll_interval=0.05)
    assert value(telemetry, "driftline_redis_up") == 1

    own_server.stop()
    until(lambda: not watcher.healthy)
    for _ in range(3):
        assert watcher.refresh(SOON)

    assert f"{own_server.address} refused the connection" in (watcher.last_error or "")
    assert value(telemetry, "driftline_redis_up") == 0
    assert watcher.latest is not None

    own_server.start()
    assert watcher.refresh(SOON)
    version = crown(store, labels=7)
    until(lambda: watcher.latest is not None and watcher.latest.version == version)

    assert watcher.last_error is None
    assert value(telemetry, "driftline_redis_up") == 1
    assert events(lines, "model_store_down", "model_store_back") == ["model_store_down", "model_store_back"]


def test_a_redis_that_is_down_at_the_start_is_found_when_it_comes(
    own_server: EmbeddedValkey, open_store: Open, watch: Watch
) -> None:
    store = open_store(own_server)
    crown(store)
    own_server.stop()
    watcher = watch(store, poll_interval=0.05)
    assert (watcher.healthy, watcher.take()) == (False, None)
    own_server.start()
    until(lambda: watcher.take() is not None)


def test_a_hanging_redis_holds_up_the_watcher_and_nobody_else(
    own_server: EmbeddedValkey, open_store: Open, watch: Watch
) -> None:
    store = open_store(own_server, timeout=NEVER)
    crown(store)
    watcher = watch(store)
    with hanging(own_server):
        assert not watcher.refresh(0.1)
        assert watcher.take() is not None
        assert watcher.healthy
    assert watcher.refresh(SOON)


def test_a_hanging_redis_is_noticed_and_so_is_its_recovery(
    own_server: EmbeddedValkey, open_store: Open, watch: Watch
) -> None:
    watcher = watch(open_store(own_server, timeout=0.2), poll_interval=0.05)
    with hanging(own_server):
        until(lambda: not watcher.healthy)
        assert "gave no answer in time" in (watcher.last_error or "")
    until(lambda: watcher.healthy)


def test_a_wiped_redis_leaves_what_serves_and_takes_the_next_champion(
    store: ModelStore, client: redis.Redis, watch: Watch, lines: list[Any]
) -> None:
    crown(store, 3)
    watcher = watch(store)
    serving = watcher.take()
    client.flushall()

    for _ in range(2):
        assert watcher.refresh(SOON)

    assert watcher.latest is serving
    assert "lost the champion" in (watcher.last_error or "")
    assert events(lines, "champion_lost") == ["champion_lost"]

    # When the numbers begin again, the same version and epoch are another model
    crown(store, 4)
    assert watcher.refresh(SOON)
    loaded = watcher.take()
    assert loaded is not None
    assert (loaded.version, loaded.epoch, loaded.meta.labels) == (1, 1, 4)
    assert watcher.last_error is None


def test_an_artifact_that_was_lost_is_taken_when_it_is_restored(
    store: ModelStore, client: redis.Redis, watch: Watch, lines: list[Any]
) -> None:
    key = f"driftline:flights:artifact:{store.version('delays', crown(store)).digest}"
    data = client.get(key)
    assert data is not None
    client.delete(key)
    watcher = watch(store)
    assert watcher.take() is None
    assert "is gone" in (watcher.last_error or "")

    client.set(key, data)
    assert watcher.refresh(SOON)

    assert watcher.take() is not None
    assert watcher.last_error is None
    assert events(lines, "model_missing") == ["model_missing"]


def test_a_stopped_watcher_leaves_no_thread_and_no_connection(
    own_server: EmbeddedValkey, open_store: Open, watch: Watch
) -> None:
    watcher = watch(open_store(own_server))
    with redis.Redis.from_url(own_server.url) as admin:
        until(lambda: admin.pubsub_numsub("driftline:flights:swaps")[0][1] == 1)
        watcher.stop()
        watcher.stop()
        until(lambda: admin.pubsub_numsub("driftline:flights:swaps")[0][1] == 0)
