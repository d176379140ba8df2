"""The digest of what a task's state depends on: the same for the same meaning, another for another."""

from __future__ import annotations

from typing import Any

import pytest

from stream.config.digest import state_digest
from stream.testing import small_config


def test_defaults_count_as_written_out() -> None:
    assert state_digest(small_config({"scores": {"window": 2000}})) == state_digest(small_config())


@pytest.mark.parametrize(
    "change",
    [
        {"events": {"features": {"x": {"type": "number", "min": 0}, "kind": {"type": "category"}}}},
        {"events": {"features": {"kind": {"type": "category"}, "x": {"type": "number"}}}},
        {"labels": {"ttl": "2h"}},
        {"model": {"seed": 2}},
        {"detectors": {"concept": [{"kind": "adwin"}]}},
        {"adaptation": {"margin": 0.5}},
        {"scores": {"window": 100}},
        {"labels": {"starvation": None}},
        {"fit": {"gap": 0.4}},
    ],
)
def test_what_determines_the_state_changes_the_digest(change: dict[str, Any]) -> None:
    assert state_digest(small_config(change)) != state_digest(small_config())


@pytest.mark.parametrize(
    "change", [{"kafka": {"bootstrap_servers": "b:1"}}, {"http": {"port": 1}}, {"runtime": {"commit_interval": 1}}]
)
def test_what_does_not_determine_the_state_leaves_it(change: dict[str, Any]) -> None:
    assert state_digest(small_config(change)) == state_digest(small_config())


KS = {"detectors": {"data": [{"kind": "ks"}]}}


def test_a_budget_changes_the_digest_by_what_it_makes_of_the_detectors() -> None:
    in_events = {**KS, "alarms": {"expected_events_per_false_alarm": 604_800}}
    in_time = {**KS, "alarms": {"false_alarms_per_week": 1, "expected_events_per_second": 1}}
    tighter = {**KS, "alarms": {"expected_events_per_false_alarm": 700_000}}

    assert state_digest(small_config(in_events)) == state_digest(small_config(in_time))
    assert len({state_digest(small_config(change)) for change in (KS, in_events, tighter)}) == 3
