"""Looking for a prediction has an end, and only a few look at once."""

from __future__ import annotations

import msgspec
import pytest

from stream.kafka.client import Batches, LogReader
from stream.kafka.finding import UnknownPrediction
from stream.records import Prediction
from stream.testing import Raw, small_config
from stream.web.feeds.lookup import AT_ONCE, Lookup, TookTooLong, TooMany
from tests.clock import Clock
from tests.unit.kafka.memory import Log


def log_of(n: int) -> Log:
    log = Log()
    for number in range(n):
        said = Prediction(f"e{number}", "k", 1.0, True, None, "small", 1, 0.5, 0, number)
        log.append(Raw(msgspec.json.encode(said), b"k", "predictions", 0, 0, number))
    return log


def test_a_prediction_is_found_by_its_id() -> None:
    found = Lookup(small_config(), log_of(20).reader).find("e7")

    assert (found.prediction.id, found.offset) == ("e7", 7)


def test_a_search_ends_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    reader = log_of(100).reader()
    poll = reader.poll

    def slow(timeout: float, most: int = 2000) -> Batches:
        clock.now += 1.0
        return poll(timeout, most)

    monkeypatch.setattr(reader, "poll", slow)
    lookup = Lookup(small_config(), lambda: reader, clock, seconds=3.0)

    with pytest.raises(TookTooLong, match=r"'none' was not found within 3 s \(predictions: 28 of 100 offsets read"):
        lookup.find("none")


def test_no_more_search_at_once_than_there_is_room_for_and_room_comes_back() -> None:
    log = log_of(5)
    refused: list[str] = []

    def search_while_searching() -> LogReader:
        try:
            lookup.find("e1")
        except TooMany as error:
            refused.append(error.message)
        return log.reader()

    lookup = Lookup(small_config(), search_while_searching)

    assert lookup.find("e2").offset == 2
    assert refused == [f"{AT_ONCE} searches for predictions are under way."]
    assert lookup.find("e3").offset == 3


def test_room_comes_back_after_a_search_in_vain() -> None:
    lookup = Lookup(small_config(), log_of(5).reader)

    for _ in range(AT_ONCE + 1):
        with pytest.raises(UnknownPrediction):
            lookup.find("none")
