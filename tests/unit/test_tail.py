"""Alerts, predictions and dead letters as people read them, and what tails refuse before they connect to anything."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from detectors import segments
from detectors.data import profiles
from stream import readable
from stream.cli.commands import app
from stream.cli.printing import print_line
from stream.deadletters import Sample
from stream.errors import ConfigError
from stream.readable import alert_line, dead_letter_line, moment, prediction_line
from stream.records import Alert, Change, Contributor, Prediction, Target, Window
from tests import alerts


def alert(**known: Any) -> Alert:
    usual: dict[str, Any] = {"ts": 1_371_202_200.0, "model": "arrival-delay", "partition": 1}
    return alerts.alert(**(usual | known))


def prediction(said: Target | None, probabilities: dict[str, float] | None, key: str | None = "UA1545") -> Prediction:
    return Prediction("f1", key, 1_371_202_200.0, said, probabilities, "arrival-delay", 3, 0.42, 1, 81920)


def test_a_drifted_feature_is_told_with_its_change_and_its_evidence() -> None:
    line = alert_line(
        alert(
            detector="ks",
            feature="temp",
            direction="up",
            before=36.123456,
            after=44.0,
            statistic=0.2123456,
            threshold=0.187,
            p_value=3.2e-12,
        )
    )

    assert line.plain == (
        "2013-06-14 09:30  warning   data drift        temp (ks)  up 36.12 -> 44  "
        "statistic 0.2123 over 0.187, p 3e-12  arrival-delay v3, partition 1 at 81920"
    )


def test_a_feature_that_spreads_is_told_with_its_deviations() -> None:
    line = alert_line(alert(detector="ks", feature="pressure", direction="wider", before=6.1, after=9.84))

    assert "pressure (ks)  wider, deviation 6.1 -> 9.84" in line.plain


def test_records_that_cannot_be_used_are_told_with_their_topic_and_the_commonest_reason() -> None:
    known = {"detector": "rejected", "feature": "labels", "detail": "wrong_type", "direction": "up"}
    line = alert_line(alert(kind="data_quality", before=0.01, after=1.0, **known))

    assert "data quality      labels rejected, mostly wrong type  up 0.01 -> 1  arrival-delay" in line.plain


def test_labels_that_stop_are_told_with_how_many_and_since_when() -> None:
    known = {"detector": "label_rate", "feature": "labels", "detail": "3 labels where 40 were to be expected"}
    change = Change(90, 7, 1_371_198_600.0)
    line = alert_line(alert(kind="label_starvation", direction="down", before=0.9, after=0.07, change=change, **known))

    assert (
        "label starvation  3 labels where 40 were to be expected  down 0.9 -> 0.07  since 2013-06-14 08:30"
        in line.plain
    )


def test_a_class_that_vanished_is_told_by_its_name_as_it_is() -> None:
    known = {"detector": "class_share", "feature": "class", "detail": "card_fraud"}
    begun = alert_line(alert(kind="label_starvation", state="open", **known))
    over = alert_line(alert(kind="label_starvation", state="recovered", since=0.0, duration=7200.0, **known))

    assert "no labels of class card_fraud  arrival-delay" in begun.plain
    assert "labels of class card_fraud  recovered after 2 h" in over.plain
    assert "no labels" not in over.plain


def test_labels_that_are_not_as_configured_are_told_with_what_they_are() -> None:
    detail = 'none of the first 512 labels is "fraud", as model.positive has it; they are "ok" (400) and 9 other texts'
    known = {"detector": "never_seen", "feature": "class", "state": "open", "detail": detail}

    assert f"label starvation  {detail}  arrival-delay" in alert_line(alert(kind="label_starvation", **known)).plain


def test_a_model_that_learns_by_heart_is_told_with_what_is_gone() -> None:
    known = {"detector": "overfit", "direction": "worse", "detail": "90% of the loss is gone once events are learned"}
    line = alert_line(alert(kind="performance", before=0.2, after=0.02, **known))

    assert "overfit: 90% of the loss is gone once events are learned  worse 0.2 -> 0.02" in line.plain


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (960.0, "960"),
        (45_123.4, "45,100"),
        (999_700.0, "1 million"),
        (4_530_000.0, "4.53 million"),
        (999_700_000.0, "1 billion"),
        (2e12, "2,000 billion"),
    ],
)
def test_an_alert_says_how_often_chance_alone_raises_one_like_it(events: float, told: str) -> None:
    line = alert_line(alert(detector="ks", feature="x", statistic=0.2, expected_events_per_false_alarm=events))

    assert f"statistic 0.2, by chance once in {told} events  arrival-delay" in line.plain


def test_a_change_in_a_part_of_the_stream_names_it() -> None:
    feature = alert_line(alert(detector="ks", feature="amount", segment="country=US"))
    errors = alert_line(alert(kind="concept_drift", detector="adwin", segment="country=(missing)"))

    assert "  amount where country=US (ks)  " in feature.plain
    assert "  errors where country is missing (adwin)  " in errors.plain


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (1014.04, 1014.32, "1014 -> 1014.3"),
        (1014.04, 1021.3, "1014 -> 1021"),
        (0.1, 0.1, "0.1 -> 0.1"),
    ],
)
def test_two_values_that_differ_do_not_look_the_same(before: float, after: float, told: str) -> None:
    line = alert_line(alert(detector="ks", feature="pressure", direction="up", before=before, after=after))

    assert f"pressure (ks)  up {told}  " in line.plain


def test_what_a_terminal_would_obey_is_told_instead_in_what_senders_wrote() -> None:
    said = Prediction("f\x1b[31m1", "UA\n1545", 0.0, "late\x9b2J", {"late\x9b2J": 0.8}, "m", 3, 0.42, 1, 81920)
    drifted = alert(detector="chi_squared", feature="carrier", detail="M\x1b]0;Q", segment="origin=J\rFK")
    beside = alert(contributors=(Contributor("ks", "temp"), Contributor("chi_squared", "dest", detail="L\x07AX")))

    assert "UA\\n1545  f\\x1b[31m1  late\\x9b2J 80%" in prediction_line(said).plain
    assert "carrier=M\\x1b]0;Q where origin=J\\rFK (chi_squared)" in alert_line(drifted).plain
    assert "with dest=L\\x07AX" in alert_line(beside).plain


def test_a_drifted_category_is_named() -> None:
    line = alert_line(alert(detector="chi_squared", feature="carrier", detail="MQ", before=0.07, after=0.09))

    assert "carrier=MQ (chi_squared)  0.07 -> 0.09" in line.plain


def test_categories_that_are_not_told_apart_are_all_others() -> None:
    told: dict[str, Any] = {"feature": "dest", "detail": "(other)", "segment": "carrier=(other)"}
    line = alert_line(alert(detector="chi_squared", before=0.07, after=0.1, **told))

    assert "all other values of dest where carrier is another value (chi_squared)  0.07 -> 0.1" in line.plain


def test_features_that_changed_together_are_told_with_what_changed_most() -> None:
    line = alert_line(alert(detector="multivariate", detail="temp with humid", before=0.1, after=0.6))

    assert "features: temp with humid (multivariate)  0.1 -> 0.6" in line.plain


def test_a_worse_model_is_told_with_what_is_done_about_it() -> None:
    line = alert_line(
        alert(
            kind="concept_drift",
            severity="critical",
            detector="adwin",
            direction="worse",
            before=0.2,
            after=0.3,
            action="challenger_started",
        )
    )

    assert "critical  concept drift     errors (adwin)  worse 0.2 -> 0.3  challenger started" in line.plain


def test_an_alert_says_when_it_began_how_large_it_is_how_often_that_is_chance_and_what_else_takes_part() -> None:
    line = alert_line(
        alert(
            state="open",
            incident="0123456789abcdef",
            detector="ks",
            feature="temp",
            segment="origin=JFK",
            direction="up",
            before=36.1,
            after=44.0,
            effect=0.2345678,
            statistic=0.25,
            threshold=0.2,
            expected_events_per_false_alarm=1_000_000.0,
            change=Change(700, 81200, 1_371_198_600.0),
            contributors=(
                Contributor("ks", "temp", "origin=JFK", "up", 1.25),
                Contributor("chi_squared", "carrier", None, None, 1.81, detail="MQ"),
                Contributor("rate", "dest"),
            ),
        )
    )

    assert (
        "temp where origin=JFK (ks)  up 36.1 -> 44  since 2013-06-14 08:30, effect 0.2346, statistic 0.25 over 0.2, "
        "by chance once in 1 million events  with carrier=MQ x1.8, dest  arrival-delay v3"
    ) in line.plain


@pytest.mark.parametrize(
    ("contributor", "told"),
    [
        (Contributor("multivariate", None, None, "up", 1.5, detail="temp, humid"), "features: temp, humid x1.5"),
        (Contributor("adwin", None, None, "worse", 1.5, detail="errors depend on those before them"), "errors x1.5"),
        (Contributor("adwin", None, "origin=JFK", "worse"), "errors where origin=JFK"),
        (Contributor("chi_squared", "errors", None, None, 1.5, detail="few"), "errors=few x1.5"),
    ],
)
def test_what_takes_part_is_named_as_what_it_is(contributor: Contributor, told: str) -> None:
    line = alert_line(alert(detector="ks", feature="temp", contributors=(Contributor("ks", "temp"), contributor)))

    assert f"temp (ks)  with {told}  arrival-delay" in line.plain


def test_how_errors_are_judged_is_no_part_of_what_changed() -> None:
    line = alert_line(alert(kind="concept_drift", detector="rddm", detail="a warning for 800 errors in a row"))

    assert "errors (rddm)  arrival-delay" in line.plain


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0 s"),
        (119.0, "119 s"),
        (120.0, "2 min"),
        (5400.0, "90 min"),
        (3 * 3600.0, "3 h"),
        (2.5 * 86400.0, "2.5 days"),
        (99.6 * 86400.0, "100 days"),
        (400 * 86400.0, "400 days"),
    ],
)
def test_the_end_of_a_drift_is_told_with_how_it_ended_and_after_how_long(seconds: float, told: str) -> None:
    over: dict[str, Any] = {"kind": "concept_drift", "severity": "info", "detector": "adwin", "since": 0.0}
    line = alert_line(alert(**over, state="recovered", direction="better", before=0.5, after=0.2, duration=seconds))

    assert f"errors (adwin)  recovered after {told}  better 0.5 -> 0.2  arrival" in line.plain


def test_a_drift_that_went_on_is_told_with_when_it_was_told_before() -> None:
    line = alert_line(
        alert(state="open", detector="ks", feature="temp", before=10.0, after=30.0, since=1_371_116_000.0)
    )

    assert "temp (ks)  further than at 2013-06-13 09:33  10 -> 30" in line.plain


def test_a_swap_names_both_versions() -> None:
    line = alert_line(alert(kind="model_swap", severity="info", detail="version 2 to 3: beat_champion"))

    assert "model swap        version 2 to 3: beat champion  arrival-delay v3" in line.plain


def test_a_swap_that_the_gate_decided_tells_by_how_much_the_new_model_is_better() -> None:
    lead = {"advantage_low": 0.01234, "advantage_high": 0.2}
    line = alert_line(
        alert(
            kind="model_swap",
            severity="info",
            detail="version 2 to 3: beat_champion",
            direction="better",
            before=0.5,
            after=0.4,
            current=Window(150, 3, 152, profile=lead),
        )
    )

    assert "beat champion  better 0.5 -> 0.4  by 0.01234 to 0.2, 150 labels compared  arrival-delay" in line.plain


@pytest.mark.parametrize(
    ("said", "probabilities", "told"),
    [
        (True, {"true": 0.834, "false": 0.166}, "true 83%"),
        (False, {"true": 0.25, "false": 0.75}, "false 75%"),
        ("Not_OK", {"Not_OK": 0.6, "ok": 0.4}, "Not_OK 60%"),
        (12.34567, None, "12.35"),
        (None, {}, "nothing yet"),
    ],
)
def test_the_answer_comes_with_its_probability_if_there_is_one(
    said: Target | None, probabilities: dict[str, float] | None, told: str
) -> None:
    line = prediction_line(prediction(said, probabilities))

    assert line.plain == f"2013-06-14 09:30  UA1545    f1  {told}  arrival-delay v3  0.4 ms  partition 1 at 81920"


def test_a_prediction_without_a_key_keeps_its_columns() -> None:
    assert prediction_line(prediction(True, None, key=None)).plain.startswith("2013-06-14 09:30  -         f1  true ")


@pytest.mark.parametrize("seconds", [1e20, -1e20, float("nan"), float("inf")])
def test_a_time_beyond_the_calendar_is_a_dash(seconds: float) -> None:
    assert moment(seconds) == "-"


@pytest.mark.parametrize("topic", ["alerts", "predictions", "deadletters"])
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "what to read is not said"),
        (["--topic", "t"], "what to read is not said"),
        (["--bootstrap", "nowhere", "--topic", "t"], "'nowhere' is not a broker address"),
        (["-c", "service.yaml", "--topic", "t"], "-c names the broker and the topic"),
        (["-c", "missing.yaml"], "missing.yaml: there is no such file"),
        (["--bootstrap", "h:1", "--topic", "t", "-n", "5", "--from", "end"], "both say where to begin"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_cure(topic: str, arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(app, [topic, "tail", *arguments])

    assert isinstance(result.exception, ConfigError)
    assert complaint in str(result.exception)


def test_values_as_they_are_are_shown_only_where_a_service_has_an_audit_for_it() -> None:
    result = CliRunner().invoke(app, ["deadletters", "tail", "--raw", "--bootstrap", "h:1", "--topic", "t"])

    assert isinstance(result.exception, ConfigError)
    assert "--raw goes to the audit of the service, and no service is named" in str(result.exception)


def letter(message: str, value: str) -> Sample:
    return Sample(1_371_202_200.0, "orders", 3, 81920, "wrong_type", message, value)


def test_a_dead_letter_is_told_with_its_reason_its_place_and_what_it_is_like() -> None:
    line = dead_letter_line(letter("orders[3]@81920: feature 'x' is a text; expected a number.", '{"x":"text(4)"}'))

    place, why, like = "orders[3]@81920", "feature 'x' is a text; expected a number.", '{"x":"text(4)"}'
    assert line.plain == f"2013-06-14 09:30  wrong type      {place}  {why}  {like}"


def test_what_a_terminal_would_obey_is_told_instead() -> None:
    line = dead_letter_line(letter("\x1b[2J", "a\x9b31m\nb\u202e"))

    assert line.plain.endswith(r"orders[3]@81920  \x1b[2J  a\x9b31m\nb\u202e")


def test_a_long_value_is_cut() -> None:
    assert dead_letter_line(letter("", "z" * 16_000)).plain.endswith(" " + "z" * 2000 + "...")


def test_marks_are_put_in_words_as_detectors_write_them() -> None:
    assert readable.OTHER_VALUES == profiles.OTHER
    assert (readable.OTHER_SEGMENT, readable.MISSING_SEGMENT) == (segments.OTHER, segments.MISSING)


def test_a_line_for_programs_has_the_same_value_and_nothing_that_a_terminal_would_obey(
    capsys: pytest.CaptureFixture[str],
) -> None:
    value = {"key": "a\x9b31mb\x7f\x1b[1m", "city": "K\u00f6ln"}
    print_line(msgspec.json.encode(value))

    line = capsys.readouterr().out.rstrip("\n")
    assert line.isprintable()
    assert msgspec.json.decode(line) == value
