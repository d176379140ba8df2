"""What the pages tell a reader to type does what they show, in their order, against a real Kafka and a real Valkey."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.conftest import Servers
from tests.docs.pages import PAGES, blocks_of, name_of
from tests.docs.terminal import Terminal
from tests.docs.unrun import unrun

TYPED = [page for page in PAGES if any(block.kind == "console" and not unrun(block) for block in blocks_of(page))]


@pytest.mark.parametrize("page", TYPED, ids=name_of)
def test_the_commands_of_a_page_do_what_it_shows(page: Path, servers: Servers, folder: Path) -> None:
    with Terminal(folder, servers.env, servers.addresses) as terminal:
        for block in blocks_of(page):
            if not unrun(block):
                terminal.play(block)
