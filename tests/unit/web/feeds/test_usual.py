"""What a feature was like when all was well, as alerts have it."""

from __future__ import annotations

from typing import Any

import pytest

from stream.history.answers import CategoryValues, NumberValues
from stream.records import Alert, Window
from stream.testing import small_config
from stream.web.feeds.incidents import Incident, Told
from stream.web.feeds.usual import Usuals
from tests.unit.web.feeds.made import alert, end

USUALS = Usuals(
    small_config({"detectors": {"data": [{"kind": "ks"}, {"kind": "chi_squared"}, {"kind": "new_category"}]}})
)
BEFORE = Window(1000, profile={"p05": 1.0, "p50": 2.0})
AFTER = Window(500, profile={"p05": 5.0, "p50": 9.0})


def incident(*alerts: Alert) -> Incident:
    first, *others = (Told(one, 1.0) for one in alerts)
    made = Incident(first)
    for one in others:
        made.add(one)
    return made


def drift(**known: Any) -> Alert:
    usual: dict[str, Any] = {
        "kind": "data_drift",
        "detector": "ks",
        "feature": "x",
        "reference": BEFORE,
        "current": AFTER,
    }
    return alert(**(usual | known))


@pytest.mark.parametrize("later", [(), (end(),)], ids=["open", "recovered"])
def test_a_drift_tells_what_was_usual_before_it(later: tuple[Alert, ...]) -> None:
    found = USUALS.of(incident(drift(), *later), "x")
    assert found == (
        NumberValues(n=1000, quantiles={"0.05": 1.0, "0.5": 2.0}, missing=0.0),
        "what ks compared with before the alert of 8 February, 06:00 UTC",
    )


def test_a_drift_that_has_settled_tells_what_is_usual_since() -> None:
    found = USUALS.of(incident(drift(), end(state="settled")), "x")
    assert found is not None
    assert (found.values.n, found.source.split(" the alert")[0]) == (500, "what ks found to be usual since")


def test_shares_are_of_the_values_that_are_told_apart() -> None:
    shares = Window(400, profile={"a": 0.7, "b": 0.2, "c": 0.0, "(other)": 0.1})
    found = USUALS.of(incident(drift(detector="chi_squared", feature="kind", reference=shares)), "kind")
    assert found is not None
    assert found.values == CategoryValues(n=400, shares={"a": 0.7, "b": 0.2}, missing=0.0)


@pytest.mark.parametrize(
    "known",
    [{"segment": "kind=a"}, {"reference": None}, {"feature": "y"}, {"detector": "new_category"}, {"state": "settled"}],
    ids=["of a segment", "no profile", "another feature", "of something else", "only its end is known"],
)
def test_what_says_nothing_of_all_values_of_a_feature_is_left_out(known: dict[str, Any]) -> None:
    assert USUALS.of(incident(drift(**known)), "x") is None
