"""Who promotes when, in each run; and what that makes over all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from duelling.cases import Case
from duelling.rules import ByDuel, BySmallerMean, ByTTest, Oracle, Rule

RULES = ("duel", "mean of 500", "t-test")


class Promotion(NamedTuple):
    """After how many labels, and the gap of expected losses on the events that came next."""

    labels: int
    gap: float


class Outcome(NamedTuple):
    """One run: what each rule did, if anything, and the label at which the oracle was sure."""

    promotions: tuple[Promotion | None, ...]
    oracle: int | None


def outcome(case: Case, bets: Sequence[float], number: int) -> Outcome:
    """One run, with the case's bets of the oracle. It ends when all have promoted."""
    rules: tuple[Rule, ...] = (ByDuel(case.bound), BySmallerMean(), ByTTest())
    oracle = Oracle(bets, case.reach)
    found: list[Promotion | None] = [None] * len(rules)
    run, labels = case.run(number), 0
    for champion, challenger in run.looks():
        labels += len(champion)
        oracle.record(champion, challenger)
        for place, rule in enumerate(rules):
            if found[place] is None and rule.promotes(champion, challenger):
                found[place] = Promotion(labels, run.gap())
        if None not in found and oracle.crossed is not None:
            break
    return Outcome(tuple(found), oracle.crossed)


class Shares(NamedTuple):
    """Of a rule: the shares of runs that promoted, and promoted what was no better; labels it took half of the runs."""

    promoted: float
    wrong: float
    labels: float


def shares(outcomes: Sequence[Outcome], rule: int) -> Shares:
    """What a rule did in all runs. A run without a promotion counts as one that takes for ever."""
    found = [outcome.promotions[rule] for outcome in outcomes]
    made = [promotion for promotion in found if promotion is not None]
    wrong = sum(promotion.gap <= 0.0 for promotion in made)
    return Shares(len(made) / len(found), wrong / len(found), half([None if p is None else p.labels for p in found]))


def half(labels: Sequence[int | None]) -> float:
    """The labels by which half of the runs were done; infinite if fewer were at all."""
    return float(median(math.inf if number is None else number for number in labels))
