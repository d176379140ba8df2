"""The challenger: on what it is compared, and when it is decided about."""

from __future__ import annotations

from stream.config.model import AdaptationConfig
from stream.core.adaptation import CHECK_EVERY, Adaptation
from stream.core.pending import Joined, Waiting
from stream.core.problem import BinaryJudge
from stream.core.state import TaskState
from stream.testing import small_config

CHAMPION = TaskState(small_config()).champion


def adaptation(max_labels: int = 1000) -> Adaptation:
    config = AdaptationConfig(min_labels=30, max_labels=max_labels, margin=0)
    return Adaptation(config, BinaryJudge(0.5, absolute=False))


def joined(n: int, *, first: int = 0, champion: float = 0.4, challenger: float | None = 0.6) -> Joined:
    """`n` events that were true, from offset `first` on, with what champion and challenger made of them."""
    waiting = [Waiting({"x": 1.0}, 1, float(at), at, (champion,), challenger) for at in range(first, first + n)]
    return Joined(waiting, [True] * n, [w.timestamp for w in waiting])


def test_a_challenger_wins_at_the_first_look_at_which_it_is_the_better_one() -> None:
    under_test = adaptation()
    under_test.start(CHAMPION, 0)

    assert under_test.undecided() == CHECK_EVERY
    assert under_test.step(joined(CHECK_EVERY - 1)) is None
    won = under_test.step(joined(1, first=CHECK_EVERY - 1))

    assert won is not None
    assert (won.labels, won.offset) == (CHECK_EVERY, CHECK_EVERY - 1)
    assert under_test.undecided() == 0, "a challenger is proposed once"


def test_a_challenger_is_dropped_at_the_label_that_is_its_last() -> None:
    under_test = adaptation(max_labels=CHECK_EVERY + 20)
    under_test.start(CHAMPION, 0)

    under_test.step(joined(CHECK_EVERY, challenger=0.3))
    assert under_test.undecided() == 20
    under_test.step(joined(20, first=CHECK_EVERY, challenger=0.3))

    assert under_test.challenger is None


def test_a_challenger_is_compared_on_its_own_predictions_alone_but_learns_from_every_label() -> None:
    under_test = adaptation()
    under_test.start(CHAMPION, 100)

    under_test.step(joined(70, first=30, challenger=0.9))  # by the challenger before it
    under_test.step(joined(10, first=100, challenger=None))
    under_test.step(joined(5, first=110))

    challenger = under_test.challenger
    assert challenger is not None
    assert (challenger.compared, challenger.learned) == (5, 85)


def test_a_young_challenger_is_not_replaced() -> None:
    under_test = adaptation()

    assert under_test.start(CHAMPION, 0)
    assert not under_test.start(CHAMPION, 10)
    under_test.step(joined(30, challenger=0.3))
    assert under_test.start(CHAMPION, 30), "compared for as long as it must be, and not the better one"
