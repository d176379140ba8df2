"""docs/security.md keeps its word: each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+)`", PAGE)))
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
}


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 10


@pytest.mark.parametrize("name", NAMED)
def test_each_test_that_the_page_names_exists(name: str) -> None:
    assert name in TESTS


@pytest.mark.parametrize("who", ["Redis", "topics", "the snapshot directory", "the API", "a key", "the configuration"])
def test_the_page_says_what_each_can_do(who: str) -> None:
    assert re.search(rf"^### Who .*{who}", PAGE, re.MULTILINE)
