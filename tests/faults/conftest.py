"""A broker that may be stopped, and one that is shared and has topics that refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from stream.embedded import EmbeddedKafka, EmbeddedValkey
from tests.integration.support.outside import Outside, opened
from tests.integration.support.stage import Stage, merged

IMPATIENT = {
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
}
"""Of a broker that soon takes silent members for dead, and soon ends transactions that were left open."""


@pytest.fixture(scope="session")
def own_broker() -> Iterator[EmbeddedKafka]:
    """A broker of these tests' own. A test that stops it starts it again."""
    with EmbeddedKafka(properties=IMPATIENT) as broker:
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
    "adaptation": {"policy": "keep_learning"},
    "kafka": {"session_timeout": "3s", "transaction_timeout": "3s"},
}


@pytest.fixture
def stage(outside: Outside, own_valkey: EmbeddedValkey, tmp_path: Path) -> Stage:
    """A service that tells of drift but replaces no model."""
    own_valkey.start()
    return Stage(outside, own_valkey.url, tmp_path, QUIET)


class MakeStage(Protocol):
    """Makes a service's surroundings."""

    def __call__(self, overrides: Mapping[str, Any] = QUIET, *, partitions: int = 1) -> Stage: ...


@pytest.fixture(scope="module")
def make_stage(
    own_broker: EmbeddedKafka, own_valkey: EmbeddedValkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeStage]:
    """Makes such services for a whole module."""
    own_broker.start()
    own_valkey.start()

    def make(overrides: Mapping[str, Any] = QUIET, *, partitions: int = 1) -> Stage:
        folder = tmp_path_factory.mktemp("stage")
        return Stage(kafka, own_valkey.url, folder, merged(QUIET, overrides), partitions=partitions)

    with opened(own_broker.bootstrap_servers) as kafka:
        yield make
