"""How two learners differ, as text."""

from __future__ import annotations

from river import compose, feature_extraction, linear_model

from learners.base import Problem, Schema
from learners.compare import parameters
from learners.foreign import adopt

WORDS = ["of", "the", "and", "a", "in", "to", "by", "is"]


def test_a_set_among_the_parameters_is_told_in_the_same_order_every_time() -> None:
    bag = feature_extraction.BagOfWords(on="text", stop_words=set(WORDS))
    learner = adopt(compose.Pipeline(bag, linear_model.LogisticRegression()), Problem.BINARY, Schema((), ("text",)))

    assert parameters(learner)["BagOfWords.stop_words"] == "{'a', 'and', 'by', 'in', 'is', 'of', 'the', 'to'}"
