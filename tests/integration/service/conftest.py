"""Services with topics of their own on the shared broker, and models of their own in the shared Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from stream.embedded import EmbeddedKafka
from tests.integration.support.outside import Outside, opened
from tests.integration.support.stage import Stage


class MakeStage(Protocol):
    """Makes a service's surroundings."""

    def __call__(self, overrides: dict[str, Any] | None = None, *, partitions: int = 1) -> Stage: ...


@pytest.fixture(scope="session")
def outside(broker: EmbeddedKafka) -> Iterator[Outside]:
    with opened(broker.bootstrap_servers) as outside:
        yield outside


@pytest.fixture
def make_stage(outside: Outside, redis_url: str, tmp_path: Path) -> MakeStage:
    def make(overrides: dict[str, Any] | None = None, *, partitions: int = 1) -> Stage:
        return Stage(outside, redis_url, tmp_path, overrides, partitions=partitions)

    return make


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """A binary model on features x and kind, labels on a topic of their own, one partition, no detectors."""
    return make_stage()
