"""The table of what a model of a task can be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.core.lifecycle import TRANSITIONS, Cause, Stage, diagram, moved

PAGE = Path(__file__).parents[3] / "docs" / "adaptation.md"


def test_every_stage_can_be_reached_and_left() -> None:
    reached = set(TRANSITIONS.values()) | {Stage.TRAINING}
    left = {stage for stage, _ in TRANSITIONS}
    assert reached == left == set(Stage)


def test_every_cause_moves_something() -> None:
    assert {cause for _, cause in TRANSITIONS} == set(Cause)


def test_nothing_is_promoted_that_was_not_proposed_but_by_hand() -> None:
    serving = (Stage.PROBATION, Stage.CHAMPION)
    to_champion = {
        stage for (stage, cause), to in TRANSITIONS.items() if to in serving and cause is not Cause.CALLED_BACK
    }
    assert to_champion == {Stage.PROPOSED, Stage.PROBATION}


def test_what_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError):
        moved(Stage.RETIRED, Cause.PROMOTED)


def test_the_page_has_the_tables_diagram() -> None:
    found = re.search("```mermaid\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == diagram()
