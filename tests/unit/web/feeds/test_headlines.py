"""Every kind of alert as the one sentence that is read first. What stands here is what people see."""

from __future__ import annotations

from typing import Any

import pytest

from stream.records import Alert
from stream.testing import small_config
from stream.web.feeds.headlines import Headlines
from tests.unit.web.feeds.made import T0, alert, end, swap

CONFIG: dict[str, Any] = {
    "detectors": {
        "concept": [{"kind": "adwin"}],
        "data": [
            {"kind": "ks"},
            {"kind": "chi_squared"},
            {"kind": "missing_rate"},
            {"kind": "value_range", "name": "bounds"},
            {"kind": "new_category"},
            {"kind": "schema"},
            {"kind": "multivariate", "features": ["x", "y"]},
        ],
    },
    "events": {"features": {"x": {"type": "number"}, "y": {"type": "number"}, "kind": {"type": "category"}}},
}


@pytest.fixture(scope="module")
def headlines() -> Headlines:
    return Headlines(small_config(CONFIG))


def data(**known: Any) -> Alert:
    fields: dict[str, Any] = {"kind": "data_drift", "severity": "warning", "action": "none"}
    return alert(**(fields | known))


SAYS = [
    pytest.param(
        "The model's error rate rose from 18% to 31% since 8 February, 04:00 UTC; by chance once in 1 million events; "
        "a challenger was started.",
        alert(),
    ),
    pytest.param(
        "The model's error rate where kind=b rose from 18% to 31% since 8 February, 04:00 UTC; by chance once in "
        "45,000 events; a challenger is learning.",
        alert(segment="kind=b", action="challenger_learning", expected_events_per_false_alarm=45_000.0),
    ),
    pytest.param(
        "The model's error rate fell from 31% to 18% since 8 February, 04:00 UTC; by chance once in 1 million events.",
        alert(before=0.31, after=0.18, direction="better", action="none"),
    ),
    pytest.param(
        "The model's error rate rose from 0.2% to 0.4%; seen on 8 February, 06:00 UTC; not to be relied on, as "
        "values depend on those before them; a challenger was started.",
        alert(
            before=0.002,
            after=0.004,
            change=None,
            detail="errors depend on those before them (9 say as much as 1): for such there is error_blocks",
        ),
    ),
    pytest.param(
        "The mean of x rose from 36.12 to 44 since 8 February, 04:00 UTC; by chance with probability 2e-29.",
        data(
            detector="ks",
            feature="x",
            direction="up",
            before=36.1234,
            after=44.0,
            p_value=2.2e-29,
            expected_events_per_false_alarm=None,
        ),
    ),
    pytest.param(
        "The spread of x rose from 6.1 to 9.84 since 8 February, 04:00 UTC; the evidence is 1.5 times what an alarm "
        "takes.",
        data(
            detector="ks",
            feature="x",
            direction="wider",
            before=6.1,
            after=9.84,
            statistic=0.3,
            threshold=0.2,
            expected_events_per_false_alarm=None,
        ),
    ),
    pytest.param(
        "The distribution of x changed since 8 February, 04:00 UTC; by chance once in 1 million events.",
        data(detector="ks", feature="x", before=None, after=None),
    ),
    pytest.param(
        "The share of kind UA rose from 18% to 31% since 8 February, 04:00 UTC; by chance once in 1 million events.",
        data(detector="chi_squared", feature="kind", detail="UA"),
    ),
    pytest.param(
        "The share of all other values of kind rose from 18% to 31% since 8 February, 04:00 UTC; by chance once in 1 "
        "million events.",
        data(detector="chi_squared", feature="kind", detail="(other)"),
    ),
    pytest.param(
        "The share of kind other rose from 18% to 31% since 8 February, 04:00 UTC; by chance once in 1 million events.",
        data(detector="chi_squared", feature="kind", detail="other"),
    ),
    pytest.param(
        "The share of kind UA where y is another value rose from 18% to 31% since 8 February, 04:00 UTC; by chance "
        "once in 1 million events.",
        data(detector="chi_squared", feature="kind", detail="UA", segment="y=(other)"),
    ),
    pytest.param(
        "The model's error rate where kind is missing rose from 18% to 31% since 8 February, 04:00 UTC; by chance once "
        "in 1 million events.",
        alert(segment="kind=(missing)", action="none"),
    ),
    pytest.param(
        "The share of events without x rose from 0% to 20% since 8 February, 04:00 UTC; by chance once in 1 million "
        "events.",
        data(detector="missing_rate", feature="x", before=0.0, after=0.2),
    ),
    pytest.param(
        "The share of x outside 3 to 9 rose from 0% to 12% since 8 February, 04:00 UTC; by chance once in 1 million "
        "events.",
        data(detector="bounds", feature="x", before=0.0, after=0.12, detail="outside 3 to 9"),
    ),
    pytest.param(
        "The share of values of kind that were never seen before, mostly ZZ, rose from 0% to 12% since 8 February, "
        "04:00 UTC; by chance once in 1 million events.",
        data(detector="new_category", feature="kind", before=0.0, after=0.12, detail="ZZ"),
    ),
    pytest.param(
        "The share of x with text instead of number rose from 0% to 4% since 8 February, 04:00 UTC; by chance once in "
        "1 million events.",
        data(detector="schema", feature="x", before=0.0, after=0.04, detail="text instead of number"),
    ),
    pytest.param(
        "Features changed together, most of all correlation of x and y, from 0.2 to 0.8, since 8 February, 04:00 UTC; "
        "by chance once in 1 million events.",
        data(
            detector="multivariate",
            feature=None,
            before=0.2,
            after=0.8,
            detail="correlation of x and y; x",
        ),
    ),
    pytest.param(
        "The mean of predictions' score rose from 0.18 to 0.31 since 8 February, 04:00 UTC; by chance once in 1 "
        "million events.",
        data(kind="prediction_drift", detector="ks", feature="score"),
    ),
    pytest.param(
        "The share of predictions' class late rose from 18% to 31% since 8 February, 04:00 UTC; by chance once in 1 "
        "million events.",
        data(kind="prediction_drift", detector="chi_squared", feature="class", detail="late"),
    ),
    pytest.param(
        "The share of events that cannot be used rose from 0.1% to 23% since 8 February, 04:00 UTC; most of them for "
        "wrong type; by chance once in 1 million events.",
        data(kind="data_quality", detector="rejected", feature="events", before=0.001, after=0.23, detail="wrong_type"),
    ),
    pytest.param(
        "Labels have stopped coming since 8 February, 04:00 UTC; 3 labels where 240 were to be expected; by chance "
        "once in 1 million events; no model is promoted meanwhile.",
        alert(
            kind="label_starvation",
            detector="label_rate",
            feature="labels",
            action="promotions_held",
            detail="3 labels where 240 were to be expected",
        ),
    ),
    pytest.param(
        "Labels of class late have stopped coming since 8 February, 04:00 UTC; usually 12% of labels are of it; by "
        "chance once in 1 million events; no model is promoted meanwhile.",
        alert(
            kind="label_starvation",
            detector="class_share",
            feature="class",
            before=0.12,
            after=0.0,
            action="promotions_held",
            detail="late",
        ),
    ),
    pytest.param(
        'Labels are not as configured: none of the first 512 labels is "fraud", as model.positive has it; they are '
        '"ok" (400) and "Fraudulent" (112) since 8 February, 04:00 UTC; no model is promoted meanwhile.',
        alert(
            kind="label_starvation",
            detector="never_seen",
            feature="class",
            before=None,
            after=0.0,
            statistic=None,
            threshold=None,
            p_value=None,
            expected_events_per_false_alarm=None,
            action="promotions_held",
            detail='none of the first 512 labels is "fraud", as model.positive has it; they are "ok" (400) and '
            '"Fraudulent" (112)',
        ),
    ),
    pytest.param(
        "The model learns by heart: 62% of the loss is gone once events are learned; seen on 8 February, 06:00 "
        "UTC; the evidence is 1.5 times what an alarm takes.",
        alert(
            kind="performance",
            detector="overfit",
            change=None,
            action="none",
            statistic=0.45,
            threshold=0.3,
            expected_events_per_false_alarm=None,
            detail="62% of the loss is gone once events are learned",
        ),
    ),
    pytest.param(
        "The model is no better than majority, which knows no features; seen on 8 February, 06:00 UTC.",
        alert(
            kind="performance",
            detector="underfit",
            change=None,
            action="none",
            expected_events_per_false_alarm=None,
            detail="no better than majority, which knows no features",
        ),
    ),
    pytest.param("Version 4 took over from version 3 (it proved better), on 9 February, 06:00 UTC.", swap()),
    pytest.param(
        "Version 7 took over from version 3 (by hand: Friday's fix), on 9 February, 06:00 UTC.",
        swap(detail="version 3 to 7: promoted: Friday's fix"),
    ),
    pytest.param(
        "Version 4 was rolled back to version 3, on 9 February, 06:00 UTC.",
        swap(kind="rollback", detail="version 4 to 3: rollback"),
    ),
    pytest.param(
        "Version 4 was rolled back to version 3 (too many: of them), on 9 February, 06:00 UTC.",
        swap(kind="rollback", detail="version 4 to 3: rollback: too many: of them"),
    ),
]


