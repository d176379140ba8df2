"""docs/alerts.md keeps its word: it names each field of an alert, and the numbers that the code goes by."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from stream.core import endings, incidents
from stream.records import Alert, Change, Contributor, Window

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
_TABLE = PAGE.split("## What an alert tells")[1].split("\n## ")[0]
NAMED = set(re.findall(r"`(\w+)`", _TABLE))


@pytest.mark.parametrize("record", [Alert, Change, Contributor, Window])
def test_each_field_is_named(record: type[msgspec.Struct]) -> None:
    assert set(record.__struct_fields__) - NAMED == set()


@pytest.mark.parametrize(
    "said",
    [
        f"every {incidents.BLOCK}th event",
        f"at least {endings.FEWEST_ERRORS} labels",
        f"up to {endings.MOST_ERRORS:,}",
        f"window's length of events, {endings.FEWEST_EVENTS} at least",
    ],
)
def test_numbers_are_those_of_the_code(said: str) -> None:
    assert said in PAGE


def test_blocks_and_looks_are_as_many_as_in_the_code() -> None:
    assert (endings.QUIET, endings.CALM, endings.BACK, incidents.MOST) == (5, 2, 1 / 3, 5)
    assert endings.RecordEnding.quiet == 50
    for said in ("five blocks", "50 blocks", "two looks in a row", "a third of the rise", "up to five"):
        assert said in PAGE
