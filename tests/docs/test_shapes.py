"""The comparison with what a page shows is loose about numbers, and about nothing else."""

from __future__ import annotations

import pytest

from tests.docs.shapes import missing

PRINTED = """\
Kafka    127.0.0.1:43121
topic orders.events was created
2026-11-22 18:04:11  concept drift  0.21 -> 0.4
Wrote x.yaml
0 of 5 not well.
"""


@pytest.mark.parametrize(
    "shown",
    [
        ["Kafka  127.0.0.1:9092"],
        ["Kafka 127.0.0.1:1", "...", "Wrote x.yaml"],
        ["2020-01-01 00:00:00  concept drift  0.3 -> 12"],
        ["topic ... was created"],
        [],
    ],
)
def test_numbers_times_and_gaps_may_differ(shown: list[str]) -> None:
    assert missing(shown, PRINTED) is None


@pytest.mark.parametrize(
    "shown",
    [
        ["Redis 127.0.0.1:1"],
        ["topic orders.labels was created"],
        ["Wrote x.yaml", "Kafka 127.0.0.1:1"],
        ["concept drift"],
        ["2 of 5 not well."],
        ["0 of 0 not well."],
        ["2020-01-01 00:00:00  data drift  0.3 -> 12"],
    ],
)
def test_other_words_another_order_and_half_a_line_are_missed(shown: list[str]) -> None:
    assert missing(shown, PRINTED) is not None
