"""The made-up service answers as the API does: a page that is right over it is right over a service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from stream.history.answers import Drift, Labels, Workers
from stream.web.feeds.alerts import Page
from stream.web.feeds.audit import Changes
from stream.web.routes.history import FeatureAnswer, OverviewAnswer, SeriesAnswer
from stream.web.routes.me import Me
from stream.web.routes.models import Models
from stream.web.routes.quality import Quality
from tests.web.fixture import Fixture

ANSWERS: Final[dict[str, Any]] = {
    "/v1/me": Me,
    "/v1/overview": OverviewAnswer,
    "/v1/series": SeriesAnswer,
    "/v1/drift": Drift,
    "/v1/features/amount": FeatureAnswer,
    "/v1/features/country": FeatureAnswer,
    "/v1/alerts": Page,
    "/v1/models": Models,
    "/v1/labels": Labels,
    "/v1/quality": Quality,
    "/v1/workers": Workers,
    "/v1/audit": Changes,
}


@pytest.fixture(scope="module")
def service() -> Iterator[Fixture]:
    service = Fixture()
    yield service
    service.close()


@pytest.mark.parametrize("path", ANSWERS)
def test_an_answer_is_of_the_type_that_the_api_tells(service: Fixture, path: str) -> None:
    msgspec.convert(service.get(path, {}, "operator"), ANSWERS[path])
