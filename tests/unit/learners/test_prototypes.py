"""Prototypes: what they promise beyond the laws, on few positives."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pytest

from learners.base import Problem, Row, Schema, Target
from learners.prototypes import Prototypes, PrototypesConfig

SCHEMA = Schema(("amount", "age"), ("shop", "country"))
USUAL = ("DE", "FR", "GB", "NL")


def genuine(n: int, seed: int = 1) -> list[Row]:
    chance = random.Random(seed)
    return [
        {
            "amount": chance.lognormvariate(3.0, 1.0),
            "age": chance.uniform(0, 900),
            "shop": f"s{chance.randrange(20)}",
            "country": chance.choice(USUAL),
        }
        for _ in range(n)
    ]


def fraud(n: int, shop: str, country: str, seed: int = 2) -> list[Row]:
    """Frauds in one shop from one country; of amount and age they have nobody's."""
    return [{**row, "shop": shop, "country": country} for row in genuine(n, seed)]


def taught(*parts: tuple[list[Row], Target], **settings: Any) -> Prototypes:
    learner = Prototypes(PrototypesConfig(**settings), Problem.BINARY, SCHEMA, 1)
    for rows, label in parts:
        learner.learn(rows, [label] * len(rows))
    return learner


def all_but_a_few(learner: Prototypes, rows: list[Row]) -> float:
    """What no more than two in a hundred of the rows are given."""
    outputs: list[float] = sorted(learner.predict(rows))
    return outputs[-len(rows) // 50]


def test_one_example_is_enough_to_find_the_next_of_its_kind() -> None:
    learner = taught((genuine(3000), False), (fraud(1, "s3", "VN"), True))

    assert min(learner.predict(fraud(20, "s3", "VN", seed=8))) > 20 * all_but_a_few(learner, genuine(200, seed=9))


def test_a_kind_that_was_not_seen_for_long_is_still_known() -> None:
    learner = taught(
        (genuine(3000), False), (fraud(40, "s3", "VN"), True), (fraud(120, "s7", "US", seed=3), True), half_life=10
    )

    assert min(learner.predict(fraud(20, "s3", "VN", seed=8))) > 10 * all_but_a_few(learner, genuine(200, seed=9))


def test_a_feature_that_says_nothing_is_found_out() -> None:
    learner = taught((genuine(3000), False), (fraud(150, "s3", "VN"), True))
    explained = learner.explain(fraud(1, "s3", "VN", seed=8)[0])
    assert explained is not None

    said = {one.feature: abs(one.contribution) for one in explained.contributions}

    assert min(said["shop"], said["country"]) > 10 * max(said["amount"], said["age"])


def test_probabilities_are_those_of_the_stream() -> None:
    chance = random.Random(5)
    rows, labels = list[Row](), list[Target]()
    for row, other in zip(genuine(20_000), fraud(20_000, "s3", "DE"), strict=True):
        labels.append(chance.random() < 0.01)
        rows.append(other if labels[-1] and chance.random() < 0.75 else row)
    learner = Prototypes(PrototypesConfig(), Problem.BINARY, SCHEMA, 1)
    learner.learn(rows[:15_000], labels[:15_000])

    assert sum(learner.predict(rows[15_000:])) == pytest.approx(sum(map(bool, labels[15_000:])), rel=0.35)


def test_the_prior_follows_the_share_of_the_newest_examples() -> None:
    learner = taught((genuine(8000), False), examples=20)
    learner.learn(genuine(10, seed=4), [True] * 10)
    before = sum(learner.predict(genuine(100, seed=9)))
    for turn in range(60):
        learner.learn(genuine(4, seed=100 + turn), [False] * 4)
        learner.learn(genuine(1, seed=200 + turn), [True])

    assert before < 1.0
    assert sum(learner.predict(genuine(100, seed=9))) > 4.0


def test_examples_that_come_all_at_once_do_not_make_everything_likely() -> None:
    learner = taught((genuine(8000), False), (fraud(60, "s3", "VN"), True), examples=50)

    assert all_but_a_few(learner, genuine(200, seed=9)) < 0.05


def test_units_and_heavy_tails_make_no_difference() -> None:
    def changed(rows: list[Row]) -> list[Row]:
        return [{**row, "amount": float(row["amount"] or 0.0) ** 3 * 1e6} for row in rows]

    plain = taught((genuine(3000), False), (fraud(30, "s3", "VN"), True))
    other = taught((changed(genuine(3000)), False), (changed(fraud(30, "s3", "VN")), True))

    assert other.predict(changed(genuine(50, seed=9))) == pytest.approx(plain.predict(genuine(50, seed=9)))


def test_examples_only_and_ever_new_texts_take_no_more_and_no_more_memory() -> None:
    learner = taught((genuine(400), False), background=400, examples=20)
    sizes = []
    for turn in range(6):
        learner.learn([{"amount": 1.0, "shop": f"{turn} {number}"} for number in range(200)], [True] * 200)
        sizes.append(len(pickle.dumps(learner)))

    assert max(sizes) < 1.2 * min(sizes)
