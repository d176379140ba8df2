from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import redis

from learners.artifacts import KeyRing, Untrusted, digest
from stream.config.model import RedisConfig
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.stores.base import StaleWriter, UnknownVersion
from stream.stores.connection import connect
from stream.stores.registry import ModelStore
from tests.integration.store.conftest import FOREIGN_KEY, KEY, Open, hanging, make_learner, make_meta

ROWS = [{"x": float(n)} for n in range(7)]
ARTIFACTS = "driftline:flights:artifact:"
CHAMPION = "driftline:flights:champion:delays:global"


def publish(store: ModelStore, labels: int = 0, parent: int = 0) -> int:
    return store.publish("delays", make_learner(labels), meta=make_meta(parent=parent, labels=labels))


def promote(store: ModelStore, version: int) -> None:
    champion = store.champion("delays")
    epoch = 0 if champion is None else champion.epoch
    store.promote("delays", version, expected_epoch=epoch, reason="promoted", who="tester")


def serving(store: ModelStore) -> int | None:
    champion = store.champion("delays")
    return None if champion is None else champion.version


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

    with pytest.raises(Untrusted, match="its bytes are not those of its digest"):
        store.load("delays", meta.version)


def test_a_genuine_artifact_in_the_place_of_another_models_is_refused(store: ModelStore, client: redis.Redis) -> None:
    version = publish(store)
    other = store.publish("payments", make_learner(5), meta=make_meta())
    theirs = client.hget("driftline:flights:model:payments:versions", str(other))
    assert theirs is not None
    client.hset("driftline:flights:model:delays:versions", str(version), theirs)

    with pytest.raises(Untrusted, match="signed as model 'payments' stands in the place of model 'delays'"):
        store.load("delays", version)


def test_bytes_that_are_no_artifact_are_refused(store: ModelStore, client: redis.Redis) -> None:
    meta = store.version("delays", publish(store))
    forged = b"cos\nsystem\n(S'true'\ntR."
    client.set(f"{ARTIFACTS}{digest(forged)}", forged)
    raw = msgspec.json.encode(msgspec.structs.replace(meta, digest=digest(forged), size=len(forged)))
    client.hset("driftline:flights:model:delays:versions", str(meta.version), raw)

    with pytest.raises(Untrusted, match="not a signed model"):
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


# champion


def test_the_first_promotion_makes_a_champion(store: ModelStore) -> None:
    version = publish(store)
    champion = store.promote("delays", version, expected_epoch=0, reason="first", who="task 0")
    assert (champion.version, champion.epoch, champion.reason, champion.who) == (1, 1, "first", "task 0")
    assert champion.digest == store.version("delays", 1).digest
    assert champion.since > 1_600_000_000
    assert store.champion("delays") == champion


def test_a_stale_writer_cannot_overwrite_a_newer_champion(server: EmbeddedValkey, open_store: Open) -> None:
    mine, theirs = open_store(server), open_store(server)
    promote(mine, publish(mine))
    seen = mine.champion("delays")
    assert seen is not None
    promote(theirs, publish(theirs, labels=1))

    with pytest.raises(StaleWriter, match=r"the champion is version 2, epoch 2; version 1 was to follow epoch 1"):
        mine.promote("delays", 1, expected_epoch=seen.epoch, reason="beat_champion", who="task 1")

    assert serving(mine) == 2


def test_a_zombie_cannot_move_the_champion_back_even_where_its_version_serves_again(
    server: EmbeddedValkey, open_store: Open
) -> None:
    # Given a worker that was stopped while version 1 served, and a promotion and its rollback since
    zombie, theirs = open_store(server), open_store(server)
    promote(zombie, publish(zombie))
    seen = zombie.champion("delays")
    assert seen is not None
    promote(theirs, publish(theirs, labels=1))
    theirs.rollback("delays", who="tester")
    challenger = publish(zombie, labels=2)

    # When it wakes up and promotes what it had made
    with pytest.raises(StaleWriter):
        zombie.promote("delays", challenger, expected_epoch=seen.epoch, reason="beat_champion", who="task 1")

    # Then what serves is what was decided without it
    champion = theirs.champion("delays")
    assert champion is not None
    assert (champion.version, champion.epoch, champion.reason) == (1, 3, "rollback")


def test_of_writers_at_once_exactly_one_wins(server: EmbeddedValkey, open_store: Open) -> None:
    stores = [open_store(server) for _ in range(4)]
    versions = [publish(store, labels=n) for n, store in enumerate(stores)]

    def race(n: int) -> int | None:
        try:
            promoted = stores[n].promote("delays", versions[n], expected_epoch=0, reason="first", who=f"task {n}")
        except StaleWriter:
            return None
        return promoted.version

    with ThreadPoolExecutor(4) as pool:
        winners = [version for version in pool.map(race, range(4)) if version is not None]
    assert winners == [serving(stores[0])]


