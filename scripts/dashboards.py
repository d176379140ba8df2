"""Writes the Grafana dashboards in configs/grafana/dashboards: PYTHONPATH=. python scripts/dashboards.py"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from boards.drawing import written
from boards.drift import DRIFT
from boards.infrastructure import INFRASTRUCTURE
from boards.labels import LABELS
from boards.models import MODELS
from boards.overview import OVERVIEW

FOLDER: Final = Path(__file__).parents[1] / "configs/grafana/dashboards"

DASHBOARDS: Final = (OVERVIEW, DRIFT, MODELS, LABELS, INFRASTRUCTURE)


def main() -> None:
    """Write all dashboards."""
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.name}.json").write_text(written(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main()
