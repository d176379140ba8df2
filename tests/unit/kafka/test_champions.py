"""When the worker may write to the model store."""

from __future__ import annotations

from typing import cast

from stream.errors import StoreError
from stream.kafka.champions import Champions
from stream.stores.registry import ModelStore
from stream.stores.watch import ChampionWatcher
from stream.telemetry import Telemetry
from stream.testing import small_config
from tests.unit.kafka.test_task import a_task


class Away:
    """A store without a champion, as far as is known, that is away when it is asked."""

    healthy = True
    champion = None
    field = None

    def take(self) -> None:
        """Nothing has changed."""


class Asked:
    def __init__(self) -> None:
        self.times = 0

    def champion(self, name: str) -> None:
        self.times += 1
        raise StoreError("away", "")


def test_nothing_is_written_to_the_store_for_a_task_with_steps_that_are_not_committed() -> None:
    store = Asked()
    champions = Champions(
        small_config(), cast(ModelStore, store), cast(ChampionWatcher, Away()), Telemetry("small"), lambda: 1e9
    )
    task = a_task()
    champions.command(task, settled=False)
    unsettled = store.times
    champions.command(task, settled=True)

    assert (unsettled, store.times) == (0, 1)
