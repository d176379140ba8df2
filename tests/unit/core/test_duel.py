"""The duel: a better challenger is found out, a worse one is not, whenever one looks."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator, Sequence
from itertools import pairwise, product

import numpy as np
import pytest

from stream.core import duel as duels
from stream.core.duel import BLOCK, Duel, Floats

ALPHA = 0.01


def brier(rng: np.random.Generator, n: int, wrong: float) -> Floats:
    """Losses of a model that is wrong so often, and rather sure of itself."""
    return np.where(rng.random(n) < wrong, 0.64, 0.04)


def absolute(rng: np.random.Generator, n: int, spread: float) -> Floats:
    """Absolute errors with heavy tails."""
    return spread * np.abs(rng.standard_t(3, n))


def after(champion: Floats, challenger: Floats, bound: float | None = 1.0, margin: float = 0.0) -> Duel:
    """A duel over all these losses."""
    duel = Duel(bound, margin)
    duel.record(champion.tolist(), challenger.tolist())
    return duel


def looks(champion: Floats, challenger: Floats, bound: float | None = 1.0, margin: float = 0.0) -> Iterator[Duel]:
    """The same duel after each block."""
    duel = Duel(bound, margin)
    for start in range(0, len(champion), BLOCK):
        duel.record(champion[start : start + BLOCK].tolist(), challenger[start : start + BLOCK].tolist())
        yield duel


def won_at(champion: Floats, challenger: Floats, bound: float | None = 1.0, margin: float = 0.0) -> float:
    """The labels after which the challenger was proven better; infinite if it never was."""
    return next((duel.n for duel in looks(champion, challenger, bound, margin) if duel.better(ALPHA)), math.inf)


def told(duel: Duel) -> tuple[object, ...]:
    """All that a duel can be asked."""
    questions = duel.n, duel.stretch, duel.means(), duel.evidence(), duel.evidence_against()
    return *questions, duel.interval(ALPHA), duel.better(ALPHA), duel.worse(ALPHA)


def expected_evidence(monkeypatch: pytest.MonkeyPatch, means: Sequence[float]) -> float:
    """The mean of the evidence over all outcomes of rounds that end with 1 or -1 and have such means.

    Blocks are short, so that several starts take part.
    """
    monkeypatch.setattr(duels, "BLOCK", 3)
    total = 0.0
    for gaps in product((-1.0, 1.0), repeat=len(means)):
        chance = math.prod((1.0 + gap * mean) / 2.0 for gap, mean in zip(gaps, means, strict=True))
        losses = np.array([(1.0, 0.0) if gap > 0 else (0.0, 1.0) for gap in gaps])
        total += chance * after(losses[:, 0], losses[:, 1]).evidence()
    return total


def test_a_better_challenger_is_proven_better_soon() -> None:
    rng = np.random.default_rng(1)

    won = [won_at(brier(rng, 1_500, 0.3), brier(rng, 1_500, 0.15)) for _ in range(20)]

    assert max(won) <= 1_000
    assert sorted(won)[10] <= 350  # 225 labels hold so much evidence that one who knows both laws is sure


def test_a_worse_challenger_is_proven_worse_as_the_champion_would_be_with_the_roles_exchanged() -> None:
    rng = np.random.default_rng(2)
    good, bad = brier(rng, 1_500, 0.15), brier(rng, 1_500, 0.3)

    duel, exchanged = after(good, bad), after(bad, good)

    assert (duel.better(ALPHA), duel.worse(ALPHA)) == (False, True)
    assert (exchanged.better(ALPHA), exchanged.worse(ALPHA)) == (True, False)
    assert (duel.evidence(), duel.evidence_against()) == (exchanged.evidence_against(), exchanged.evidence())


def test_equal_models_are_hardly_ever_told_apart_however_often_one_looks() -> None:
    rng = np.random.default_rng(3)

    won = [won_at(brier(rng, 1_000, 0.2), brier(rng, 1_000, 0.2)) for _ in range(100)]

    assert sum(math.isfinite(n) for n in won) <= 1


def test_evidence_of_a_fair_game_is_1_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    assert expected_evidence(monkeypatch, [0.0] * 8) == pytest.approx(1.0, abs=1e-12)


def test_who_was_better_and_has_lost_as_much_since_earns_nothing_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    """The average is negative over every stretch that ends with the last label, though not over those before."""
    assert expected_evidence(monkeypatch, [0.5] * 3 + [-0.5] * 5) < 1.0


def test_a_better_challenger_earns_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    assert expected_evidence(monkeypatch, [-0.5] * 3 + [0.5] * 5) > 1.0


def test_better_on_most_events_is_not_better_when_few_cost_more() -> None:
    rng = np.random.default_rng(4)
    champion = rng.choice((0.04, 0.36), 6_000)
    challenger = np.where(rng.random(6_000) < 0.02, 1.0, 0.95 * champion)

    assert won_at(champion, challenger) == math.inf


def test_a_challenger_that_gets_better_late_is_found_out_by_its_latest_labels() -> None:
    rng = np.random.default_rng(5)
    champion = brier(rng, 4_000, 0.3)
    challenger = np.concatenate((brier(rng, 2_000, 0.5), brier(rng, 2_000, 0.1)))

    duel = next(duel for duel in looks(champion, challenger) if duel.better(ALPHA))
    since = duel.n - duel.stretch

    assert 2_000 < duel.n <= 2_300
    assert since == pytest.approx(2_000, abs=2 * BLOCK)
    assert duel.means() == pytest.approx((champion[since : duel.n].mean(), challenger[since : duel.n].mean()))
    assert duel.interval(ALPHA)[1] > 0.1


def test_evidence_that_has_faded_promotes_nobody() -> None:
    rng = np.random.default_rng(6)
    champion = brier(rng, 3_000, 0.3)
    challenger = np.concatenate((brier(rng, 2_000, 0.1), brier(rng, 1_000, 0.5)))

    early, late = after(champion[:2_000], challenger[:2_000]), after(champion, challenger)

    assert (early.better(ALPHA), early.worse(ALPHA)) == (True, False)
    assert late.evidence() > 1.0 / ALPHA  # it was better over all
    assert (late.better(ALPHA), late.worse(ALPHA)) == (False, True)
    assert late.stretch == pytest.approx(1_000, abs=2 * BLOCK)


def test_a_margin_asks_for_as_much_more() -> None:
    rng = np.random.default_rng(7)
    champion = brier(rng, 5_000, 0.3)
    challenger = 0.9 * champion

    assert after(champion, challenger, margin=0.05).better(ALPHA)
    assert not after(champion, challenger, margin=0.15).better(ALPHA)
    assert after(champion, challenger, margin=0.15).interval(ALPHA)[0] > 0.0  # it is better, but not by so much


def test_results_do_not_depend_on_how_labels_are_cut() -> None:
    rng = np.random.default_rng(8)
    champion, challenger = absolute(rng, 1_234, 1.0), absolute(rng, 1_234, 0.9)
    ends = [0, *sorted(rng.integers(0, 1_234, 40).tolist()), 1_234]

    duel = Duel(None)
    for start, end in pairwise(ends):
        duel.record(champion[start:end].tolist(), challenger[start:end].tolist())
        duel.evidence()

    assert told(duel) == told(after(champion, challenger, bound=None))


@pytest.mark.parametrize("bound", [1.0, None])
def test_a_restored_duel_goes_on_as_if_nothing_had_happened(bound: float | None) -> None:
    rng = np.random.default_rng(9)
    champion, challenger = brier(rng, 1_000, 0.3), brier(rng, 1_000, 0.2)

    restored = pickle.loads(pickle.dumps(after(champion[:570], challenger[:570], bound)))
    restored.record(champion[570:].tolist(), challenger[570:].tolist())

    assert told(restored) == told(after(champion, challenger, bound))


def test_memory_does_not_grow() -> None:
    rng = np.random.default_rng(10)

    few, many = (len(pickle.dumps(after(brier(rng, n, 0.3), brier(rng, n, 0.2)))) for n in (500, 20_000))

    assert many <= few + 50
    assert many < 3_000


def test_the_interval_holds_the_mean_gap_at_every_look() -> None:
    rng = np.random.default_rng(11)

    missed = 0
    for _ in range(40):
        duels = looks(brier(rng, 1_000, 0.3), brier(rng, 1_000, 0.2))
        missed += any(not low <= 0.06 <= high for low, high in (duel.interval(0.1) for duel in duels))

    assert missed <= 4


def test_the_interval_shrinks_around_the_gap() -> None:
    rng = np.random.default_rng(12)
    champion, challenger = brier(rng, 20_000, 0.3), brier(rng, 20_000, 0.2)

    (wide_low, wide_high), (low, high) = (after(champion[:n], challenger[:n]).interval(ALPHA) for n in (500, 20_000))

    assert wide_low < low < 0.06 < high < wide_high
    assert high - low < 0.05


def test_where_the_interval_leaves_out_0_there_is_the_evidence_for_it() -> None:
    """The stretch is chosen by what came of it, which the interval has to make up for."""
    rng = np.random.default_rng(17)
    duels = looks(brier(rng, 3_000, 0.3), np.concatenate((brier(rng, 2_000, 0.33), brier(rng, 1_000, 0.2))))

    told_apart = [duel.evidence() for duel in duels if duel.interval(0.2)[0] > 0.0]

    assert told_apart
    assert min(told_apart) >= 10.0


def test_before_the_first_label_nothing_is_known() -> None:
    assert told(Duel(2.0)) == (0, 0, (0.0, 0.0), 1.0, 1.0, (-2.0, 2.0), False, False)
    assert told(Duel(None)) == (0, 0, (0.0, 0.0), 1.0, 1.0, (-math.inf, math.inf), False, False)


def test_unbounded_losses_are_judged_alike_in_any_unit() -> None:
    rng = np.random.default_rng(13)
    champion, challenger = absolute(rng, 2_000, 1.0), absolute(rng, 2_000, 0.7)

    small, large = after(champion, challenger, None), after(1024.0 * champion, 1024.0 * challenger, None)

    assert small.better(ALPHA)
    assert large.evidence() == pytest.approx(small.evidence())
    assert large.interval(ALPHA) == pytest.approx([1024.0 * end for end in small.interval(ALPHA)])


def test_unbounded_losses_follow_a_scale_that_changes() -> None:
    rng = np.random.default_rng(14)
    tiny, champion, challenger = absolute(rng, 1_000, 0.001), absolute(rng, 2_000, 1.0), absolute(rng, 2_000, 0.6)

    duel = after(np.concatenate((tiny, champion)), np.concatenate((tiny, challenger)), None)

    assert duel.better(ALPHA)
    low, high = duel.interval(ALPHA)
    assert 0.0 < low < high < 2.0


def test_the_scale_of_long_ago_is_forgotten() -> None:
    rng = np.random.default_rng(18)
    huge, champion, challenger = absolute(rng, 5_000, 1_000.0), absolute(rng, 3_000, 1.0), absolute(rng, 3_000, 0.6)

    assert after(np.concatenate((huge, champion)), np.concatenate((huge, challenger)), None).evidence() > 1.0 / ALPHA


def test_one_absurd_error_of_both_hides_nothing() -> None:
    rng = np.random.default_rng(19)
    champion, challenger = absolute(rng, 1_000, 1.0), absolute(rng, 1_000, 0.6)
    champion[130] = challenger[130] = 1e12

    assert after(champion, challenger, None).evidence() > 1.0 / ALPHA


def test_errors_that_are_rarely_far_off_count_in_full() -> None:
    rng = np.random.default_rng(15)
    champion = absolute(rng, 3_000, 1.0)
    challenger = np.where(np.arange(3_000) % 100 == 7, 1_000.0, 0.8 * champion)

    duel = after(champion, challenger, None)

    assert duel.evidence() > 1.0 / ALPHA  # as far as it sees, for losses are cut off
    assert not duel.better(ALPHA)


@pytest.mark.parametrize("bound", [1.0, None])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_the_largest_one(bound: float | None, value: float) -> None:
    rng = np.random.default_rng(16)
    champion, challenger = brier(rng, 600, 0.2), brier(rng, 600, 0.2)
    broken = np.where(np.arange(600) % 2, value, challenger)

    duel = after(champion, broken, bound)

    assert duel.worse(ALPHA)
    assert np.isfinite([*duel.means(), *duel.interval(ALPHA), duel.evidence(), duel.evidence_against()]).all()


@pytest.mark.parametrize("bound", [1.0, None])
def test_models_that_never_err_are_not_told_apart(bound: float | None) -> None:
    duel = after(np.zeros(500), np.zeros(500), bound)

    assert not duel.better(ALPHA)
    assert not duel.worse(ALPHA)
    assert duel.evidence() <= 1.0


def test_overwhelming_evidence_stays_finite() -> None:
    assert math.isfinite(after(np.ones(20_000), np.zeros(20_000)).evidence())


@pytest.mark.parametrize(
    ("bound", "margin", "field"), [(0.0, 0.0, "bound"), (math.inf, 0.0, "bound"), (1.0, 1.0, "margin")]
)
def test_what_makes_no_sense_is_refused(bound: float, margin: float, field: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is"):
        Duel(bound, margin)


def test_losses_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="2 losses of the champion and 1 of the challenger"):
        Duel(1.0).record([0.1, 0.2], [0.1])
