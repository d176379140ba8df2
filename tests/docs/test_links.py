"""What the pages link to is there: files, headings, anchors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import LINKING, PAGES, ROOT, anchors_of, links_of, name_of

README = (ROOT / "README.md").read_text(encoding="utf-8")
RULES = sorted((ROOT / "configs").glob("prometheus/rules/*.yml"))


def broken(page: Path, link: str) -> str | None:
    """What is wrong with a link of a page; None if nothing is, or it leads elsewhere."""
    if re.match(r"[a-z]+:", link):
        return None
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{link}: there is no {path}"
    if anchor and anchor not in anchors_of(target):
        return f"{link}: {name_of(target)} has no such part"
    return None


@pytest.mark.parametrize("page", LINKING, ids=name_of)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    assert [said for link in links_of(page) if (said := broken(page, link))] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent != ROOT], ids=name_of)
def test_each_page_is_in_the_list_of_the_readme(page: Path) -> None:
    listed = README.split("## Documentation")[1].split("\n## ")[0]

    assert f"]({name_of(page)})" in listed


def test_what_alert_rules_link_to_is_there() -> None:
    links = [link for file in RULES for link in re.findall(r"runbook_url: *\S*?(docs/\S+)", file.read_text())]

    assert [said for link in links if (said := broken(ROOT / "README.md", link.strip("'\"")))] == []
