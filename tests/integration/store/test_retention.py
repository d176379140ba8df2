"""What is kept of a model's versions, whatever happens to them, and what goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from learners.artifacts import KeyRing, Trust
from stream.config.redis import RedisConfig, RetentionConfig
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.stores.base import StaleWriter, UnknownVersion
from stream.stores.connection import as_text, connect
from stream.stores.registry import ModelStore
from stream.stores.scripts import MAX_CHALLENGERS
from tests.integration.store.conftest import KEY, make_learner, make_meta, promote

KEEP = 2
OLD = 3600.0
PREFIX = "driftline:flights:"
LEARNERS = [make_learner(labels) for labels in range(3)]


def open_keeping(server: EmbeddedValkey, keep: int = KEEP) -> ModelStore:
    client = connect(RedisConfig(url=f"redis://{server.address}/0", timeout=5.0))
    retention = RetentionConfig(keep=keep, older_than=OLD)
    return ModelStore(client, "flights", Trust(KeyRing([KEY]), KEY), retention=retention)


@pytest.fixture
def keeping(server: EmbeddedValkey) -> ModelStore:
    """A store that keeps two versions, and others for an hour after their last use."""
    return open_keeping(server)


def publish(store: ModelStore, n: int, same_as: int = 0) -> int:
    """Publish version number `n`, with the artifact of another one if `same_as` says so."""
    meta = msgspec.structs.replace(make_meta(), created=float(same_as or n))
    return store.publish("delays", LEARNERS[(same_as or n) % 3], meta=meta)


def age(client: redis.Redis, versions: Sequence[int] | None = None) -> None:
    """All that was used, or these versions, was last used two hours ago."""
    key = f"{PREFIX}model:delays:used"
    known = range(1, 60) if versions is None else versions
    for version in known:
        used = client.zscore(key, str(version))
        if used is not None:
            client.zadd(key, {str(version): float(used) - 2 * OLD})


def kept(store: ModelStore) -> list[int]:
    return [meta.version for meta in store.versions("delays")]


def artifacts(client: redis.Redis) -> set[str]:
    return {as_text(key).removeprefix(f"{PREFIX}artifact:") for key in client.keys(f"{PREFIX}artifact:*")}


def test_a_version_goes_with_its_artifact_when_it_is_neither_new_nor_lately_used(
    keeping: ModelStore, client: redis.Redis
) -> None:
    for n in range(1, 5):
        publish(keeping, n)
    young = kept(keeping)
    age(client)
    publish(keeping, 5)

    assert young == [1, 2, 3, 4]
    assert kept(keeping) == [4, 5]
    assert artifacts(client) == {meta.digest for meta in keeping.versions("delays")}
    with pytest.raises(UnknownVersion, match="has no version 1 in Redis"):
        keeping.load("delays", 1)


def test_an_artifact_that_the_journal_names_and_that_is_gone_is_told_with_why(
    keeping: ModelStore, client: redis.Redis
) -> None:
    for n in range(1, 4):
        publish(keeping, n)
    digest = keeping.version("delays", 1).digest
    age(client)
    keeping.retention.prune("delays")

    with pytest.raises(UnknownVersion, match=rf"{digest[:12]} of model delays is not in Redis") as told:
        keeping.artifact("delays", digest)
    assert "in use no more for redis.retention.older_than" in str(told.value)


def test_the_newest_are_kept_however_old(keeping: ModelStore, client: redis.Redis) -> None:
    publish(keeping, 1)
    publish(keeping, 2)
    age(client)
    assert keeping.retention.prune("delays") == 0
    assert kept(keeping) == [1, 2]


def test_champions_of_every_scope_and_those_to_go_back_to_are_kept(keeping: ModelStore, client: redis.Redis) -> None:
    for n in range(1, 9):
        publish(keeping, n)
    promote(keeping, 1)
    promote(keeping, 2)
    promote(keeping, 3)
    promote(keeping, 4, scope="key:eu")
    promote(keeping, 5, scope="key:eu")
    age(client)

    assert keeping.retention.prune("delays") == 2
    assert kept(keeping) == [2, 3, 4, 5, 7, 8]


def test_what_ceases_to_serve_or_to_be_gone_back_to_is_kept_for_as_long_from_then(
    keeping: ModelStore, client: redis.Redis
) -> None:
    for n in range(1, 7):
        publish(keeping, n)
    promote(keeping, 1)
    promote(keeping, 2)
    age(client)
    promote(keeping, 3)  # 1 was to be gone back to, until now
    age(client, [4])
    keeping.retention.prune("delays")

    assert kept(keeping) == [1, 2, 3, 5, 6]


def test_a_rollback_skips_champions_that_are_not_kept(keeping: ModelStore, client: redis.Redis) -> None:
    for n in range(1, 6):
        publish(keeping, n)
    for version in (1, 2, 3):
        promote(keeping, version)
    age(client, [1])
    keeping.retention.prune("delays")
    keeping.rollback("delays", who="tester")

    assert kept(keeping) == [2, 3, 4, 5]
    with pytest.raises(StoreError, match="version 2 is the champion: none before it is kept"):
        keeping.rollback("delays", who="tester")


def test_what_competes_is_pinned_or_held_is_kept_and_goes_later_when_it_is_not(
    keeping: ModelStore, client: redis.Redis
) -> None:
    for n in range(1, 7):
        publish(keeping, n)
    keeping.challengers.enter("delays", 1, who="ann")
    keeping.retention.pin("delays", 2, who="ann")
    keeping.retention.hold("delays", "task 0", {3})
    age(client)
    keeping.retention.prune("delays")
    in_use = kept(keeping)
    pins = keeping.retention.pins("delays")
    keeping.challengers.withdraw("delays", 1)
    assert keeping.retention.unpin("delays", 2)
    keeping.retention.hold("delays", "task 0", ())
    keeping.retention.prune("delays")
    lately = kept(keeping)
    age(client)
    keeping.retention.prune("delays")

    assert in_use == lately == [1, 2, 3, 5, 6]
    assert pins == {2: "ann"}
    assert not keeping.retention.unpin("delays", 2)
    assert kept(keeping) == [5, 6]


def test_what_one_task_holds_is_not_let_go_by_another(keeping: ModelStore, client: redis.Redis) -> None:
    for n in range(1, 5):
        publish(keeping, n)
    keeping.retention.hold("delays", "task 0", {1})
    keeping.retention.hold("delays", "task 1", {1, 2})
    keeping.retention.hold("delays", "task 1", {2})
    age(client)
    keeping.retention.prune("delays")
    assert kept(keeping) == [1, 2, 3, 4]


def test_a_version_that_is_not_there_cannot_be_pinned(keeping: ModelStore) -> None:
    with pytest.raises(UnknownVersion, match="has no version 7"):
        keeping.retention.pin("delays", 7, who="ann")


def test_an_artifact_stays_as_long_as_one_version_has_its_digest(keeping: ModelStore, client: redis.Redis) -> None:
    versions = f"{PREFIX}model:delays:versions"
    for n in range(1, 5):
        publish(keeping, n)
    shared = client.hget(versions, "1")
    assert isinstance(shared, bytes)
    client.hset(versions, "4", shared)
    age(client)
    keeping.retention.prune("delays")

    assert kept(keeping) == [3, 4]
    assert keeping.load("delays", 4)[1].digest in artifacts(client)


def test_the_step_that_made_a_removed_version_makes_another_one(keeping: ModelStore, client: redis.Redis) -> None:
    first = keeping.publish("delays", LEARNERS[0], meta=make_meta(), origin="here")
    for n in range(1, 4):
        publish(keeping, n)
    age(client)
    publish(keeping, 4)
    again = keeping.publish("delays", LEARNERS[0], meta=make_meta(), origin="here")

    assert first not in kept(keeping)
    assert again in kept(keeping)


def test_versions_from_before_last_uses_were_written_down_are_kept_for_as_long_from_now(
    keeping: ModelStore, client: redis.Redis
) -> None:
    for n in range(1, 5):
        publish(keeping, n)
    client.delete(f"{PREFIX}model:delays:used")
    first = keeping.retention.prune("delays")
    age(client)

    assert first == 0
    assert keeping.retention.prune("delays") == 2


class Registry(RuleBasedStateMachine):
    """Writers, some of them late, and time that passes."""

    server: EmbeddedValkey

    def __init__(self) -> None:
        super().__init__()
        self.client = redis.Redis.from_url(self.server.url)
        self.client.flushall()
        self.store = open_keeping(self.server)
        self.n = 0
        self.before: int | None = None  # the champion before this one, if it was there right before
        self.pinned: set[int] = set()
        self.entered: set[int] = set()
        self.held: set[int] = set()
        self.epoch = 0

    def teardown(self) -> None:
        self.client.close()

    def some(self, pick: int) -> int:
        known = kept(self.store)
        return known[pick % len(known)]

    @rule()
    def publish(self) -> None:
        self.n += 1
        assert publish(self.store, self.n) == self.n

    @precondition(lambda self: self.n)
    @rule(pick=st.integers(0, 50), late=st.booleans())
    def promote(self, pick: int, late: bool) -> None:
        version, before = self.some(pick), self.store.champion("delays")
        try:
            self.store.promote(
                "delays", version, expected_epoch=self.epoch - late, reason="promoted", who="zombie" if late else "ann"
            )
        except StaleWriter:
            assert late
            assert self.store.champion("delays") == before
        else:
            assert not late
            self.epoch += 1
            self.entered.discard(version)
            self.before = before.version if before and before.version != version else None

    @rule()
    def roll_back(self) -> None:
        try:
            self.store.rollback("delays", who="ann")
        except StoreError:
            assert self.before is None
            return
        self.epoch += 1
        self.before = None

    @precondition(lambda self: self.n)
    @rule(pick=st.integers(0, 50))
    def enter(self, pick: int) -> None:
        version = self.some(pick)
        if len(self.entered) < MAX_CHALLENGERS:
            self.store.challengers.enter("delays", version, who="ann")
            self.entered.add(version)

    @precondition(lambda self: self.entered)
    @rule()
    def withdraw(self) -> None:
        self.store.challengers.withdraw("delays", self.entered.pop())

    @precondition(lambda self: self.n)
    @rule(pick=st.integers(0, 50))
    def pin(self, pick: int) -> None:
        version = self.some(pick)
        self.store.retention.pin("delays", version, who="ann")
        self.pinned.add(version)

    @precondition(lambda self: self.pinned)
    @rule()
    def unpin(self) -> None:
        self.store.retention.unpin("delays", self.pinned.pop())

    @precondition(lambda self: self.n)
    @rule(picks=st.lists(st.integers(0, 50), max_size=2))
    def hold(self, picks: list[int]) -> None:
        self.held = {self.some(pick) for pick in picks}
        self.store.retention.hold("delays", "task 0", self.held)

    @rule()
    def time_passes(self) -> None:
        age(self.client)

    @rule()
    def prune(self) -> None:
        self.store.retention.prune("delays")

    @invariant()
    def what_is_in_use_is_kept(self) -> None:
        known = set(kept(self.store))
        champion = self.store.champion("delays")
        wanted = {
            self.before or self.n,
            *self.pinned,
            *self.entered,
            *self.held,
            *range(max(1, self.n - KEEP + 1), self.n + 1),
        } - {0}
        assert wanted | ({champion.version} if champion else set()) <= known
        assert {entered.version for entered in self.store.challengers.now("delays")} == self.entered

    @invariant()
    def what_is_kept_can_be_loaded_and_nothing_else_is_stored(self) -> None:
        metas = self.store.versions("delays")
        assert artifacts(self.client) == {meta.digest for meta in metas}
        for field, version in self.client.hgetall(f"{PREFIX}model:delays:digests").items():
            assert int(version) in {meta.version for meta in metas}, field


def test_no_order_of_changes_removes_what_is_in_use_or_lets_a_late_writer_in(server: EmbeddedValkey) -> None:
    machine: Any = type("Registry", (Registry,), {"server": server})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
