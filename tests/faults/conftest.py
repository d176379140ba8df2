"""A broker that may be stopped, and one that is shared and has topics that refuse."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.embedded import EmbeddedKafka, EmbeddedValkey
from tests.integration.support.outside import Outside, opened
from tests.integration.support.stage import Stage


def pytest_runtest_logfinish() -> None:
    """kafka-python leaves the sockets of connections that broke to the garbage collector, which warns of each.

    They are collected here, after the test, when its captured log no longer holds on to them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def own_broker() -> Iterator[EmbeddedKafka]:
    """A broker of these tests' own. A test that stops it starts it again."""
    with EmbeddedKafka() as broker:
        yield broker


@pytest.fixture(scope="session")
def own_valkey() -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey() as valkey:
        yield valkey


@pytest.fixture
def outside(own_broker: EmbeddedKafka) -> Iterator[Outside]:
    own_broker.start()
    with opened(own_broker.bootstrap_servers) as outside:
        yield outside


QUIET = {
    "detectors": {"concept": [{"kind": "ddm"}]},
    "adaptation": {"policy": "alert_only"},
    "kafka": {"session_timeout": "6s"},
}


@pytest.fixture
def stage(outside: Outside, own_valkey: EmbeddedValkey, tmp_path: Path) -> Stage:
    """A service that tells of drift but replaces no model."""
    return Stage(outside, own_valkey.url, tmp_path, QUIET)


@pytest.fixture(scope="module")
def make_stage(
    own_broker: EmbeddedKafka, own_valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Stage]]:
    """Makes such services for a whole module."""
    own_broker.start()
    with opened(own_broker.bootstrap_servers) as outside:
        yield lambda: Stage(outside, own_valkey.url, tmp_path_factory.mktemp("stage"), QUIET)
