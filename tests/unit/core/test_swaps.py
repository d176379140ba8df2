"""What becomes of the champion before, of the library and of the pool when another serves."""

from __future__ import annotations

from typing import Any

import pytest

from learners.base import Learner
from stream.core.adaptation import CHECK_EVERY, Adaptation
from stream.core.fingerprint import fingerprint
from stream.core.lifecycle import Stage
from tests.unit.core.contests import (
    LIMIT,
    LOST,
    WON,
    adaptation,
    champion,
    joined,
    some,
    stages,
    swap_to_proposed,
    until_won,
)

TREE = {"kind": "hoeffding_tree"}


def test_the_champion_before_goes_on_in_shadow_and_comes_back_when_it_proves_better() -> None:
    under_test, before = adaptation(), champion()
    under_test.start(before, 0, 0, warning=False)
    until_won(under_test, champion=0.1, rivals=0.9)
    new = swap_to_proposed(under_test, before)
    assert (stages(under_test), under_test.champion_stage) == ({"previous": Stage.SHADOW}, Stage.PROBATION)

    for at in range(LIMIT):
        won = under_test.step(joined(under_test, CHECK_EVERY, first=6000 + at * CHECK_EVERY, champion=0.1, rivals=0.9))
        if won is not None:
            break
    assert won is not None
    proposed = under_test.proposed
    assert proposed is not None
    assert (proposed.reason, proposed.version) == ("rollback", 1)
    assert proposed.learner is before
    under_test.swapped(new.learner, 2, before, "rollback", 9000)

    assert (under_test.contestants, under_test.champion_stage) == ([], Stage.CHAMPION)
    assert under_test.library.models == [], "what failed on probation is not kept"


def test_going_back_by_hand_to_the_one_in_shadow_brings_back_what_it_has_learned_there() -> None:
    under_test, before = adaptation(), champion()
    under_test.start(before, 0, 0, warning=False)
    until_won(under_test, champion=0.1, rivals=0.9)
    new = swap_to_proposed(under_test, before, version=7)
    some(under_test, CHECK_EVERY, first=6000, **LOST)

    held = under_test.holding(7)
    assert held is before
    assert fingerprint(held) != fingerprint(champion()), "it learned in the shadow"
    under_test.swapped(new.learner, 8, held, "rollback", 9000)

    assert (under_test.contestants, under_test.champion_stage) == ([], Stage.CHAMPION)
    assert under_test.holding(7) is None, "it serves"
    assert under_test.holding(8) is None, "whoever was sent away does not look on"


def test_going_back_by_hand_to_one_of_the_library_serves_a_copy_of_it() -> None:
    under_test, before = adaptation(probation=CHECK_EVERY, buffer=100), champion()
    some(under_test, 10 * CHECK_EVERY, first=0, **LOST)
    under_test.start(before, 500, 0, warning=False)
    until_won(under_test, champion=0.1, rivals=0.9)
    new = swap_to_proposed(under_test, before, version=7)
    some(under_test, CHECK_EVERY, first=6000, **LOST)
    (kept,) = under_test.library.models

    held = under_test.holding(7)
    assert held is not None
    assert held is not kept.learner
    assert fingerprint(held) == fingerprint(kept.learner)
    under_test.swapped(new.learner, 8, held, "rollback", 9000)

    assert [model.version for model in under_test.library.models] == [7], "it may be called back once more"
    assert under_test.holding(3) is None, "what it never had comes from the store"


def test_a_champion_that_holds_up_passes_its_probation_and_the_one_before_joins_the_library() -> None:
    under_test, before = adaptation(probation=100, buffer=100), champion()
    for at in range(10):
        under_test.step(joined(under_test, CHECK_EVERY, first=at * CHECK_EVERY, champion=0.9))
    under_test.start(before, 500, 0, warning=False)
    until_won(under_test, champion=0.1, rivals=0.9)
    swap_to_proposed(under_test, before, version=7)

    for at in range(2):
        under_test.step(joined(under_test, CHECK_EVERY, first=6000 + at * CHECK_EVERY, champion=0.9, rivals=0.1))

    assert (under_test.contestants, under_test.champion_stage) == ([], Stage.CHAMPION)
    assert [model.version for model in under_test.library.models] == [7]


def test_without_probation_nobody_is_brought_back() -> None:
    under_test, before = adaptation(probation=0), champion()
    under_test.start(before, 0, 0, warning=False)
    until_won(under_test, champion=0.1, rivals=0.9)
    swap_to_proposed(under_test, before)

    assert (under_test.contestants, under_test.champion_stage) == ([], Stage.CHAMPION)


def test_a_pool_always_competes_and_holds_every_recipe_but_the_champions() -> None:
    under_test, before = adaptation(pool=[{"kind": "hoeffding_tree"}], probation=100), champion()
    assert [(one.origin, one.learner.config.kind) for one in under_test.contestants] == [("pool", "hoeffding_tree")]

    until_won(under_test, champion=0.1, rivals=0.9)
    assert swap_to_proposed(under_test, before).learner.config.kind == "hoeffding_tree"
    for at in range(2):
        under_test.step(joined(under_test, CHECK_EVERY, first=6000 + at * CHECK_EVERY, champion=0.9, rivals=0.1))

    assert [(one.origin, one.learner.config.kind) for one in under_test.contestants] == [("pool", "logistic")]
    assert under_test.contestants[0].learner is before, "it has learned on, and need not begin anew"


def test_going_back_by_hand_to_a_model_from_outside_takes_the_one_that_competes() -> None:
    under_test, before, pushed = adaptation(), champion(), champion()
    under_test.enter(pushed, 8, 0)
    some(under_test, CHECK_EVERY, first=0, **LOST)

    held = under_test.holding(8)
    assert held is pushed
    under_test.swapped(before, 7, held, "rollback", 9000)

    assert under_test.contestants == []
    assert under_test.versions == frozenset(), "what is told to be held is what can come back"


