"""Challengers from outside: what a task is told of them, what its journal tells, and its past done over."""

from __future__ import annotations

from typing import Any, cast

import pytest

from learners.base import Learner, Problem, Schema
from learners.linear import LogisticConfig
from learners.registry import build
from stream.core import journal
from stream.core.engine import Engine
from stream.core.fingerprint import fingerprint
from stream.core.journal import ChallengeStep, Entry, WithdrawStep
from stream.decode import EventDecoder, LabelDecoder
from stream.kafka.champions import Champions
from stream.kafka.opening import Past, needed
from stream.kafka.replay import Gap, Replay
from stream.kafka.task import Task
from stream.records import Challenge, Promote, PromotionRefused, Swap, Withdraw
from stream.stores.base import Entered, Entrant, UnknownVersion, VersionMeta
from stream.stores.entrants import Field
from stream.stores.registry import ModelStore
from stream.stores.watch import ChampionWatcher
from stream.telemetry import Telemetry
from stream.testing import drive, event, label, small_config
from tests.unit.kafka.memory import Life
from tests.unit.kafka.numbered import some, their_labels
from tests.unit.kafka.test_task import a_task

DIGEST = "d7" * 32


def opposite() -> Learner[Any]:
    """A learner that has learned the opposite of what is true."""
    learner = build(LogisticConfig(learning_rate=0.5), Problem.BINARY, Schema(("x",), ("kind",)), seed=1)
    rows = [one.features for one in some(0, 200)]
    learner.learn(rows, [row["x"] <= 0 for row in rows])
    return learner


def a_life_with_a_challenger() -> Life:
    life = Life(small_config())
    life.take([*some(0, 40), *their_labels(0, 40)])
    life.task.command(Challenge(opposite(), 7, digest=DIGEST))
    life.take([*some(40, 80), *their_labels(40, 80)])
    return life


def done_over(life: Life, load: Any) -> Engine:
    """A new task that has done all of a life's journal over."""
    config = life.config
    engine = Engine(config, 0)
    with Past(config, 0, life.log.reader) as past:
        events = past.tape(config.topics.events, EventDecoder(config).decode)
        labels = past.tape(config.topics.labels, LabelDecoder(config).decode)
        replay = Replay(engine, events, labels, lambda digest: needed(load, digest))
        for entry in past.entries(0):
            for _ in replay.entry(entry):
                pass
    return engine


def steps(life: Life) -> list[Any]:
    records = life.log.records[life.config.topics.journal or "", 0]
    return [step for record in records for step in journal.decode(record.value).steps]


# the journal


def test_the_past_of_a_task_with_a_challenger_is_done_over_to_the_last_bit() -> None:
    life = a_life_with_a_challenger()
    competing = life.task.engine.state
    assert [one.version for one in competing.adaptation.contestants] == [7]
    assert competing.pushed == {7}

    again = done_over(life, lambda digest: {DIGEST: opposite()}[digest])

    assert fingerprint(again.state) == fingerprint(life.task.engine.state)


def test_the_past_of_a_task_whose_challenger_was_withdrawn_is_done_over_to_the_last_bit() -> None:
    life = a_life_with_a_challenger()
    life.task.command(Withdraw(7))
    life.take([*some(80, 120), *their_labels(80, 120)])
    assert not life.task.engine.state.adaptation.contestants
    assert life.task.engine.state.pushed == frozenset()

    again = done_over(life, lambda digest: {DIGEST: opposite()}[digest])

    assert fingerprint(again.state) == fingerprint(life.task.engine.state)


def test_the_journal_names_a_challenger_by_the_digest_of_its_artifact() -> None:
    life = a_life_with_a_challenger()
    life.task.command(Withdraw(7))
    life.take(some(80, 81))

    told = [step for step in steps(life) if isinstance(step, (ChallengeStep, WithdrawStep))]

    assert [(type(step).__name__, step.version) for step in told] == [("ChallengeStep", 7), ("WithdrawStep", 7)]
    assert [step.digest for step in told if isinstance(step, ChallengeStep)] == [DIGEST]


def test_a_past_whose_challenger_was_removed_from_the_store_says_what_is_missing() -> None:
    def gone(digest: str) -> Learner[Any]:
        raise UnknownVersion(f"the artifact {digest[:12]} of model small is not in Redis at here", "It was removed.")

    with pytest.raises(Gap, match=f"the artifact {DIGEST[:12]} of model small is not in Redis"):
        done_over(a_life_with_a_challenger(), gone)


def test_entries_from_before_there_were_challengers_are_read() -> None:
    old = b'{"format":1,"sequence":3,"config":"c","start":{},"end":{},"steps":'
    old += b'[{"type":"refused","now":1.0,"reason":"r"}]}'
    entry: Entry = journal.decode(old)
    assert len(entry.steps) == 1


