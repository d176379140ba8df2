"""The data detectors, one after the other; laws of others have fixtures of their own."""

from __future__ import annotations

import pytest

from detectors.base import Row
from tests.contract.data_detectors import CASES, Case, Make, build, events


@pytest.fixture(params=CASES)
def kind(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def case(kind: str) -> Case:
    return CASES[kind]


@pytest.fixture
def make(kind: str, case: Case) -> Make:
    return lambda: build(kind, **case.warns)


@pytest.fixture
def rows(case: Case) -> list[Row]:
    """Usual, then changed, then usual again for long enough that both changes are found."""
    return events(case, (700, False), (700, True), (700, False))
