"""docs/delivery.md keeps its word: each failure names a test, and each point where the tests kill is a step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream import faultpoints

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
}
_TABLE = PAGE.split("## What a failure leads to")[1].split("\n## ")[0]
ROWS = [line.strip("|").split(" | ") for line in _TABLE.splitlines() if line.startswith("|")][2:]


def test_the_page_has_a_table_of_failures() -> None:
    assert len(ROWS) > 10
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]).strip())
def test_each_failure_names_tests_that_exist(row: list[str]) -> None:
    named = re.findall(r"`(test_\w+)`", row[2])

    assert named
    assert [name for name in named if name not in TESTS] == []


@pytest.mark.parametrize("point", faultpoints.POINTS)
def test_each_point_where_the_tests_kill_is_a_step_on_the_page(point: str) -> None:
    steps = PAGE.split("## The order of a commit")[1].split("\n## ")[0]

    assert f"`{point}`" in steps