# the engine


def test_a_challenger_that_was_pushed_and_proves_better_is_proposed_as_a_child_of_its_version_and_the_champion() -> (
    None
):
    engine = Engine(small_config({"adaptation": {"min_labels": 100}}), 0)
    engine.command(Swap(engine.state.champion, 3, "first"), 1.0)
    records: list[Any] = []
    for n in range(300):  # the champion learns too little to keep up
        records += [event(n, some(n, n + 1)[0].features), label(n, some(n, n + 1)[0].features["x"] <= 0)]
    engine.command(Challenge(opposite(), 7, digest=DIGEST), 1.0)

    asked = [effect for effect in drive(engine, records) if isinstance(effect, Promote)]

    assert [(one.expected_version, one.parents) for one in asked] == [(3, (7, 3))]


# what a task is told


class Watching:
    """A watcher that has seen this field of challengers, and no change of the champion."""

    healthy = True
    champion = object()
    has_news = False

    def __init__(self) -> None:
        self.field: Field | None = None

    def take(self) -> None:
        """Nothing has changed."""

    def sees(self, *versions: int, refused: tuple[int, ...] = ()) -> None:
        meta = VersionMeta(created=1.0, recipe="logistic", reason="pushed", who="ann", digest=DIGEST)
        entrants = {v: Entrant(meta, opposite, Entered(v, 1.0, "ann")) for v in versions}
        self.field = Field(frozenset((*versions, *refused)), entrants)


class Holding:
    """A store that writes down what is held."""

    def __init__(self) -> None:
        self.retention = self
        self.held: list[tuple[str, list[int]]] = []

    def hold(self, name: str, holder: str, versions: frozenset[int]) -> None:
        self.held.append((holder, sorted(versions)))


def champions(watcher: Watching, store: Holding | None = None, policy: str = "replace_when_better") -> Champions:
    config = small_config({"adaptation": {"policy": policy}})
    seen = cast(ChampionWatcher, watcher)
    return Champions(config, cast(ModelStore, store or Holding()), seen, Telemetry("small"), lambda: 1e9)


def told(champions: Champions, task: Task) -> list[tuple[str, int]]:
    """All that a task is told, in turn."""
    commands = []
    while (command := champions.news(task)) is not None:
        task.command(command)
        assert not isinstance(command, PromotionRefused)
        commands.append((type(command).__name__, command.version))
    return commands


def test_each_challenger_is_told_once_and_withdrawn_once() -> None:
    watcher, task = Watching(), a_task()
    driver = champions(watcher)
    before = told(driver, task)
    watcher.sees(4, 6)
    entered, again = told(driver, task), told(driver, task)
    watcher.sees(6)
    withdrawn = told(driver, task)

    assert before == []
    assert entered == [("Challenge", 4), ("Challenge", 6)]
    assert again == []
    assert withdrawn == [("Withdraw", 4)]


def test_a_challenger_that_is_refused_is_not_told_but_one_that_competes_already_goes_on() -> None:
    watcher, task = Watching(), a_task()
    driver = champions(watcher)
    watcher.sees(4)
    told(driver, task)
    watcher.sees(refused=(4, 5))

    assert told(driver, task) == []
    assert task.engine.state.pushed == {4}


def test_a_service_that_only_alerts_takes_no_challengers() -> None:
    watcher = Watching()
    watcher.sees(4)
    assert told(champions(watcher, policy="alert_only"), a_task()) == []


def test_the_store_is_told_once_which_versions_live_on_in_a_task_and_only_when_all_is_committed() -> None:
    watcher, task, store = Watching(), a_task(), Holding()
    driver = champions(watcher, store)
    watcher.sees(4)
    told(driver, task)

    driver.command(task, settled=False)
    unsettled = list(store.held)
    for _ in range(3):
        driver.command(task, settled=True)

    assert unsettled == []
    assert store.held == [("task 0", [4])]


def test_a_challenger_from_outside_that_has_retired_is_held_no_more_and_not_taken_up_again() -> None:
    watcher, store = Watching(), Holding()
    config = small_config({"adaptation": {"min_labels": 30, "max_labels": 50}})
    task = Task(config, 0, None, (EventDecoder(config), LabelDecoder(config)))
    driver = champions(watcher, store)
    watcher.sees(4)
    told(driver, task)
    driver.command(task, settled=True)

    drive(task.engine, [one for n in range(60) for one in (event(n, {"x": 1.0}), label(n, n % 2 == 0))])
    driver.command(task, settled=True)

    assert task.engine.state.adaptation.contestants == []
    assert store.held == [("task 0", [4]), ("task 0", [])]
    assert told(driver, task) == []