@pytest.mark.parametrize(("says", "one"), SAYS)
def test_an_alert_says_what_changed_since_when_how_sure_it_is_and_what_was_done(
    headlines: Headlines, says: str, one: Alert
) -> None:
    assert headlines.headline(one) == says


def test_every_kind_of_alert_has_a_sentence_here() -> None:
    kinds = {"concept_drift", "data_drift", "prediction_drift", "data_quality", "label_starvation", "performance"}

    told = [one.values[1] for one in SAYS]

    assert {one.kind for one in told if isinstance(one, Alert)} == kinds | {"model_swap", "rollback"}


def test_a_drift_that_went_further_says_how_far(headlines: Headlines) -> None:
    newest = alert("a2", incident="a1", after=0.45, ts=T0 + 90_000.0)

    assert headlines.headline(alert(), newest) == (
        "The model's error rate rose from 18% to 31% since 8 February, 04:00 UTC; it has gone on to 45% by 9 February, "
        "05:00 UTC; by chance once in 1 million events; a challenger was started."
    )


def test_a_drift_that_is_over_says_how_it_ended(headlines: Headlines) -> None:
    assert headlines.headline(alert(), None, end()) == (
        "The model's error rate rose from 18% to 31%, on 8 February, 04:00 UTC; it recovered after 2 days."
    )
    assert headlines.headline(alert(), None, end(state="settled")) == (
        "The model's error rate rose from 18% to 31%, on 8 February, 04:00 UTC; it has become what is usual after 2 "
        "days."
    )


