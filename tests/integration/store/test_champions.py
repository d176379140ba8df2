"""Which version serves: promotions of several writers, and the way back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from learners.artifacts import KeyRing, Trust
from stream.config.redis import RedisConfig
from stream.embedded.valkey import EmbeddedValkey
from stream.errors import StoreError
from stream.stores.base import StaleWriter, UnknownVersion
from stream.stores.connection import connect
from stream.stores.registry import ModelStore
from tests.integration.store.conftest import KEY, Open, promote, publish, serving

ARTIFACTS = "driftline:flights:artifact:"


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
        store = ModelStore(client, "flights", Trust(KeyRing([KEY]), KEY))
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