def test_a_version_that_does_not_exist_is_not_promoted(store: ModelStore) -> None:
    promote(store, publish(store))
    with pytest.raises(UnknownVersion):
        store.promote("delays", 9, expected_epoch=1, reason="promoted", who="tester")
    assert serving(store) == 1


def test_a_version_whose_artifact_is_gone_is_not_promoted(store: ModelStore, client: redis.Redis) -> None:
    promote(store, publish(store))
    lost = store.version("delays", publish(store, labels=1))
    client.delete(f"{ARTIFACTS}{lost.digest}")
    with pytest.raises(UnknownVersion, match="the artifact of model delays version 2 is gone"):
        store.promote("delays", lost.version, expected_epoch=1, reason="promoted", who="tester")
    assert serving(store) == 1


def test_scopes_have_champions_of_their_own(store: ModelStore) -> None:
    version = publish(store)
    store.promote("delays", version, expected_epoch=0, scope="partition-3", reason="first", who="task 3")
    assert serving(store) is None
    assert store.champion("delays", "partition-3") is not None


def test_a_promotion_is_hinted_at_on_the_channel(store: ModelStore) -> None:
    version = publish(store)
    hints = store.hints()
    try:
        promote(store, version)
        assert hints.wait(5.0)
    finally:
        hints.close()


def test_a_promotion_whose_answer_was_lost_is_not_made_twice(server: EmbeddedValkey) -> None:
    class AnswersLost(redis.Connection):
        """Loses the first answer to every script, after the server has run it."""

        lose = False

        def read_response(self, *args: Any, **kwargs: Any) -> Any:
            answer = super().read_response(*args, **kwargs)
            if AnswersLost.lose and isinstance(answer, list) and answer[:1] == [b"ok"]:
                AnswersLost.lose = False
                self.disconnect()  # type: ignore[no-untyped-call]
                raise redis.ConnectionError("Connection closed by server.")
            return answer

    with connect(RedisConfig(url=server.url)) as client:
        store = ModelStore(client, "flights", key=KEY, keys=KeyRing([KEY]))
        version = publish(store)
        client.connection_pool.disconnect()
        client.connection_pool.connection_class = AnswersLost
        client.connection_pool.reset()
        AnswersLost.lose = True

        champion = store.promote("delays", version, expected_epoch=0, reason="first", who="task 0")

        assert not AnswersLost.lose
        assert (champion.version, champion.epoch) == (1, 1)


# rolling back


@pytest.fixture
def three_champions(store: ModelStore) -> ModelStore:
    for labels in range(3):
        promote(store, publish(store, labels))
    return store


def test_rolling_back_twice_goes_back_two_champions(three_champions: ModelStore) -> None:
    assert three_champions.rollback("delays", who="tester").version == 2
    second = three_champions.rollback("delays", who="tester")
    assert (second.version, second.epoch, second.reason) == (1, 5, "rollback")


def test_the_first_champion_cannot_be_rolled_back(three_champions: ModelStore) -> None:
    three_champions.rollback("delays", 1, who="tester")
    with pytest.raises(StoreError, match="version 1 is the first champion: there is none before it"):
        three_champions.rollback("delays", who="tester")


def test_what_follows_a_rollback_rolls_back_to_where_it_began(three_champions: ModelStore) -> None:
    three_champions.rollback("delays", who="tester")
    promote(three_champions, publish(three_champions, labels=9))
    assert serving(three_champions) == 4
    assert three_champions.rollback("delays", who="tester").version == 2


def test_rolling_back_to_a_version_that_never_reigned_promotes_it(three_champions: ModelStore) -> None:
    idle = publish(three_champions, labels=20)
    assert three_champions.rollback("delays", idle, who="tester").version == idle
    assert three_champions.rollback("delays", who="tester").version == 3


def test_a_champion_promoted_again_still_rolls_back_to_another(three_champions: ModelStore) -> None:
    promote(three_champions, 3)
    assert three_champions.rollback("delays", who="tester").version == 2


def test_rolling_back_to_the_champion_is_refused(three_champions: ModelStore) -> None:
    with pytest.raises(StoreError, match="version 3 is the champion already"):
        three_champions.rollback("delays", 3, who="tester")


def test_without_a_champion_there_is_nothing_to_roll_back(store: ModelStore) -> None:
    with pytest.raises(StoreError, match="has no champion: there is nothing to roll back"):
        store.rollback("delays", who="tester")


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
