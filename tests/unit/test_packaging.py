"""The distribution: what is installed, what is locked, and that one version is written everywhere."""

from __future__ import annotations

import os
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import detectors
import learners
import stream

ROOT = Path(__file__).parents[2]
LOCKS = ("build", "demo", "dev", "service")
PACKAGES = (detectors, learners, stream)

installed = pytest.mark.skipif(
    not os.environ.get("DRIFTLINE_TEST_INSTALLED"), reason="only `make test` installs the wheel before it tests"
)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(lock: str) -> dict[str, str]:
    """Name to version, of all that a lock file installs."""
    lines = (ROOT / "requirements" / f"{lock}.txt").read_text().splitlines()
    return dict(line.split(" ")[0].split("==") for line in lines if re.match(r"[a-z0-9]", line))


def source_files() -> set[str]:
    found = (path for package in ("detectors", "learners", "stream") for path in (ROOT / package).rglob("*"))
    files = (path for path in found if path.is_file() and path.suffix != ".pyc" and not path.name.startswith("."))
    return {path.relative_to(ROOT).as_posix() for path in files}


@installed
@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_what_is_tested_is_the_installed_wheel(package: Any) -> None:
    assert not Path(package.__file__).is_relative_to(ROOT / package.__name__)


@installed
def test_the_wheel_holds_every_source_file_and_nothing_else() -> None:
    files = {str(file) for file in metadata.files("driftline") or ()}

    packaged = {file for file in files if not file.startswith("..") and ".dist-info/" not in file}

    assert {file for file in packaged if "__pycache__" not in file} == source_files()


@installed
def test_the_wheel_brings_every_configuration_that_we_ship() -> None:
    brought = {Path(str(file.locate())) for file in metadata.files("driftline") or () if file.suffix == ".yaml"}

    texts = {path.name: path.read_text() for path in brought}

    assert texts == {path.name: path.read_text() for path in (ROOT / "configs").glob("*.yaml")}


@installed
def test_the_command_is_driftline() -> None:
    (command,) = metadata.distribution("driftline").entry_points.select(group="console_scripts")

    assert (command.name, command.value) == ("driftline", "stream.cli:main")
    assert callable(command.load())


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_type_checkers_of_others_see_the_types(package: Any) -> None:
    assert Path(package.__file__).with_name("py.typed").is_file()


def test_one_version_is_written_everywhere() -> None:
    version = project()["project"]["version"]

    assert f'org.opencontainers.image.version="{version}"' in (ROOT / "Dockerfile").read_text()
    images = re.findall(r"image: (driftline\S*)", (ROOT / "docker-compose.yml").read_text())
    assert images == [f"driftline:{version}", f"driftline-demo:{version}"]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_library_has_one_version_and_a_hash(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()

    blocks = re.split(r"\n(?=[a-z0-9])", text)[1:]

    assert blocks
    assert [
        block for block in blocks if not re.match(r"[a-z0-9.-]+==\S+ .*\\\n    --hash=sha256:[0-9a-f]{64}", block)
    ] == []
    assert len(pins(lock)) == len(blocks)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_registry(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()

    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|--trusted-host", text) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_environment_has_the_versions_that_the_tests_ran_with(lock: str) -> None:
    tested = pins("dev")

    assert {name: version for name, version in pins(lock).items() if tested.get(name, version) != version} == {}


@pytest.mark.parametrize(
    ("lock", "extras"), [("service", ()), ("demo", ("embedded", "fast")), ("dev", ("embedded", "fast", "dev"))]
)
def test_what_is_asked_for_is_locked_within_its_bounds(lock: str, extras: tuple[str, ...]) -> None:
    declared = project()["project"]
    asked = [
        *declared["dependencies"],
        *(line for extra in extras for line in declared["optional-dependencies"][extra]),
    ]
    wanted = [Requirement(line) for line in asked if not line.startswith("driftline[")]

    locked = pins(lock)

    assert [str(r) for r in wanted if not r.specifier.contains(locked.get(canonicalize_name(r.name), "0"))] == []
