"""Benchmarks import what they share from their own folder, which comes last: a script in it has a package's name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))
