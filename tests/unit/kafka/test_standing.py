"""What a worker says of records that cannot be used."""

from __future__ import annotations

from stream.kafka.standing import of_input
from stream.web.status import Part


def test_an_input_all_of_whose_records_are_as_usual_is_ok() -> None:
    assert of_input({0: [], 1: []}) == Part("ok")


def test_topics_with_more_unusable_records_than_usual_are_named_with_their_partitions() -> None:
    part = of_input({2: ["labels"], 0: ["events", "labels"], 1: []})

    assert part.state == "degraded"
    assert "events, partition 0; labels, partition 0 2." in part.reason
