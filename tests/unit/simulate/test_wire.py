"""Encoding, and the faults that can be asked for."""

from __future__ import annotations

import json

import pytest

from stream.simulate.source import Out, SourceError, Topic
from stream.simulate.wire import Faults, Message, encode, spoil


def messages(n: int, topic: Topic = "events") -> list[Message]:
    return list(encode(Out(topic, float(i), b"k", {"id": i, "text": "some text"}) for i in range(n)))


def ids(found: list[Message]) -> list[int]:
    return [json.loads(message.value)["id"] for message in found]


def test_records_are_encoded_as_json_in_their_order() -> None:
    assert ids(messages(3)) == [0, 1, 2]


def test_without_faults_nothing_is_changed() -> None:
    assert list(spoil(messages(50), Faults())) == messages(50)


def test_a_duplicate_follows_its_original() -> None:
    assert ids(list(spoil(messages(2), Faults(duplicate_rate=1.0)))) == [0, 0, 1, 1]


def test_about_as_many_are_duplicated_as_was_asked_for() -> None:
    spoilt = list(spoil(messages(2000), Faults(duplicate_rate=0.1)))

    assert 2130 < len(spoilt) < 2270


def test_a_malformed_record_is_no_json_object() -> None:
    for message in spoil(messages(200), Faults(malformed_rate=1.0)):
        with pytest.raises((ValueError, TypeError)):
            json.loads(message.value)["id"]


def test_as_many_records_come_out_when_some_are_malformed() -> None:
    spoilt = list(spoil(messages(500), Faults(malformed_rate=0.2)))

    assert len(spoilt) == 500
    assert 60 < sum(spoilt[i] != message for i, message in enumerate(messages(500))) < 140


def test_shuffled_labels_are_all_there_with_their_timestamps_and_out_of_order() -> None:
    labels = messages(100, "labels")

    shuffled = list(spoil(labels, Faults(shuffle_labels=10)))

    assert sorted(shuffled, key=lambda message: message.timestamp) == labels
    assert shuffled != labels
    assert all(abs(message.timestamp - place) < 10 for place, message in enumerate(shuffled))


def test_events_are_never_shuffled() -> None:
    assert list(spoil(messages(100), Faults(shuffle_labels=10))) == messages(100)


def test_the_same_seed_spoils_the_same_records() -> None:
    faults = Faults(0.2, 0.2, 5, seed=3)

    assert list(spoil(messages(100), faults)) == list(spoil(messages(100), faults))
    assert list(spoil(messages(100), faults)) != list(spoil(messages(100), faults._replace(seed=4)))


@pytest.mark.parametrize(
    ("faults", "complaint"),
    [
        (Faults(duplicate_rate=1.5), "duplicate rate is 1.5"),
        (Faults(malformed_rate=-0.1), "malformed rate is -0.1"),
        (Faults(shuffle_labels=-1), "shuffle_labels is -1"),
    ],
)
def test_faults_out_of_range_are_refused(faults: Faults, complaint: str) -> None:
    with pytest.raises(SourceError, match=complaint):
        spoil([], faults)
