"""Every fenced block of every page is accounted for: run, loaded, read by the program it is for, or listed as unrun."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from stream.cli.commands import app
from stream.config.load import load
from tests.docs.pages import PAGES, Block, blocks_of, commands_of, inline_code_of
from tests.docs.unrun import BLOCKS, STANDS, unrun
from tests.integration.support.stage import merged

BLOCKS_OF_PAGES = [block for page in PAGES for block in blocks_of(page)]
CONFIGS = [block for block in BLOCKS_OF_PAGES if block.kind == "yaml"]
UNITS = [block for block in BLOCKS_OF_PAGES if block.kind == "ini"]
RUN = ("console", "yaml", "json", "python", "ini")

BASE: dict[str, Any] = {
    "app": "shop",
    "topics": {"events": "e", "labels": "l", "predictions": "p", "alerts": "a", "dead_letters": "d"},
    "events": {
        "features": {
            "amount": {"type": "number"},
            "weight": {"type": "number"},
            "country": {"type": "category"},
            "channel": {"type": "category"},
        }
    },
    "model": {"name": "m", "problem": "binary", "learner": {"kind": "logistic"}},
    "detectors": {"concept": [{"kind": "cusum"}], "data": [{"kind": "ks"}, {"kind": "chi_squared"}]},
}
"""What a part of a configuration is a part of."""


@pytest.mark.parametrize("block", BLOCKS_OF_PAGES, ids=lambda block: str(block.where))
def test_each_block_is_run_or_listed_with_the_reason(block: Block) -> None:
    assert unrun(block) or block.kind in RUN, f"{block.where}: say what it is (```console, ...), or list it in unrun.py"


@pytest.mark.parametrize("known", BLOCKS)
def test_what_is_listed_as_unrun_is_on_its_page(known: tuple[str, str]) -> None:
    page, first = known

    assert [block for block in BLOCKS_OF_PAGES if block.page == page and block.first.startswith(first)]


@pytest.mark.parametrize("stand", STANDS, ids=lambda stand: str(stand.command))
def test_what_is_run_in_the_place_of_a_command_is_needed(stand: Any) -> None:
    lines = [command.line for block in BLOCKS_OF_PAGES if block.kind == "console" for command in commands_of(block)]

    assert any(re.fullmatch(stand.command, re.sub(r"\s# .*$", "", line).strip()) for line in lines)


@pytest.mark.parametrize("block", CONFIGS, ids=lambda block: str(block.where))
def test_each_configuration_loads(block: Block, tmp_path: Any) -> None:
    part = yaml.safe_load(block.text)
    file = tmp_path / "service.yaml"
    file.write_text(block.text if "app" in part else yaml.safe_dump(merged(BASE, part)))

    assert load(file, {}).app


@pytest.mark.parametrize("block", [b for b in BLOCKS_OF_PAGES if b.kind == "json"], ids=lambda block: str(block.where))
def test_each_record_is_json(block: Block) -> None:
    records, text = json.JSONDecoder(), block.text.strip()
    while text:
        _, end = records.raw_decode(text)
        text = text[end:].lstrip()


@pytest.mark.parametrize("block", [b for b in BLOCKS_OF_PAGES if b.kind == "python"], ids=lambda b: str(b.where))
def test_each_program_is_one_that_a_page_runs(block: Block) -> None:
    typed = [c.line for b in BLOCKS_OF_PAGES if (b.page, b.kind) == (block.page, "console") for c in commands_of(b)]

    assert block.file is not None
    assert any(block.file in line for line in typed)


def driftline_lines() -> Iterator[tuple[str, str]]:
    """Each `driftline ...` on the pages, in blocks (run or not) and in the text, with where it stands."""
    for block in BLOCKS_OF_PAGES:
        if block.kind in ("console", "text") and block.text.startswith("$ "):
            for command in commands_of(block):
                yield block.where, command.line
    for page in PAGES:
        for code in inline_code_of(page):
            if code.startswith("driftline ") and "driftline." not in code:
                yield page.name, code
    for block in UNITS:
        for line in re.findall(r"^Exec\w+=\S*/(driftline .*)$", block.text, re.MULTILINE):
            yield block.where, line


def refused(line: str) -> str | None:
    """Why there is no such command, or no such option of it; None if there is."""
    words = shlex.split(re.sub(r"\s# .*$", "", line))
    # Help is shown only after all words were read, and before any that is missing is asked for.
    result = CliRunner().invoke(app, [*words[1:], "--help"])
    return None if result.exit_code == 0 else result.output


def test_each_driftline_command_on_the_pages_is_one_that_there_is() -> None:
    places = {line: where for where, line in driftline_lines() if line.startswith("driftline ")}

    assert len(places) > 50
    assert [f"{where}: {line}: {why}" for line, where in places.items() if (why := refused(line))] == []


class Unit(configparser.ConfigParser):
    """A unit of systemd, in whose names upper and lower case differ."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


@pytest.mark.parametrize("block", UNITS, ids=lambda block: str(block.where))
def test_each_unit_of_systemd_can_be_read(block: Block) -> None:
    unit = Unit(strict=False, interpolation=None)
    unit.read_string(block.text)

    assert {"Unit", "Service", "Install"} <= set(unit.sections())


def test_a_command_or_option_that_there_is_not_would_be_found() -> None:
    assert refused("driftline models promote 7 -c my.yaml") is None
    assert refused("driftline models crown 7 -c my.yaml") is not None
    assert refused("driftline run -c my.yaml --speed 3") is not None
