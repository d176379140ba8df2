"""Programs of the system that tests run. `make test` installs them where it may."""

from __future__ import annotations

import shutil
from typing import Final

PACKAGES: Final = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "chromium": "chromium",
    "chromedriver": "chromium-driver",
}
"""Debian's package of each program."""


def program(name: str) -> str:
    """The path of a program. Fails the test, with the command that installs it, when it is not there."""
    path = shutil.which(name)
    assert path is not None, f"{name} is not installed: apt-get install {PACKAGES[name]}"
    return path
