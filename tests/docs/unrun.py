"""Everything on the pages that no test runs as it stands, each with its reason. What is not here is run."""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.docs.pages import Block

BLOCKS: Final = {
    ("README.md", "$ make demo"): "tests/e2e runs the demo; it takes minutes",
    ("README.md", "Driftline  flights from New York in 2013"): "a picture of the demo",
    ("README.md", "336,776 flights predicted"): "what a whole demo prints in the end",
    ("README.md", "events ─┐"): "a drawing",
    ("README.md", "$ driftline explain"): "of the demo; tests/integration/service/test_explain.py explains predictions",
    ("docs/adaptation.md", "stateDiagram-v2"): "a drawing; tests/unit/core/test_lifecycle.py compares it",
    ("docs/models.md", "$ driftline models list"): "needs seven versions; tests/integration/store/test_models_cli.py",
    (
        "docs/models.md",
        "$ driftline models push",
    ): "needs a trained model; tests/integration/store/test_models_bringing.py",
}
"""Blocks, by page and how their first line begins."""


class Stand(NamedTuple):
    """What is run in the place of a command (a pattern that is matched whole); None for nothing."""

    command: str
    instead: str | None
    why: str


STANDS: Final = (
    Stand(r"\. \.venv/bin/activate", None, "the tests run in an environment of their own"),
    Stand(r"pip install .*", None, "the tests have no network; `make test` builds the wheel and installs it"),
    Stand(r"driftline dev up .*", "driftline dev status", "one broker serves all pages; it was started by `dev up`"),
    Stand(r"driftline dev down", None, "the tests stop it so when all pages are done"),
    Stand(r"\$EDITOR my\.yaml", "grep 'ttl: 69d' my.yaml", "a person reads what was guessed"),
)


def unrun(block: Block) -> bool:
    """Whether a block is listed here."""
    return any(page == block.page and block.first.startswith(first) for page, first in BLOCKS)
