"""docs/detectors.md has every detector, and what it links to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from detectors.registry import CONCEPT, DATA

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "detectors.md").read_text()


def test_every_kind_of_detector_has_a_row_and_no_other_has() -> None:
    table = PAGE.split("## All kinds")[1].split("\n## ")[0]

    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]

    assert sorted(re.findall(r"`(\w+)`", " ".join(first))) == sorted({**CONCEPT, **DATA})


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)", PAGE))))
def test_what_the_page_links_to_is_there(link: str) -> None:
    assert (ROOT / "docs" / link).is_file()
