"""Which alerts are one incident, and where that stands."""

from __future__ import annotations

from itertools import permutations

import pytest

from stream.records import Alert, Contributor
from stream.web.feeds.incidents import Incidents, Told
from tests.unit.web.feeds.made import T0, alert, end, swap


def fed(*alerts: Alert, most: int = 100) -> Incidents:
    """Incidents that were told of these alerts, a second apart."""
    incidents = Incidents(most)
    for at, one in enumerate(alerts):
        incidents.add(Told(one, float(at)))
    return incidents


def stage_of(incidents: Incidents, id_: str, **readings: str) -> str:
    """Where an incident stands when detectors of the errors read so."""
    incident = incidents.get(id_)
    assert incident is not None
    return incident.stage({(detector, None): state for detector, state in readings.items()})


def test_a_drift_is_open_until_an_alert_says_that_it_is_over() -> None:
    assert stage_of(fed(alert()), "a1") == "open"
    assert stage_of(fed(alert(), end()), "a1") == "closed"
    assert stage_of(fed(alert(), end(state="settled")), "a1") == "closed"


@pytest.mark.parametrize("state", ["stable", "warmup"])
def test_a_drift_that_no_detector_in_it_sees_any_more_is_recovering(state: str) -> None:
    assert stage_of(fed(alert()), "a1", adwin=state) == "recovering"


@pytest.mark.parametrize("state", ["drift", "warning"])
def test_a_drift_that_a_detector_in_it_still_sees_is_open(state: str) -> None:
    both = alert(contributors=(Contributor("adwin"), Contributor("ddm")))

    assert stage_of(fed(both), "a1", adwin="stable", ddm=state) == "open"


def test_a_drift_of_whose_detectors_nothing_is_known_is_open() -> None:
    assert stage_of(fed(alert()), "a1", ddm="stable") == "open"


def test_a_drift_that_is_over_stays_closed_whatever_detectors_read() -> None:
    assert stage_of(fed(alert(), end()), "a1", adwin="drift") == "closed"


def test_a_swap_is_closed_and_was_never_open() -> None:
    incidents = fed(swap())

    assert stage_of(incidents, "s1") == "closed"
    assert [one.end for one in incidents] == [None]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_alerts_of_one_drift_give_the_same_in_whatever_order_they_come(order: tuple[int, ...]) -> None:
    told = [alert(), alert("a2", incident="a1", since=T0, after=0.45), end()]

    (one,) = fed(*(told[place] for place in order))

    assert one.first.alert.id == "a1"
    assert [later.alert.id for later in one.later] == ["a2"]
    assert one.end is not None
    assert one.end.alert.id == "a1-recovered"


def test_the_same_alert_told_again_after_a_crash_is_no_news() -> None:
    incidents = fed(alert(), end())

    assert incidents.add(Told(alert(), 50.0)) is None
    assert incidents.add(Told(end(), 51.0)) is None
    assert [one.first.at for one in incidents] == [0.0]


def test_an_incident_is_found_by_the_id_of_any_of_its_alerts() -> None:
    incidents = fed(alert(), alert("a2", incident="a1", since=T0), end())

    found = [incidents.get(id_) for id_ in ("a1", "a2", "a1-recovered")]

    assert [one and one.id for one in found] == ["a1"] * 3
    assert incidents.get("a3") is None


def test_the_end_of_a_drift_whose_beginning_is_not_kept_is_shown_closed() -> None:
    assert stage_of(fed(end()), "a1") == "closed"


def test_the_newest_come_first() -> None:
    assert [one.id for one in fed(alert("a1"), alert("a2"), alert("a3"))] == ["a3", "a2", "a1"]


def test_beyond_the_bound_the_oldest_that_is_over_goes_first() -> None:
    incidents = fed(alert("a1"), alert("a2"), end("a2"), alert("a3"), end("a3"), alert("a4"), most=3)

    assert [one.id for one in incidents] == ["a4", "a3", "a1"]
    assert incidents.get("a2-recovered") is None


def test_when_all_are_open_the_oldest_goes() -> None:
    assert [one.id for one in fed(*(alert(f"a{n}") for n in range(5)), most=3)] == ["a4", "a3", "a2"]


def test_a_new_alert_stays_though_everything_else_is_open() -> None:
    assert [one.id for one in fed(alert("a1"), alert("a2"), swap(), most=2)] == ["s1", "a2"]


def test_the_swap_that_came_of_a_drift_is_the_first_in_its_task_before_it_was_over() -> None:
    elsewhere = swap("s0", partition=1, ts=T0 + 7300.0)
    earlier = swap("s-1", ts=T0)
    incidents = fed(earlier, alert(), elsewhere, swap("s1"), swap("s2", ts=T0 + 7200.0 + 90_000.0), end())
    drift = incidents.get("a1")
    assert drift is not None

    found = incidents.swap_after(drift)

    assert found is not None
    assert found.id == "s1"


def test_a_swap_after_the_end_of_a_drift_did_not_come_of_it() -> None:
    incidents = fed(alert(), end(ts=T0 + 8000.0), swap())
    drift = incidents.get("a1")
    assert drift is not None

    assert incidents.swap_after(drift) is None
