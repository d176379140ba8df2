"""docs/api.md has every address of the API, with the role that it takes, and no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from stream.config.web import Role
from tests.unit.web.support import World

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `((?:GET|POST) /[^`]*)` \| (\S+) \|", PAGE, re.MULTILINE))


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    told: dict[str, Any] = World().client().get("/openapi.json").json()
    return told


def test_the_page_has_the_addresses_that_there_are(openapi: dict[str, Any]) -> None:
    paths = openapi["paths"].items()
    assert set(ROWS) == {f"{method.upper()} {path}" for path, operations in paths for method in operations}


@pytest.mark.parametrize("address", sorted(ROWS))
def test_an_address_takes_the_role_that_the_page_says_and_no_less(address: str) -> None:
    method, path = address.split()
    path = re.sub(r"\{\w+\}", "7", path)
    needed = ROWS[address]
    kind = "application/octet-stream" if address == "POST /v1/models" else "application/json"
    for role in Role if path != "/v1/live" else ():
        # Of those who may, what is asked makes no sense: nothing is done.
        world = World()
        answer = world.client(role.value).request(method, path, content=b"{}", headers={"Content-Type": kind})
        refused = answer.status_code == 403 and "needs the role" in answer.text
        assert refused == (needed != "-" and not role.may(Role(needed))), (role, answer.text)


def test_the_page_says_what_each_status_means(openapi: dict[str, Any]) -> None:
    told = {
        code for operations in openapi["paths"].values() for one in operations.values() for code in one["responses"]
    }
    listed = {code for row in re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE) for code in row.split(", ")}
    assert told - {"200", "400"} <= listed