@pytest.mark.parametrize("stage", [Stage.TRAINING, Stage.CANDIDATE, Stage.PROPOSED])
def test_going_back_by_hand_to_one_that_went_back_to_the_pool_takes_it_from_there(stage: Stage) -> None:
    under_test, before = adaptation(pool=[TREE], probation=2 * CHECK_EVERY), champion()
    until_won(under_test, **WON)
    new = swap_to_proposed(under_test, before, version=7)
    some(under_test, 2 * CHECK_EVERY, first=6000, **LOST)
    (pooled,) = under_test.contestants
    if stage is not Stage.TRAINING:
        some(under_test, CHECK_EVERY, first=7000, **LOST)
    if stage is Stage.PROPOSED:
        until_won(under_test, first=8000, **WON)
    assert (pooled.origin, pooled.stage) == ("pool", stage)

    held = under_test.holding(7)
    assert held is before
    under_test.swapped(new.learner, 8, held, "rollback", 9000)

    assert under_test.champion_stage is Stage.CHAMPION
    assert [(one.origin, one.learner.config.kind) for one in under_test.contestants] == [("pool", "hoeffding_tree")]


def test_a_refused_challenger_retires_and_one_of_the_pool_goes_on() -> None:
    under_test = adaptation(pool=[{"kind": "hoeffding_tree"}])
    until_won(under_test, champion=0.1, rivals=0.9)
    under_test.refused()
    assert stages(under_test) == {"pool": Stage.TRAINING}
    assert under_test.won is None

    under_test = adaptation()
    under_test.start(champion(), 0, 0, warning=False)
    until_won(under_test, champion=0.1, rivals=0.9)
    under_test.refused()
    assert under_test.contestants == []


def test_a_swap_from_elsewhere_ends_what_competed_with_the_champion_before() -> None:
    under_test = adaptation(pool=[{"kind": "hoeffding_tree"}])
    under_test.start(champion(), 0, 0, warning=False)
    under_test.step(joined(under_test, CHECK_EVERY))

    under_test.swapped(champion(), 3, champion(), "promoted", 100)

    assert stages(under_test) == {"pool": Stage.TRAINING, "previous": Stage.SHADOW}
    assert all((one.first_offset, one.duel.n) == (100, 0) for one in under_test.contestants)


def test_a_pool_champion_is_challenged_by_a_fresh_model_of_its_own_recipe() -> None:
    under_test, before = adaptation(pool=[TREE]), champion()
    until_won(under_test, **WON)
    new = swap_to_proposed(under_test, before).learner

    under_test.start(new, 6000, 0, warning=False)

    assert [one.learner.config.kind for one in under_test.contestants if one.origin == "fresh"] == ["hoeffding_tree"]


def test_one_that_goes_back_to_the_pool_errs_no_oftener_than_others_there_and_is_kept_as_it_was() -> None:
    under_test, before = adaptation(pool=[TREE], probation=100), champion()
    (first,) = under_test.contestants
    error = first.error
    some(under_test, 500, first=0, rivals=0.4)
    until_won(under_test, **WON)
    swap_to_proposed(under_test, before)

    some(under_test, 100, first=6000, **LOST)

    (back,) = under_test.contestants
    assert (back.learner, back.error) == (before, error)
    assert [model.version for model in under_test.library.models] == [1]


def replaced(under_test: Adaptation, before: Learner[Any], version: int) -> None:
    """A champion that reigned for 500 labels, was replaced on drift, and did not come back."""
    some(under_test, 500, first=0, champion=0.9)
    under_test.start(before, 500, 0, warning=False)
    some(under_test, CHECK_EVERY, first=500, rivals=0.4)
    before.learn([{"x": 1.0}] * 50, [False] * 50)
    under_test.start(before, 550, 0, warning=False)
    until_won(under_test, **WON)
    swap_to_proposed(under_test, before, version)
    some(under_test, 2000, first=6000, **LOST)


def test_a_champion_is_kept_as_it_was_when_its_world_ended() -> None:
    under_test, before = adaptation(), champion()
    before.learn([{"x": 1.0}] * 50, [True] * 50)
    in_its_world = fingerprint(before)

    replaced(under_test, before, 7)

    (kept,) = under_test.library.models
    assert kept.version == 7
    assert fingerprint(kept.learner) == in_its_world
    assert fingerprint(before) != in_its_world


def test_a_model_of_the_library_competes_on_drift_and_leaves_when_it_proves_worse() -> None:
    under_test, before = adaptation(), champion()
    replaced(under_test, before, 7)
    under_test.start(champion(), 9000, 0, warning=False)
    assert stages(under_test) == {"fresh": Stage.TRAINING, "library": Stage.TRAINING}
    assert under_test.versions == {7}

    some(under_test, 500, first=9000, champion=0.6, rivals=lambda one: 0.1 if one.origin == "library" else 0.6)

    assert stages(under_test) == {"fresh": Stage.CANDIDATE}
    assert under_test.versions == {7}, "it stays in the library"


def test_without_probation_the_champion_before_joins_the_library_at_once() -> None:
    under_test = adaptation(probation=0)
    some(under_test, 500, first=0, champion=0.9)

    under_test.swapped(champion(), 5, champion(), "promoted", 500)

    assert [model.version for model in under_test.library.models] == [5]


def test_the_untrained_model_that_a_store_replaces_at_the_start_does_not_look_on() -> None:
    under_test = adaptation()

    under_test.swapped(champion(), 0, champion(), "first", 0)

    assert under_test.contestants == []
