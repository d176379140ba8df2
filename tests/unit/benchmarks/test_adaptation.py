"""The benchmark of the gate: its truths are true, its figures what it says they are."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from bench.store import Store
from duelling import running
from duelling.cases import Case, Change, Drawn
from duelling.laws import Absolute, Brier, FarOff, Trap, bet, known
from duelling.learned import Learned
from duelling.measured import Outcome, Promotion, half, outcome, shares
from duelling.rules import ALPHA, ByDuel, BySmallerMean, ByTTest, Oracle, best_bet

WORSE_THEN_BETTER = Drawn("story", 2_000, 0, Brier(-0.2), Brier(0.2), Change("abrupt", 1_000))


@pytest.mark.parametrize("better", [-0.2, 0.05, 0.3])
def test_losses_are_smaller_by_as_much_as_their_law_says(better: float) -> None:
    champion, challenger = Brier(better).draw(np.random.default_rng(2), 200_000)

    assert 1.0 - challenger.mean() / champion.mean() == pytest.approx(better, abs=0.01)


def test_equal_models_have_no_gap_at_all() -> None:
    assert known(Brier(0.0)).gap == 0.0
    assert known(Absolute(0.0)).gap == 0.0


def test_the_traps_are_worse() -> None:
    assert known(Trap(0.05)).gap < 0.0
    assert known(FarOff(0.1)).gap < 0.0


def test_the_best_bet_on_a_coin_is_its_edge() -> None:
    coin = np.array([1.0, 1.0, 1.0, -1.0])

    assert best_bet(coin) == pytest.approx(0.5, abs=0.002)
    assert best_bet(-coin) == 0.0


def test_the_oracle_bets_while_the_challenger_is_better_and_at_no_other_time() -> None:
    bets = WORSE_THEN_BETTER.bets()

    assert bets[:20] == [0.0] * 20
    assert min(bets[20:]) == bet(Brier(-0.2), Brier(0.2), 1.0) > 0.0


def test_the_oracle_is_sure_at_the_label_that_makes_the_odds_100_to_1() -> None:
    oracle = Oracle([0.0, 0.5], bound=1.0)

    oracle.record(np.ones(50), np.zeros(50))
    oracle.record(np.ones(50), np.zeros(50))

    assert oracle.crossed == 50 + math.ceil(math.log(100.0) / math.log(1.5))


@pytest.mark.parametrize(("loss", "promoted"), [(0.985, False), (0.975, True)])
def test_a_smaller_mean_is_one_of_500_labels_that_is_smaller_by_two_percent(loss: float, promoted: bool) -> None:
    rule = BySmallerMean()

    told = [rule.promotes(np.ones(50), np.full(50, loss)) for _ in range(10)]

    assert told == [False] * 9 + [promoted]


def test_the_t_test_is_a_t_test() -> None:
    champion, challenger = Brier(0.1).draw(np.random.default_rng(4), 1_000)
    rule, ends = ByTTest(), range(50, 1_001, 50)

    told = [rule.promotes(champion[end - 50 : end], challenger[end - 50 : end]) for end in ends]

    gaps = champion - challenger
    sure = [bool(stats.ttest_1samp(gaps[:end], 0.0, alternative="greater").pvalue < ALPHA) for end in ends]
    assert told == sure
    assert set(sure) == {False, True}


def test_the_first_promotion_of_a_rule_counts() -> None:
    case = Drawn("better", 1_000, 0, Brier(0.3), Brier(0.3), Change())
    rule = ByDuel(case.bound)

    promotion = outcome(case, case.bets(), 1).promotions[0]

    first = next(look for look, losses in enumerate(case.run(1).looks(), start=1) if rule.promotes(*losses))
    assert promotion is not None
    assert promotion.labels == first * 50 < 500


def test_a_run_is_the_same_again() -> None:
    bets = WORSE_THEN_BETTER.bets()

    first, again, other = (outcome(WORSE_THEN_BETTER, bets, number) for number in (7, 7, 8))

    assert first == again != other


def test_with_late_labels_the_truth_is_that_of_the_events_that_come_next() -> None:
    run = Drawn("late", 1_000, 500, Brier(-0.2), Brier(0.2), Change("abrupt", 1_000)).run(1)
    looks = run.looks()

    gaps = [run.gap() for _ in looks]

    assert [gap > 0.0 for gap in gaps] == [False] * 9 + [True] * 11


def test_a_learner_of_the_new_world_is_soon_better_than_one_of_the_old() -> None:
    run = Learned("abrupt", 300, 0, Change("abrupt", 0)).run(1)

    gaps = [run.gap() for _ in run.looks()]

    assert gaps[-1] > 0.0


def test_labels_that_come_late_are_learned_late() -> None:
    run = Learned("late", 300, 100, Change("abrupt", 0)).run(1)

    knows_nothing = [float(np.ptp(challenger)) == 0.0 for _, challenger in run.looks()]

    assert knows_nothing == [True] * 3 + [False] * 3


def test_shares_are_of_all_runs_and_a_run_without_a_promotion_takes_for_ever() -> None:
    promoted, wrongly = Promotion(500, 0.1), Promotion(100, 0.0)
    outcomes = [Outcome((found,), None) for found in (promoted, promoted, wrongly, None)]

    assert shares(outcomes, 0) == (0.75, 0.25, 500.0)
    assert half([100, None, None]) == math.inf


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The runs that are measured, in turn."""
    found: list[int] = []

    def noted(case: Case, bets: Sequence[float], number: int) -> Outcome:
        found.append(number)
        return Outcome((None,), 5)

    monkeypatch.setattr(running, "outcome", noted)
    return found


def outcomes(state: Path, runs: int) -> list[Outcome]:
    found = running.measured([WORSE_THEN_BETTER], runs, 1, Store(state), Console(file=io.StringIO()))
    return found[WORSE_THEN_BETTER].outcomes


def test_what_was_measured_is_not_measured_again(tmp_path: Path, measured: list[int]) -> None:
    outcomes(tmp_path / "state.jsonl", 25)

    assert outcomes(tmp_path / "state.jsonl", 50) == [Outcome((None,), 5)] * 50
    assert measured == list(range(50))


def test_what_other_code_measured_is_measured_again(
    tmp_path: Path, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes(tmp_path / "state.jsonl", 25)
    monkeypatch.setattr(running, "_code", lambda: ("other",))

    outcomes(tmp_path / "state.jsonl", 25)

    assert measured == 2 * list(range(25))
