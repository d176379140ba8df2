"""The shipped service files: each reads all that its simulator writes, and looks at no more than it says."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest

from stream.config.load import load
from stream.config.model import Config
from stream.decode import EventDecoder, LabelDecoder
from stream.records import Event, Label
from stream.simulate.catalogue import Kind, make_source
from stream.simulate.wire import encode
from stream.testing import Raw

CONFIGS = Path(__file__).parents[3] / "configs"
SHIPPED = [("flights.yaml", Kind.FLIGHTS), ("fraud.yaml", Kind.PAYMENTS), ("sensor.yaml", Kind.SENSOR)]


class Decoded(NamedTuple):
    config: Config
    events: list[Event]
    labels: list[Label]


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda shipped: shipped[0])
def decoded(request: pytest.FixtureRequest) -> Decoded:
    """What a service with this file sees of its simulator's first records."""
    file, kind = request.param
    config = load(CONFIGS / file, env={})
    assert config.topics.labels is not None
    names = {"events": config.topics.events, "labels": config.topics.labels}
    # Payments need days before the first of them is settled.
    source = make_source(kind, imbalance=5) if kind is Kind.PAYMENTS else make_source(kind)
    messages = list(islice(encode(source.records(events=400)), 1200))
    records = [
        Raw(m.value, m.key, names[m.topic], offset=offset, timestamp=round(m.timestamp * 1000))
        for offset, m in enumerate(messages)
    ]
    events = EventDecoder(config).decode([r for r in records if r.topic == config.topics.events])
    labels = LabelDecoder(config).decode([r for r in records if r.topic == config.topics.labels])
    refused = [r.message for r in (*events, *labels) if not isinstance(r, (Event, Label))]
    assert refused == []
    return Decoded(
        config,
        [event for event in events if isinstance(event, Event)],
        [label for label in labels if isinstance(label, Label)],
    )


def test_every_simulated_event_is_read(decoded: Decoded) -> None:
    assert len(decoded.events) == 400


def test_the_time_an_event_names_is_its_records(decoded: Decoded) -> None:
    assert all(event.time == pytest.approx(event.timestamp, abs=0.001) for event in decoded.events)


def test_every_declared_feature_is_in_some_event(decoded: Decoded) -> None:
    seen = {name for event in decoded.events for name, value in event.features.items() if value is not None}

    assert seen == set(decoded.config.events.features)


def test_labels_name_their_events(decoded: Decoded) -> None:
    assert decoded.labels
    assert {label.id for label in decoded.labels} <= {event.id for event in decoded.events}


def test_labels_are_of_the_problems_type_and_not_all_the_same(decoded: Decoded) -> None:
    expected = float if decoded.config.model.problem.value == "regression" else bool

    assert {type(label.label) for label in decoded.labels} == {expected}
    assert len({label.label for label in decoded.labels}) > 1


def test_personal_data_of_payments_are_no_features() -> None:
    fraud = load(CONFIGS / "fraud.yaml", env={})

    paths = {feature.path or name for name, feature in fraud.events.features.items()}
    assert not {path for path in paths if "email" in path or "masked" in path}


def test_addresses_come_from_the_environment() -> None:
    env = {"DRIFTLINE_KAFKA": "broker:1", "DRIFTLINE_REDIS_URL": "redis://store:2/0", "DRIFTLINE_HTTP_PORT": "3"}

    for file, _ in SHIPPED:
        config = load(CONFIGS / file, env=env)
        assert (config.kafka.bootstrap_servers, config.redis.url, config.http.port) == (
            "broker:1",
            env["DRIFTLINE_REDIS_URL"],
            3,
        )
