"""Every record ends somewhere and is counted there: labels of all kinds, and records that cannot be used."""

from __future__ import annotations

import json

import structlog
from structlog.testing import LogCapture

from tests.integration.service.conftest import MakeStage
from tests.integration.support.outside import T0, Given
from tests.integration.support.running import Http, InThread
from tests.integration.support.stage import event, label
from tests.integration.support.waiting import until


def outcomes(service: Http, topic: str) -> dict[str, float]:
    names = {"events": ("predicted", "duplicate", "dead_lettered")}.get(
        topic, ("joined", "expired", "duplicate", "dead_lettered")
    )
    return {name: service.metric("driftline_records_total", topic=topic, outcome=name) for name in names}


def test_counters_add_up_to_the_input_whatever_labels_do(make_stage: MakeStage) -> None:
    stage = make_stage({"labels": {"ttl": "1h"}})
    malformed = Given(b"{", timestamp=T0 + 250)
    stranger = Given(b'{"id":"nobody","label":true}', timestamp=T0 + 20)
    still_waiting = Given(b'{"id":"not yet","label":true}', timestamp=T0 + 8000)
    events = [event(n) for n in range(200)] + [event(n)._replace(timestamp=T0 + 200) for n in range(10)]
    stage.produce("events", [*events, malformed, event(1000)._replace(timestamp=T0 + 8000)])
    in_time = [label(n, delay=0.5 + n % 3 * 20) for n in range(100)]
    early = [label(n, delay=-10) for n in range(100, 120)]
    early_again = [label(n, delay=-9) for n in range(100, 105)]
    twice = [label(n, delay=300) for n in range(0, 100, 10)]
    labels = sorted([*in_time, *early, *early_again, *twice, stranger, malformed], key=lambda given: given.timestamp)
    stage.produce("labels", [*labels, still_waiting])
    with InThread(stage) as service:
        until(lambda: (stage.committed("events"), stage.committed("labels")) == (212, 138))
        events_by_outcome, labels_by_outcome = outcomes(service, "events"), outcomes(service, "labels")
        held, pending = service.metric("driftline_held_labels"), service.metric("driftline_pending_labels")
        expired = service.metric("driftline_predictions_expired_total")
        dead = service.metric("driftline_dead_letters_total", reason="malformed_json")

    assert events_by_outcome == {"predicted": 201, "duplicate": 10, "dead_lettered": 1}
    assert labels_by_outcome == {"joined": 120, "expired": 1, "duplicate": 15, "dead_lettered": 1}
    assert held == 1  # the label whose event may still come
    assert (expired, pending) == (80, 1)  # predictions: 120 joined, 80 whose hour is over, and the newest
    assert dead == 2
    assert sum(events_by_outcome.values()) == 212
    assert sum(labels_by_outcome.values()) + held == 138


def test_unusable_records_are_dead_letters_and_the_loop_goes_on(make_stage: MakeStage) -> None:
    stage = make_stage({"events": {"features": {"x": {"type": "number", "min": -10, "max": 10, "required": True}}}})
    secret = "jane.roe@example.com, " * 20
    bad = [
        ("malformed_json", b'{"id": "b1", "x": 1.0'),
        ("wrong_type", json.dumps({"id": "b2", "x": secret, "name": "Jane Roe"}).encode()),
        ("missing_field", b'{"id": "b3", "name": "Jane Roe"}'),
        ("empty_value", None),
        ("out_of_range", b'{"id": "b5", "x": 11, "name": "Jane Roe"}'),
        ("malformed_json", b'{"id": "b6", "x": NaN}'),
        ("wrong_type", b"[1, 2]"),
        ("malformed_json", b"\xff\xfe\x00"),
    ]
    headers = (("trace", b"abc"),)
    stage.produce("events", [Given(value, f"key{n}".encode(), T0 + n, 0, headers) for n, (_, value) in enumerate(bad)])
    stage.produce("events", [event(n, {"x": 1.0})._replace(timestamp=T0 + 100 + n) for n in range(5)])
    stage.produce("labels", [Given(b'{"id": "e0", "label": "maybe"}', b"key9", T0 + 200)])
    log = LogCapture()
    with InThread(stage) as service:
        structlog.configure(processors=[log])
        predictions = stage.predictions(at_least=5)
        letters = stage.read("dead_letters", at_least=9)
        service.wait_ready()
    structlog.reset_defaults()

    assert [p["id"] for p in predictions] == [f"e{n}" for n in range(5)]
    of_events, of_labels = letters[:8], letters[8:]
    assert [letter.headers["driftline-reason"].decode() for letter in of_events] == [reason for reason, _ in bad]
    assert [letter.value for letter in of_events] == [value for _, value in bad]
    for n, letter in enumerate(of_events):
        assert letter.key == f"key{n}".encode()
        assert letter.headers["trace"] == b"abc"
        assert letter.headers["driftline-topic"].decode() == stage.topic("events")
        assert (letter.headers["driftline-partition"], letter.headers["driftline-offset"]) == (b"0", str(n).encode())
    messages = [letter.headers["driftline-message"].decode() for letter in of_events]
    assert messages[4] == f"{stage.topic('events')}[0]@4: feature 'x' is 11; expected a number from -10 to 10."
    assert [letter.headers["driftline-reason"] for letter in of_labels] == [b"bad_label"]
    assert [letter.headers["driftline-topic"].decode() for letter in of_labels] == [stage.topic("labels")]

    told = [*messages, *(str(entry) for entry in log.entries if entry["event"] == "dead_letter")]
    assert told
    assert not any("Jane Roe" in text for text in told)
    assert not any(secret[:41] in text for text in told)


def test_labels_none_of_which_can_be_used_degrade_the_input_until_they_can(make_stage: MakeStage) -> None:
    stage = make_stage({})
    stage.produce("events", [event(n) for n in range(600)])
    stage.produce("labels", [label(n, "maybe") for n in range(200)])
    with InThread(stage) as service:
        until(lambda: service.readyz()[1].get("parts", {}).get("input", {}).get("state") == "degraded")
        code, report = service.readyz()
        stage.produce("labels", [label(n) for n in range(200, 600)])
        until(lambda: service.readyz()[1]["parts"]["input"] == {"state": "ok"})

    assert (code, report["ready"], report["state"]) == (200, True, "degraded")
    assert "labels, partition 0" in report["parts"]["input"]["reason"]
