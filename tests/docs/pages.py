"""The pages as their readers see them: fenced blocks, commands, headings and links."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LINKING = (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md")

_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_MARKS = re.compile(r"(?:<!-- (?:into|given): .+ -->\n)+$")
_MARK = re.compile(r"<!-- (into|given): (.+) -->\n")
_FILE = re.compile(r"^# (?P<name>[\w.-]+\.py)\n")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)|!\[[^\]]*\]\((?P<image>[^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block.

    Comments on the lines before it say to the tests what a reader knows: `into: FILE`, a file of the page that it is
    merged into; `given: COMMAND`, what was done before. `file` is the name in a program's first line.
    """

    page: str
    line: int
    kind: str
    text: str
    into: str | None
    given: tuple[str, ...]
    file: str | None

    @property
    def first(self) -> str:
        """Its first line, by which it is known."""
        return self.text.strip("\n").split("\n", 1)[0].strip()

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


class Command(NamedTuple):
    """A command of a console block, and the lines that are shown of what it prints."""

    line: str
    shown: tuple[str, ...] = ()


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def blocks_of(page: Path) -> tuple[Block, ...]:
    """All fenced blocks of a page, in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        body = textwrap.dedent(match["body"])
        before = _MARKS.search(text[: match.start()])
        marks = _MARK.findall(before[0]) if before else []
        file = _FILE.match(body)
        found.append(
            Block(
                name_of(page),
                text.count("\n", 0, match.start()) + 1,
                match["kind"],
                body,
                next((what for verb, what in marks if verb == "into"), None),
                tuple(what for verb, what in marks if verb == "given"),
                file["name"] if file else None,
            )
        )
    return tuple(found)


def commands_of(block: Block) -> list[Command]:
    """The commands of a console block. A backslash at the end of a line, and a `> ` on the next, go on with it."""
    commands: list[tuple[str, list[str]]] = []
    for line in block.text.rstrip("\n").split("\n"):
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif commands and commands[-1][0].endswith("\\") and not commands[-1][1]:
            commands[-1] = (commands[-1][0][:-1] + line.removeprefix("> ").strip(), [])
        else:
            assert commands, f"{block.where}: output before any command: {line}"
            commands[-1][1].append(line)
    return [Command(line, tuple(shown)) for line, shown in commands]


def _prose(page: Path) -> str:
    """A page without its fenced blocks and its code."""
    return re.sub(r"`[^`\n]*`", "``", _FENCE.sub("", page.read_text(encoding="utf-8")))


def links_of(page: Path) -> list[str]:
    """Targets of a page's links and images."""
    return [match["target"] or match["image"] for match in _LINK.finditer(_prose(page))]


def inline_code_of(page: Path) -> Iterator[str]:
    """What stands in backticks in a page's text; a line's end in it is a space."""
    for match in re.finditer(r"`([^`]+)`", _FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield " ".join(match[1].split())


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """What a link to a part of a page can name: headings as GitHub names them, and anchors that are set by hand."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: set[str] = set(re.findall(r'<a id="([^"]+)">', text))
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        while (anchor := f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(anchor)
    return frozenset(found)
