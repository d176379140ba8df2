"""docs/predict.md and docs/alerts.md say what is so: fields, figures and answers."""

from __future__ import annotations

import inspect
from pathlib import Path

import msgspec
import pytest

from stream.scrubbing import scrubbed
from stream.web.feeds import alerts, gateway, incidents, lookup, quality
from stream.web.routes import predictions

DOCS = Path(__file__).parents[3] / "docs"
PREDICT = (DOCS / "predict.md").read_text(encoding="utf-8")
ALERTS = (DOCS / "alerts.md").read_text(encoding="utf-8").split("## Following alerts up")[1]


def test_each_field_that_is_told_of_an_incident_is_on_the_page() -> None:
    for field in msgspec.structs.fields(alerts.About):
        assert f"| `{field.name}` |" in ALERTS


@pytest.mark.parametrize(
    ("page", "said", "figure", "so"),
    [
        (ALERTS, "newest 2,000 alerts", incidents.MOST, 2000),
        (ALERTS, "newest five alerts", incidents.LATER, 5),
        (ALERTS, "newest\n1,000 of each partition", quality.COUNTED, 1000),
        (ALERTS, "newest 200 as samples", quality.SAMPLES, 200),
        (PREDICT, "200 requests are waiting", gateway.MOST_WAITING, 200),
        (PREDICT, "for a minute after that", gateway.IDLE_SECONDS, 60.0),
        (PREDICT, "10 unless you say so", predictions.SECONDS, 10.0),
        (PREDICT, "for ten seconds at most", lookup.SECONDS, 10.0),
        (PREDICT, "two\ncallers at once", lookup.AT_ONCE, 2),
    ],
)
def test_figures_on_the_pages_are_those_of_the_code(page: str, said: str, figure: float, so: float) -> None:
    assert said in page
    assert figure == so


def test_the_longest_wait_on_the_page_is_that_of_the_route() -> None:
    assert "60 at most" in PREDICT
    assert "le=60" in inspect.getsource(predictions.predict)


def test_the_example_of_a_scrubbed_value_is_what_is_shown() -> None:
    assert '`{"amount": 12.5, "name": "J. Smith"}` as `{"amount":"number","name":"text(8)"}`' in ALERTS
    assert scrubbed(b'{"amount": 12.5, "name": "J. Smith"}') == '{"amount":"number","name":"text(8)"}'
