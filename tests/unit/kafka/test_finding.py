"""Finding predictions by id: the newest, wherever it is, without reading more than that takes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from stream.errors import ConfigError
from stream.kafka import finding
from stream.kafka.finding import UnknownPrediction, find
from stream.records import Prediction
from stream.testing import Raw
from tests.unit.kafka.memory import Log


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "STRETCH", 10)


def prediction(id_: str, version: int = 1) -> bytes:
    return msgspec.json.encode(Prediction(id_, "key", 1.0, True, {"true": 1.0}, "small", version, 0.5, 0, 7))


def log_of(*partitions: Iterable[tuple[int, bytes | None]]) -> Log:
    """A topic `predictions` whose partitions hold these values at these times."""
    log = Log()
    for number, records in enumerate(partitions):
        for time, value in records:
            log.append(Raw(value, b"key", "predictions", number, 0, time))
    return log


def found(log: Log, id_: str, partition: int | None = None) -> tuple[int, int, int]:
    hit = find(log.reader(), "predictions", id_, partition)
    assert hit.prediction.id == id_
    return hit.partition, hit.offset, hit.others


def test_a_prediction_is_found_however_far_back() -> None:
    log = log_of([(n, prediction(f"e{n}")) for n in range(200)])
    assert [found(log, f"e{n}") for n in (199, 150, 0)] == [(0, 199, 0), (0, 150, 0), (0, 0, 0)]


def test_one_that_was_made_lately_is_found_without_reading_the_rest() -> None:
    log = log_of([(n, prediction(f"e{n}")) for n in range(200)], [(n, prediction(f"f{n}")) for n in range(150)])
    found(log, "e195")
    assert log.read == [(("predictions", 0), 190), (("predictions", 1), 140)]


def test_the_newest_of_several_is_taken_and_the_others_are_counted() -> None:
    log = log_of([(n, prediction("e1", version=n)) for n in range(5)])
    hit = find(log.reader(), "predictions", "e1")
    assert (hit.offset, hit.others, hit.prediction.model_version) == (4, 4, 4)


def test_a_newer_one_further_back_in_another_partition_is_not_missed() -> None:
    old = [(n, prediction("e1" if n == 8 else f"e{n + 100}")) for n in range(10)]
    new = [(1000 + n, prediction("e1" if n == 0 else f"f{n}")) for n in range(40)]
    assert found(log_of(old, new), "e1") == (1, 0, 1)


def test_an_id_inside_another_field_or_a_strange_record_is_no_hit() -> None:
    strange = [(0, None), (1, b"{"), (2, b'{"id":"e1"}'), (3, prediction("e11"))]
    other = msgspec.json.encode(Prediction("e2", "e1", 1.0, True, None, "e1", 1, 0.5, 0, 7, {"x": "e1"}))
    assert found(log_of([(0, prediction("e1")), *strange, (9, other)]), "e1") == (0, 0, 0)


def test_an_id_in_any_script_with_quotes_and_spaces_is_found() -> None:
    assert found(log_of([(0, prediction('naïve "日本" 1'))]), 'naïve "日本" 1') == (0, 0, 0)


def test_only_the_partition_that_is_named_is_looked_in() -> None:
    log = log_of([(0, prediction("e1"))], [(1, prediction("e1"))])
    assert found(log, "e1", partition=0) == (0, 0, 0)
    with pytest.raises(ConfigError, match="predictions has no partition 2"):
        found(log, "e1", partition=2)


def test_what_was_searched_is_told_of_an_id_that_is_not_there() -> None:
    log = log_of([(n, prediction(f"e{n}")) for n in range(30)], [(0, prediction("f"))])
    log.first["predictions", 0] = 12
    with pytest.raises(UnknownPrediction) as told:
        found(log, "e3")
    assert "there is no prediction of 'e3' on predictions" in str(told.value)
    assert "[0] offsets 12 to 29, [1] offsets 0 to 0" in str(told.value)
