"""What is kept of dead letters: counts of all, and no more than a few of the newest."""

from __future__ import annotations

import pytest

from stream.deadletters import MOST_BYTES
from stream.decode import EventDecoder
from stream.records import Rejected
from stream.sinks.kafka import KafkaSink
from stream.testing import Raw, small_config
from stream.web.feeds.quality import MOST_REASONS, OTHER, SAMPLES, QualityFeed


def letter(value: bytes, n: int = 0, partition: int = 0) -> Raw:
    """The dead letter that this value of an event becomes, at second `n`."""
    (rejected,) = EventDecoder(small_config()).decode([Raw(value, b"k", "events", 3, 70 + n, 5000)])
    assert isinstance(rejected, Rejected)
    sent = KafkaSink(small_config()).dead_letter(rejected)
    return Raw(sent.value, sent.key, sent.topic, partition, n, n * 1000, tuple(sent.headers))


@pytest.fixture
def feed() -> QualityFeed:
    return QualityFeed(small_config())


LATE = b'{"id": "e1", "x": "late"}'


def test_dead_letters_are_counted_by_reason_and_the_newest_shown_first_without_what_they_say(feed: QualityFeed) -> None:
    feed.take([letter(LATE, 1), letter(b"{", 2), letter(LATE, 3)])

    told = feed.dead_letters(2)

    assert (told.total, told.since, told.by_reason) == (3, 1.0, {"wrong_type": 2, "malformed_json": 1})
    newest, before = told.samples
    assert (newest.ts, newest.topic, newest.partition, newest.offset) == (3.0, "events", 3, 73)
    assert newest.message == "events[3]@73: feature 'x' is a text; expected a number."
    assert newest.value == '{"id":"text(2)","x":"text(4)"}'
    assert (before.ts, before.reason) == (2.0, "malformed_json")


def test_who_may_see_them_as_they_are_sees_them(feed: QualityFeed) -> None:
    feed.take([letter(LATE)])

    (sample,) = feed.dead_letters(raw=True).samples

    assert (sample.value, sample.message) == (
        LATE.decode(),
        "events[3]@70: feature 'x' is \"late\"; expected a number.",
    )


def test_no_more_samples_are_kept_than_the_bound_says_and_they_are_the_newest_of_all_partitions(
    feed: QualityFeed,
) -> None:
    feed.take([letter(LATE, n, 0) for n in range(0, 600, 2)])
    feed.take([letter(LATE, n, 1) for n in range(1, 601, 2)])

    told = feed.dead_letters(SAMPLES + 10)

    assert [sample.ts for sample in told.samples] == [float(n) for n in range(599, 599 - SAMPLES, -1)]
    assert told.total == 600


def test_of_a_large_value_only_the_beginning_is_kept(feed: QualityFeed) -> None:
    feed.take([letter(b'{"x": "' + b"z" * 100_000)])

    (sample,) = feed.dead_letters(raw=True).samples

    assert len(sample.value) == MOST_BYTES


def test_reasons_that_others_make_up_do_not_fill_the_memory(feed: QualityFeed) -> None:
    feed.take([Raw(b"", headers=(("driftline-reason", b"r%d" % n),)) for n in range(MOST_REASONS + 50)])

    told = feed.dead_letters().by_reason

    assert len(told) == MOST_REASONS + 1
    assert told[OTHER] == 50


def test_records_of_others_on_the_topic_do_no_harm(feed: QualityFeed) -> None:
    odd = (("driftline-partition", b"x"), ("driftline-offset", b"\xff"), ("other", b""))
    feed.take([Raw(None, None, "dead-letters", 1, 7, -1, odd)])

    (sample,) = feed.dead_letters().samples

    assert (sample.topic, sample.partition, sample.offset, sample.reason) == ("dead-letters", 1, 7, "unknown")
