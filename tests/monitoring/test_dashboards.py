"""configs/grafana/dashboards are what scripts/dashboards.py writes, and leave out no metric."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream.telemetry import Telemetry

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs/grafana/dashboards"
LEFT_OUT: dict[str, str] = {}
"""Metrics that no panel shows, each with the reason. There is none so far."""


def shown() -> set[str]:
    """The metrics in the queries of all panels, as they are named without the suffix of a histogram's series."""
    found: set[str] = set()
    for file in FOLDER.glob("*.json"):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", []):
                found |= set(re.findall(r"\bdriftline_\w+", target["expr"]))
    return {re.sub("_(bucket|sum|count)$", "", name) for name in found}


def test_every_metric_is_in_a_panel_or_left_out_for_a_reason() -> None:
    exported = {metric.name for metric in Telemetry("model").catalogue()}

    assert shown() | set(LEFT_OUT) == exported
    assert shown() & set(LEFT_OUT) == set()
    assert all(LEFT_OUT.values())


def test_the_files_are_what_the_script_writes(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); "
        "import dashboards; dashboards.FOLDER = Path(sys.argv[2]); dashboards.main()"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "scripts"), str(tmp_path)],
        check=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )

    written = {file.name: file.read_text() for file in tmp_path.glob("*.json")}
    assert written == {file.name: file.read_text() for file in FOLDER.glob("*.json")}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_no_two_panels_lie_on_each_other(file: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(file.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_every_panel_says_what_it_shows(file: Path) -> None:
    for panel in json.loads(file.read_text())["panels"]:
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"].endswith(".")
