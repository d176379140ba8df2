"""For all tests."""

from __future__ import annotations

import gc
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

# A worker that a test forks imports its way through the path; last in it, so that the installed package is tested. What
# benchmarks share comes after that: a script beside it has a package's name.
ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT), str(ROOT / "benchmarks")]

# A test run started in the background of a shell ignores Ctrl-C, and so would every command that a test starts to see
# what it does on Ctrl-C. A handler is not inherited, an ignored signal is.
signal.signal(signal.SIGINT, signal.default_int_handler)

BREAKING = ("tests/faults/", "tests/integration/clients/")
"""Where tests break connections."""


@pytest.fixture(autouse=True)
def logging_is_as_before() -> Iterator[None]:
    """A command that a test runs in this process says for all of it which log lines there are."""
    yield
    structlog.reset_defaults()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A socket of a broken connection may also be collected in mid-test; see `pytest_runtest_logfinish`."""
    quiet = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
    for item in items:
        if item.nodeid.startswith(BREAKING):
            item.add_marker(quiet)


def pytest_runtest_logfinish(nodeid: str) -> None:
    """kafka-python leaves the sockets of connections that broke to the garbage collector, which warns of each.

    They are collected here, after the test, when its captured log no longer holds on to them. What was there before
    these tests is left out of the search, which would take a while.
    """
    if not nodeid.startswith(BREAKING):
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    if not gc.get_freeze_count():
        gc.freeze()