def test_the_end_of_a_drift_whose_beginning_is_not_kept_is_told_alone(headlines: Headlines) -> None:
    assert headlines.headline(end()) == "The model's error rate changed; it recovered after 2 days."


def test_errors_that_are_no_decisions_are_told_as_a_mean() -> None:
    regression = Headlines(small_config({"model": {"problem": "regression", "learner": {"kind": "linear_regression"}}}))

    assert regression.headline(alert()).startswith("The model's mean error rose from 0.18 to 0.31 since")


def test_a_change_that_began_in_another_year_is_told_with_it(headlines: Headlines) -> None:
    told = headlines.headline(alert(ts=T0 + 366 * 86_400.0))

    assert "since 8 February 2013, 04:00 UTC" in told


@pytest.mark.parametrize("time", [float("nan"), 1e30])
def test_a_time_beyond_the_calendar_does_no_harm(headlines: Headlines, time: float) -> None:
    assert "an unknown day" in headlines.headline(alert(ts=time, change=None))


@pytest.mark.parametrize(
    ("says", "one"),
    [
        pytest.param(
            "Driftline started a challenger. It learns beside the champion and takes over if it proves better.",
            alert(),
        ),
        pytest.param(
            "A challenger was learning already. It takes over if it proves better.", alert(action="challenger_learning")
        ),
        pytest.param("Driftline changed nothing: by its policy it only tells.", alert(action="none")),
        pytest.param(
            "Driftline changed nothing: a model is replaced when it errs more, not when its input changes.",
            data(feature="x"),
        ),
        pytest.param(
            "Driftline changed nothing: a model is replaced when it errs more, not when it says something else.",
            data(kind="prediction_drift"),
        ),
        pytest.param("Driftline sent the records to the dead letters.", data(kind="data_quality")),
        pytest.param(
            "Driftline promotes no model for as long as labels are missing.",
            alert(kind="label_starvation", action="promotions_held"),
        ),
        pytest.param("Driftline changed nothing.", alert(kind="performance", action="none")),
        pytest.param("Version 4 took over from version 3 (it proved better).", swap()),
    ],
)
def test_what_driftline_did_is_said_at_length(headlines: Headlines, says: str, one: Alert) -> None:
    assert headlines.action(one) == says


def test_the_version_that_came_of_a_drift_is_named(headlines: Headlines) -> None:
    assert headlines.action(alert(), swap()) == (
        "Driftline started a challenger. It learns beside the champion and takes over if it proves better. Version 4 "
        "took over from version 3 (it proved better), on 9 February, 06:00 UTC."
    )
