"""Challengers: on what they are compared, when they are decided about, and what becomes of them."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from stream.config.adaptation import AdaptationConfig
from stream.core.adaptation import CHECK_EVERY, Adaptation
from stream.core.fingerprint import fingerprint
from stream.core.lifecycle import Stage
from stream.core.problem import RegressionJudge
from stream.core.state import TaskState
from stream.testing import small_config
from tests.unit.core.contests import LIMIT, WON, adaptation, champion, joined, some, stages, swap_to_proposed, until_won

TREE = {"kind": "hoeffding_tree"}


def test_a_better_challenger_wins_at_a_decision_and_is_proposed_once() -> None:
    under_test = adaptation()
    assert under_test.start(champion(), 0, 0, warning=False)

    assert under_test.step(joined(under_test, CHECK_EVERY - 1)) is None
    assert under_test.until_decision() == 1
    won = until_won(under_test, champion=0.1, rivals=0.9)

    assert won.champion_loss > won.challenger_loss
    assert won.interval is not None
    assert won.interval[0] > 0
    assert under_test.proposed is not None
    for _ in range(5):
        assert under_test.step(joined(under_test, CHECK_EVERY, first=9000, champion=0.1, rivals=0.9)) is None


def test_a_challenger_that_is_no_better_retires_at_the_decision_after_its_last_label() -> None:
    under_test = adaptation(max_labels=2 * CHECK_EVERY)
    under_test.start(champion(), 0, 0, warning=False)

    under_test.step(joined(under_test, CHECK_EVERY, rivals=0.4))
    assert stages(under_test) == {"fresh": Stage.CANDIDATE}
    under_test.step(joined(under_test, CHECK_EVERY, rivals=0.4))

    assert under_test.contestants == []


def test_nobody_wins_while_promotions_are_held() -> None:
    under_test = adaptation()
    under_test.start(champion(), 0, 0, warning=False)

    for at in range(LIMIT):
        part = joined(under_test, CHECK_EVERY, first=at * CHECK_EVERY, champion=0.1, rivals=0.9)
        assert under_test.step(part, held=True) is None
    assert until_won(under_test, champion=0.1, rivals=0.9)


def test_a_champion_on_probation_that_proves_worse_is_rolled_back_though_promotions_are_held() -> None:
    under_test = adaptation(pool=[TREE])
    under_test.start(champion(), 0, 0, warning=False)
    until_won(under_test, champion=0.1, rivals=lambda one: 0.9 if one.origin == "fresh" else 0.1)
    swap_to_proposed(under_test, champion())

    won = None
    for at in range(LIMIT):
        part = joined(under_test, CHECK_EVERY, first=6000 + at * CHECK_EVERY, champion=0.1, rivals=0.9)
        won = won or under_test.step(part, held=True)

    assert won is not None
    assert under_test.proposed is not None
    assert (under_test.proposed.origin, under_test.proposed.reason) == ("previous", "rollback")


def test_a_challenger_is_compared_on_its_own_predictions_alone_but_learns_from_every_label() -> None:
    under_test = adaptation()
    under_test.start(champion(), 100, 0, warning=False)

    under_test.step(joined(under_test, 70, first=30))  # 70 of them before it started
    others = joined(under_test, 10, first=100)
    for waiting in others.waiting:
        waiting.rivals = None
    under_test.step(others)
    under_test.step(joined(under_test, 5, first=110))

    (challenger,) = under_test.contestants
    assert (challenger.duel.n, challenger.learned) == (5, 85)


def test_a_young_challenger_is_not_replaced_and_an_older_one_is() -> None:
    under_test = adaptation()
    under_test.start(champion(), 0, 0, warning=False)
    (first,) = under_test.contestants

    assert not under_test.start(champion(), 10, 0, warning=False)
    under_test.step(joined(under_test, CHECK_EVERY, rivals=0.3))
    assert under_test.start(champion(), 30, 0, warning=False), "judged, and not the better one"
    assert [one.number for one in under_test.contestants] == [first.number + 1]


def test_a_fresh_challenger_begins_with_the_labels_since_the_change_and_a_copy_with_them_once_more() -> None:
    under_test = adaptation(challengers=["fresh", "copy"], buffer=100)
    serving = champion()
    under_test.step(joined(under_test, 200))

    under_test.start(serving, 0, 60, warning=False)

    fresh, copy = under_test.contestants
    assert (fresh.origin, fresh.learned, copy.origin, copy.learned) == ("fresh", 60, "copy", 60)
    assert fresh.learner.predict([{"x": 1.0}])[0] > 0.5
    assert serving.predict([{"x": 1.0}]) == [0.5], "the champion itself is taught nothing"


def test_what_a_false_warning_started_retires_and_a_drift_confirms_it() -> None:
    for confirmed in (False, True):
        under_test = adaptation(start="warning", buffer=100)
        assert under_test.start(champion(), 0, 0, warning=True)
        under_test.step(joined(under_test, 20, rivals=0.4))
        if confirmed:
            assert not under_test.start(champion(), 20, 0, warning=False)
        for at in range(4):
            under_test.step(joined(under_test, CHECK_EVERY, first=20 + at * CHECK_EVERY, rivals=0.4))
        assert bool(under_test.contestants) == confirmed


def test_a_warning_starts_nothing_where_drift_must() -> None:
    assert not adaptation().start(champion(), 0, 0, warning=True)


@pytest.mark.parametrize("policy", ["keep_learning", "alert_only"])
def test_policies_without_challengers_start_none(policy: str) -> None:
    under_test = adaptation(policy=policy)

    assert not under_test.start(champion(), 0, 0, warning=False)
    assert under_test.learns == (policy == "keep_learning")
    assert not under_test.reacts


def test_reset_promotes_a_fresh_model_at_the_next_decision_whatever_it_is_worth() -> None:
    under_test = adaptation(policy="reset")
    under_test.start(champion(), 0, 0, warning=False)

    won = under_test.step(joined(under_test, CHECK_EVERY, champion=0.9, rivals=0.1))

    assert won is not None
    assert under_test.proposed is not None
    assert under_test.proposed.reason == "reset"


def test_a_drift_that_is_told_twice_before_a_reset_resets_once() -> None:
    under_test = adaptation(policy="reset", start="warning", challengers=["copy"])
    under_test.start(champion(), 0, 0, warning=True)

    for _ in range(2):
        assert not under_test.start(champion(), 0, 0, warning=False)

    assert stages(under_test) == {"reset": Stage.TRAINING}


def test_a_regression_is_reset_with_nothing_said_of_what_cannot_be_known_yet() -> None:
    model = {"problem": "regression", "learner": {"kind": "linear_regression"}}
    config = small_config({"model": model, "adaptation": {"policy": "reset"}})
    serving = TaskState(config).champion
    under_test = Adaptation(config, serving, RegressionJudge(None))
    under_test.step(joined(under_test, 10))
    under_test.start(serving, 0, 0, warning=False)

    under_test.step(joined(under_test, CHECK_EVERY - 10))

    proposal = under_test.proposal(1)
    assert proposal is not None
    assert (proposal.reason, proposal.intervals) == ("reset", {})


def test_models_from_outside_compete_until_they_are_withdrawn_and_the_oldest_of_too_many_gives_way() -> None:
    under_test = adaptation()
    for version in (4, 5, 6, 7):
        under_test.enter(champion(), version, 0)
    assert [(one.origin, one.version) for one in under_test.contestants] == [("pushed", v) for v in (5, 6, 7)]
    assert under_test.versions == {5, 6, 7}

    under_test.leave(6)

    assert under_test.versions == {5, 7}


def test_it_goes_on_from_a_pickle_as_if_it_had_not_been_stored() -> None:
    under_test = adaptation(challengers=["fresh", "copy"], pool=[{"kind": "hoeffding_tree"}])
    under_test.step(joined(under_test, 130))
    under_test.start(champion(), 130, 70, warning=False)
    stored = pickle.loads(pickle.dumps(under_test))

    for one in (under_test, stored):
        one.step(joined(one, 330, first=130, champion=0.3))

    assert fingerprint(stored) == fingerprint(under_test)


def test_a_learner_of_the_pool_that_cannot_do_the_problem_is_refused_with_its_place() -> None:
    with pytest.raises(
        ValidationError, match=r"adaptation.pool\[1\]: learner.kind: linear_regression cannot do binary"
    ):
        adaptation(pool=[{"kind": "hoeffding_tree"}, {"kind": "linear_regression"}])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"max_labels": 40, "min_labels": 100}, "max_labels is 40; expected at least min_labels"),
        ({"policy": "keep_learning", "pool": [{"kind": "logistic"}]}, "pool: got 1 learners with policy keep_learning"),
        ({"error": 0.7}, "error"),
        ({"challengers": []}, "challengers"),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        AdaptationConfig.model_validate(settings)


def test_of_several_winners_the_one_with_the_largest_lead_is_proposed() -> None:
    under_test = adaptation(challengers=["fresh", "copy"])
    under_test.start(champion(), 0, 0, warning=False)

    until_won(under_test, champion=0.1, rivals=lambda one: 0.7 if one.origin == "fresh" else 0.95)

    assert under_test.proposed is not None
    assert under_test.proposed.origin == "copy"


def test_a_proposal_names_the_versions_it_comes_from_and_the_events_it_was_judged_on() -> None:
    under_test = adaptation()
    under_test.enter(champion(), 7, 1000)

    won = until_won(under_test, **WON)

    proposal = under_test.proposal(3)
    assert proposal is not None
    assert (proposal.parents, proposal.span) == ((7, 3), (1000, won.offset))


def test_a_model_knows_the_first_and_the_last_event_that_it_has_learned_from_and_takes_that_along() -> None:
    under_test, before = adaptation(buffer=100), champion()
    under_test.step(joined(under_test, 200))
    under_test.start(before, 200, 60, warning=False)
    (fresh,) = under_test.contestants
    assert (under_test.trained, fresh.trained) == ((0, 199), (140, 199)), "it was taught the newest 60 labels"

    won = until_won(under_test, **WON)
    asked = under_test.proposal(1)
    swap_to_proposed(under_test, before)

    assert asked is not None
    assert asked.trained == under_test.trained == (140, won.offset)
    (shadow,) = under_test.contestants
    assert shadow.trained == (0, won.offset)


def test_of_a_champion_from_the_store_only_what_it_learns_here_is_known() -> None:
    under_test = adaptation()
    under_test.step(joined(under_test, 50))

    under_test.swapped(champion(), 3, champion(), "promoted", 100)
    assert under_test.trained is None
    under_test.step(joined(under_test, 50, first=100))

    assert under_test.trained == (100, 149)


def test_all_that_compete_at_a_time_may_err_no_oftener_than_is_stated() -> None:
    for pool in ([], [TREE, {"kind": "adaptive_random_forest", "n_models": 2}]):
        under_test = adaptation(challengers=["fresh", "copy"], pool=pool, error=0.01)
        under_test.start(champion(), 0, 0, warning=False)
        for version in (4, 5, 6, 7):
            under_test.enter(champion(), version, 0)

        assert sum(one.error for one in under_test.contestants) == pytest.approx(0.01)


def test_what_a_warning_started_is_promoted_only_once_a_drift_has_confirmed_it() -> None:
    under_test = adaptation(start="warning", buffer=500)
    under_test.start(champion(), 0, 0, warning=True)

    some(under_test, 8 * CHECK_EVERY, first=0, **WON)
    assert stages(under_test) == {"fresh": Stage.CANDIDATE}, "proven better, and nothing has drifted"
    under_test.start(champion(), 400, 0, warning=False)

    assert under_test.step(joined(under_test, CHECK_EVERY, first=400, **WON)) is not None


def test_one_that_was_proposed_waits_for_its_answer_whatever_warnings_come() -> None:
    under_test = adaptation(start="warning")
    under_test.start(champion(), 0, 0, warning=True)
    under_test.start(champion(), 0, 0, warning=False)
    until_won(under_test, **WON)
    assert not under_test.start(champion(), 2000, 0, warning=True)

    some(under_test, LIMIT * CHECK_EVERY, first=5000)

    assert stages(under_test) == {"fresh": Stage.PROPOSED}


def test_another_warning_gives_what_the_first_one_started_more_time_but_not_for_ever() -> None:
    under_test = adaptation(start="warning", buffer=70)
    under_test.start(champion(), 0, 0, warning=True)
    under_test.step(joined(under_test, 40, rivals=0.4))
    assert not under_test.start(champion(), 40, 0, warning=True)

    under_test.step(joined(under_test, 60, first=40, rivals=0.4))
    assert stages(under_test) == {"fresh": Stage.CANDIDATE}, "100 labels after the first warning, 60 after this one"
    under_test.step(joined(under_test, 50, first=100, rivals=0.4))
    assert not under_test.contestants


def test_a_fresh_challenger_is_of_the_configured_recipe_where_the_champion_came_from_outside() -> None:
    under_test = adaptation()
    outside = TaskState(small_config({"model": {"learner": TREE}})).champion

    under_test.start(outside, 0, 0, warning=False)

    assert [one.learner.config.kind for one in under_test.contestants] == ["logistic"]
