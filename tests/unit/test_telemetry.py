from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from detectors.base import Reading, State
from stream.core.curve import Point
from stream.core.fit import Health
from stream.series import MAX_COUNTERS
from stream.telemetry import BUCKETS, DRIFT_KINDS, HEALTH_KINDS, OUTCOMES, Telemetry


def samples(telemetry: Telemetry) -> list[Sample]:
    body, _ = telemetry.render()
    return [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    """The value of one series; None when there is no such series."""
    found = [s.value for s in samples(telemetry) if s.name == name and s.labels == labels]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("flights")


def test_every_outcome_is_there_at_zero_before_anything_happened(telemetry: Telemetry) -> None:
    shown = {
        (s.labels["topic"], s.labels["outcome"]): s.value
        for s in samples(telemetry)
        if s.name == "driftline_records_total"
    }
    assert shown == {(topic, outcome): 0 for topic, outcomes in OUTCOMES.items() for outcome in outcomes}


def test_records_add_up_over_their_outcomes(telemetry: Telemetry) -> None:
    telemetry.add_records("events", "predicted", 7)
    telemetry.add_records("events", "predicted", 3)
    telemetry.add_records("events", "dead_lettered", 2)

    total = sum(s.value for s in samples(telemetry) if s.labels.get("topic") == "events" and "outcome" in s.labels)
    assert total == 12
    assert value(telemetry, "driftline_records_total", topic="events", outcome="predicted") == 10


def test_an_outcome_that_is_none_of_the_topics_is_refused(telemetry: Telemetry) -> None:
    with pytest.raises(ValueError, match="events cannot end as 'joined'; expected one of predicted"):
        telemetry.add_records("events", "joined", 1)


@pytest.mark.parametrize("n", [5, 500])
def test_a_batch_of_latencies_counts_as_its_values_one_by_one(telemetry: Telemetry, n: int) -> None:
    latencies = [0.0004, 0.0005, 0.03, 2.5, 99.0] * (n // 5)
    telemetry.observe_latency(latencies)

    name = "driftline_prediction_latency_seconds"
    for bound in BUCKETS:
        expected = sum(latency <= bound for latency in latencies)
        assert value(telemetry, f"{name}_bucket", le=str(bound)) == expected
    assert value(telemetry, f"{name}_bucket", le="+Inf") == n
    assert value(telemetry, f"{name}_count") == n
    assert value(telemetry, f"{name}_sum") == pytest.approx(sum(latencies))


def test_stages_of_a_span_are_timed_apart(telemetry: Telemetry) -> None:
    telemetry.observe_span("engine", 0.2)
    assert value(telemetry, "driftline_span_seconds_count", stage="engine") == 1
    assert value(telemetry, "driftline_span_seconds_count", stage="commit") == 0


def test_what_a_trace_would_say_is_not_asked_where_there_is_none(telemetry: Telemetry) -> None:
    def facts() -> dict[str, int]:
        raise AssertionError("nobody wants to know")

    telemetry.observe_span("engine", 0.2, facts)
    assert value(telemetry, "driftline_span_seconds_count", stage="engine") == 1


def test_a_score_that_is_gone_is_no_longer_shown(telemetry: Telemetry) -> None:
    telemetry.set_scores(3, {"champion": {"accuracy": 0.8, "roc_auc": 0.7}, "majority": {"accuracy": 0.6}})
    telemetry.set_scores(3, {"champion": {"accuracy": 0.9}})

    def score(source: str, metric: str) -> float | None:
        return value(telemetry, "driftline_score", model="flights", source=source, metric=metric, partition="3")

    assert score("champion", "accuracy") == 0.9
    assert score("champion", "roc_auc") is None
    assert score("majority", "accuracy") is None


def test_a_detector_without_a_statistic_yet_shows_only_its_state(telemetry: Telemetry) -> None:
    telemetry.set_readings(
        0,
        {("ks", "dep_delay"): Reading(State.WARMUP), ("adwin", ""): Reading(State.DRIFT, statistic=4.0, threshold=3.0)},
    )
    ks = {"detector": "ks", "feature": "dep_delay", "partition": "0"}
    adwin = {"detector": "adwin", "feature": "", "partition": "0"}
    assert value(telemetry, "driftline_detector_state", **ks) == 0
    assert value(telemetry, "driftline_detector_statistic", **ks) is None
    assert value(telemetry, "driftline_detector_state", **adwin) == 3
    assert value(telemetry, "driftline_detector_statistic", **adwin) == 4.0
    assert value(telemetry, "driftline_detector_threshold", **adwin) == 3.0


def test_a_revoked_partition_leaves_its_counts_and_no_gauges(telemetry: Telemetry) -> None:
    for partition in (1, 11):
        telemetry.set_waiting(partition, pending=5, held=2)
        telemetry.set_lag("events", partition, 40)
        telemetry.set_snapshot(partition, taken=1e9, size=1000)
        telemetry.set_scores(partition, {"champion": {"accuracy": 0.5}})
        telemetry.set_readings(partition, {("adwin", ""): Reading(State.STABLE, 1.0, 2.0)})
    telemetry.add_records("labels", "joined", 9)

    telemetry.forget(1)

    assert {s.labels["partition"] for s in samples(telemetry) if "partition" in s.labels} == {"11"}
    assert value(telemetry, "driftline_pending_labels", partition="11") == 5
    assert value(telemetry, "driftline_records_total", topic="labels", outcome="joined") == 9


def test_a_swap_leaves_one_model_in_the_info(telemetry: Telemetry) -> None:
    telemetry.set_model(1, "aa", "logistic", 1000)
    telemetry.set_model(2, "bb", "logistic", 1200)

    info = [s.labels for s in samples(telemetry) if s.name == "driftline_model_info"]
    assert info == [{"model": "flights", "version": "2", "digest": "bb", "recipe": "logistic"}]
    assert value(telemetry, "driftline_model_bytes", model="flights") == 1200


def test_words_of_an_operator_do_not_become_series(telemetry: Telemetry) -> None:
    telemetry.add_swap("rollback")
    telemetry.add_swap("because the boss said so")
    telemetry.add_swap("and said it again")
    assert value(telemetry, "driftline_swaps_total", reason="rollback") == 1
    assert value(telemetry, "driftline_swaps_total", reason="other") == 2


def test_reasons_beyond_the_bound_are_counted_as_other(telemetry: Telemetry) -> None:
    for n in range(MAX_COUNTERS + 25):
        telemetry.add_dead_letters(f"reason-{n}", 1)

    reasons = {s.labels["reason"]: s.value for s in samples(telemetry) if s.name == "driftline_dead_letters_total"}
    assert sum(reasons.values()) == MAX_COUNTERS + 25
    assert reasons["other"] == 25


def test_servers_are_down_until_they_answered(telemetry: Telemetry) -> None:
    telemetry.set_up("kafka", True)
    assert value(telemetry, "driftline_kafka_up") == 1
    assert value(telemetry, "driftline_redis_up") == 0


def test_a_label_value_cannot_break_the_exposition(telemetry: Telemetry) -> None:
    telemetry.set_lag("events", 0, 1)
    telemetry.set_readings(0, {("ks", 'quote " back \\ line \n end'): Reading(State.STABLE)})
    features = [s.labels["feature"] for s in samples(telemetry) if s.name == "driftline_detector_state"]
    assert features == ['quote " back \\ line \n end']


def test_openmetrics_is_given_to_those_who_ask_for_it(telemetry: Telemetry) -> None:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

    telemetry.set_model(1, "aa", "logistic", 1000)
    telemetry.observe_latency([0.1])
    body, kind = telemetry.render("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(body.decode())}  # type: ignore[no-untyped-call]
    assert {"driftline_records", "driftline_prediction_latency_seconds", "driftline_model_info"} <= names


def test_open_drifts_are_shown_by_kind_and_go_back_to_zero(telemetry: Telemetry) -> None:
    telemetry.set_open_drifts(0, {"data_drift": 2})
    assert value(telemetry, "driftline_open_drifts", kind="data_drift", partition="0") == 2
    assert value(telemetry, "driftline_open_drifts", kind="concept_drift", partition="0") == 0

    telemetry.set_open_drifts(0, {})
    assert value(telemetry, "driftline_open_drifts", kind="data_drift", partition="0") == 0


def test_the_end_of_a_drift_is_counted_apart_from_alerts(telemetry: Telemetry) -> None:
    telemetry.add_drift_over("concept_drift", "recovered")

    assert value(telemetry, "driftline_drifts_over_total", kind="concept_drift", state="recovered") == 1
    assert value(telemetry, "driftline_alerts_total", kind="concept_drift") == 0


def test_ends_of_drifts_are_there_at_zero_before_any_has_ended(telemetry: Telemetry) -> None:
    shown = {tuple(s.labels.values()): s.value for s in samples(telemetry) if s.name == "driftline_drifts_over_total"}
    assert shown == {(kind, state): 0 for kind in (*DRIFT_KINDS, *HEALTH_KINDS) for state in ("recovered", "settled")}


def test_what_described_the_fit_of_a_model_that_is_gone_is_no_longer_shown(telemetry: Telemetry) -> None:
    telemetry.set_fit(0, {"challenger": Health(0.4, [Point(500, 0.2)], {"l2": 0.1})})
    telemetry.set_fit(0, {"champion": Health(None, [], {})})

    names = {"driftline_fit_gap", "driftline_fit_loss", "driftline_regularization"}
    assert [sample for sample in samples(telemetry) if sample.name in names] == []


def test_errors_that_no_longer_depend_on_each_other_have_no_dependence_left(telemetry: Telemetry) -> None:
    adwin = {"detector": "adwin", "feature": "", "partition": "0"}
    telemetry.set_readings(0, {("adwin", ""): Reading(State.STABLE, dependence=7.5)})
    assert value(telemetry, "driftline_errors_dependence", **adwin) == 7.5

    telemetry.set_readings(0, {("adwin", ""): Reading(State.STABLE)})
    assert value(telemetry, "driftline_errors_dependence", **adwin) is None


def test_dependence_of_features_is_told_apart_from_that_of_errors(telemetry: Telemetry) -> None:
    telemetry.set_readings(0, {("ks", "temp"): Reading(State.STABLE, dependence=19.0)})

    ks = {"detector": "ks", "feature": "temp", "partition": "0"}
    assert value(telemetry, "driftline_features_dependence", **ks) == 19.0
    assert value(telemetry, "driftline_errors_dependence", **ks) is None


def test_scores_by_class_are_replaced_as_a_whole(telemetry: Telemetry) -> None:
    def recall(name: str) -> float | None:
        labels = {"model": "flights", "metric": "recall", "class": name, "partition": "3"}
        return value(telemetry, "driftline_class_score", **labels)

    telemetry.set_class_scores(3, {"true": {"recall": 0.25}, "false": {"recall": 1.0}})
    telemetry.set_class_scores(3, {"true": {"recall": 0.5}})

    assert (recall("true"), recall("false")) == (0.5, None)


def test_the_threshold_of_decisions_goes_with_its_partition(telemetry: Telemetry) -> None:
    telemetry.set_decision_threshold(3, 0.01)
    assert value(telemetry, "driftline_decision_threshold", model="flights", partition="3") == 0.01

    telemetry.forget(3)
    assert value(telemetry, "driftline_decision_threshold", model="flights", partition="3") is None
