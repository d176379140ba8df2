"""Decoding: what becomes of a record's bytes. Nothing raises, and nothing but the offending value is quoted."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.decode import EventDecoder, LabelDecoder
from stream.records import Event, Label, Rejected
from stream.refusal import REASONS
from stream.testing import Raw, small_config

FEATURES = {
    "delay": {"type": "number", "min": 0, "max": 100},
    "carrier": {"type": "category", "values": ["UA", "AA"]},
    "note": {"type": "category", "max_length": 5},
    "night": {"type": "boolean"},
    "distance": {"type": "number"},
}
NESTED = {
    "amount": {"type": "number", "path": "card.amount", "required": True},
    "country": {"type": "category", "path": "card.holder.country"},
    "x": {"type": "number"},
}


Record = partial(Raw, key=b"k", partition=3, offset=81920, timestamp=1_500)


def decode_event(
    value: Any, *, features: Mapping[str, Any] = FEATURES, timestamp: int = 1_500, model: Any = None, **events: Any
) -> Event | Rejected:
    config = small_config({"events": {"features": features, **events}, "model": model or {}})
    raw = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    [decoded] = EventDecoder(config).decode([Record(raw, timestamp=timestamp)])
    return decoded


def decode_label(value: Any, **model: Any) -> Label | Rejected:
    raw = value if isinstance(value, bytes | None) else json.dumps(value).encode()
    [decoded] = LabelDecoder(small_config({"model": model})).decode([Record(raw)])
    return decoded


def test_declared_features_are_taken_and_unknown_fields_ignored() -> None:
    decoded = decode_event({"id": "a", "delay": 3, "carrier": "UA", "night": True, "secret": {"deep": [1]}})

    assert decoded == Event("a", 1.5, 1.5, 81920, {"delay": 3.0, "carrier": "UA", "night": True}, b"k")


def test_nulls_are_kept_as_none_and_absent_features_stay_absent() -> None:
    decoded = decode_event({"id": "a", "delay": None})

    assert isinstance(decoded, Event)
    assert decoded.features == {"delay": None}


def test_whole_numbers_are_taken_as_ids() -> None:
    decoded = decode_event({"id": 17})

    assert isinstance(decoded, Event)
    assert decoded.id == "17"


def test_nested_and_renamed_features_come_out_flat() -> None:
    value = {"meta": {"id": "a"}, "card": {"amount": 1, "holder": {"country": "NO"}, "pan": "4711"}, "x": 2}

    decoded = decode_event(value, features=NESTED, id="meta.id")

    assert isinstance(decoded, Event)
    assert decoded.id == "a"
    assert decoded.features == {"amount": 1.0, "country": "NO", "x": 2.0}


@pytest.mark.parametrize("holder", [None, {}, {"country": None}])
def test_a_missing_object_around_an_optional_feature_is_no_fault(holder: Any) -> None:
    decoded = decode_event({"id": "a", "card": {"amount": 1, "holder": holder}}, features=NESTED)

    assert isinstance(decoded, Event)
    assert decoded.features.get("country") is None
    assert decoded.features["amount"] == 1.0


def test_a_missing_object_around_a_required_feature_is_a_missing_field() -> None:
    decoded = decode_event({"id": "a", "x": 1}, features=NESTED)

    assert isinstance(decoded, Rejected)
    assert (decoded.reason, decoded.message) == (
        "missing_field",
        "events[3]@81920: feature 'amount' is missing; expected a number.",
    )


@pytest.mark.parametrize(
    ("time", "unit", "seconds"),
    [
        (1357034400, "s", 1357034400.0),
        (1357034400250, "ms", 1357034400.25),
        ("2013-01-01T10:00:00Z", "iso", 1357034400.0),
        ("2013-01-01T12:00:00+02:00", "iso", 1357034400.0),
        ("2013-01-01T10:00:00", "iso", 1357034400.0),
    ],
)
def test_times_of_every_unit_become_seconds(time: Any, unit: str, seconds: float) -> None:
    decoded = decode_event({"id": "a", "at": time}, time="at", time_unit=unit)

    assert isinstance(decoded, Event)
    assert decoded.time == seconds
    assert decoded.timestamp == 1.5
    assert decoded.features == {}


def test_a_record_without_a_time_takes_the_events() -> None:
    decoded = decode_event({"id": "a", "at": 7}, time="at", timestamp=-1)

    assert isinstance(decoded, Event)
    assert decoded.timestamp == 7.0


def test_a_record_without_any_time_gets_zero() -> None:
    decoded = decode_event({"id": "a"}, timestamp=-1)

    assert isinstance(decoded, Event)
    assert (decoded.time, decoded.timestamp) == (0.0, 0.0)


def test_an_inline_label_is_no_feature() -> None:
    decoded = decode_event({"id": "a", "late": 1, "delay": 2}, label="late")

    assert isinstance(decoded, Event)
    assert decoded.label is True
    assert decoded.features == {"delay": 2.0}


def test_an_event_without_its_inline_label_waits() -> None:
    decoded = decode_event({"id": "a"}, label="late")

    assert isinstance(decoded, Event)
    assert decoded.label is None


@pytest.mark.parametrize(
    ("value", "reason", "message"),
    [
        (None, "empty_value", "the record has no value; expected a JSON object."),
        (b"", "empty_value", "the record has no value; expected a JSON object."),
        (b'{"id":', "malformed_json", "the record is not valid JSON: Input data was truncated."),
        (b'{"id":"\xff"}', "malformed_json", "the record is not UTF-8 text; expected a JSON object."),
        (b'{"a":' + b"[" * 50_000, "malformed_json", "the record is nested too deeply; expected a JSON object."),
        (b"[1]", "wrong_type", "the record is JSON, but not an object; expected an object."),
        (b'{"delay": 1}', "missing_field", "id 'id' is missing; expected text of 1 to 512 characters or a whole"),
        ({"id": None}, "missing_field", "id 'id' is null; expected text"),
        ({"id": ""}, "out_of_range", "id 'id' is \"\"; expected text of 1 to 512 characters"),
        ({"id": "x" * 513}, "out_of_range", "id 'id' is \"" + "x" * 36 + "...; expected text of 1 to 512"),
        ({"id": 2**64}, "out_of_range", "id 'id' is 18446744073709551616; expected"),
        ({"id": 1.5}, "wrong_type", "id 'id' is 1.5; expected"),
        ({"id": True}, "wrong_type", "id 'id' is true; expected"),
        ({"id": "a", "distance": "late"}, "wrong_type", "feature 'distance' is \"late\"; expected a number."),
        ({"id": "a", "distance": "3"}, "wrong_type", "feature 'distance' is \"3\"; expected a number."),
        ({"id": "a", "distance": True}, "wrong_type", "feature 'distance' is true; expected a number."),
        (b'{"id":"a","distance":1e400}', "out_of_range", "feature 'distance' is 1e400; expected a number from -1.8e"),
        (b'{"id":"a","distance":NaN}', "malformed_json", "the record is not valid JSON: JSON is malformed"),
        ({"id": "a", "delay": -1}, "out_of_range", "feature 'delay' is -1; expected a number from 0 to 100."),
        ({"id": "a", "carrier": "XX"}, "not_allowed", "feature 'carrier' is \"XX\"; expected one of UA, AA."),
        ({"id": "a", "carrier": 1}, "wrong_type", "feature 'carrier' is 1; expected one of UA, AA."),
        ({"id": "a", "note": "longer"}, "out_of_range", "feature 'note' is \"longer\"; expected text of at most 5"),
        ({"id": "a", "note": {"pan": 4711}}, "wrong_type", "feature 'note' is an object; expected text"),
        ({"id": "a", "night": 1}, "wrong_type", "feature 'night' is 1; expected true or false."),
    ],
)
def test_a_record_that_cannot_be_used_says_why(value: Any, reason: str, message: str) -> None:
    decoded = decode_event(value)

    assert isinstance(decoded, Rejected)
    assert decoded.reason == reason
    assert decoded.message.startswith(f"events[3]@81920: {message}")


@pytest.mark.parametrize(
    ("time", "unit"),
    [(1357034400000, "s"), (-1, "s"), ("1357034400", "s"), ("yesterday", "iso"), (1357034400, "iso"), ("1", "ms")],
)
def test_a_time_in_another_unit_is_a_bad_time(time: Any, unit: str) -> None:
    decoded = decode_event({"id": "a", "at": time}, time="at", time_unit=unit)

    assert isinstance(decoded, Rejected)
    assert decoded.reason == "bad_time"


def test_a_rejected_record_keeps_all_that_a_dead_letter_needs() -> None:
    record = Record(b"{", timestamp=2_000, key=b"k", headers=(("h", b"1"),))

    [rejected] = EventDecoder(small_config()).decode([record])

    assert isinstance(rejected, Rejected)
    assert (rejected.topic, rejected.partition, rejected.offset) == ("events", 3, 81920)
    assert (rejected.key, rejected.value, rejected.headers) == (b"k", b"{", (("h", b"1"),))
    assert rejected.timestamp == 2.0


def test_a_bad_record_does_not_disturb_its_neighbours() -> None:
    good = Record(b'{"id":"a"}')

    decoded = EventDecoder(small_config()).decode([good, Record(b"{"), good])

    assert [type(item) for item in decoded] == [Event, Rejected, Event]


def test_only_the_offending_value_is_quoted() -> None:
    decoded = decode_event({"id": "a", "name": "Ada Lovelace", "distance": "x" * 500, "carrier": "UA"})

    assert isinstance(decoded, Rejected)
    assert "Ada" not in decoded.message
    assert decoded.message.count("x") < 45


def test_a_field_that_stands_twice_with_a_bad_value_first_is_refused() -> None:
    decoded = decode_event(b'{"id":"a","delay":"secret","delay":1}')

    assert isinstance(decoded, Rejected)
    assert decoded.reason == "malformed_json"
    assert "secret" not in decoded.message


@pytest.mark.parametrize(("written", "truth"), [(True, True), (False, False), (1, True), (0, False)])
def test_binary_labels_are_true_false_1_or_0(written: Any, truth: bool) -> None:
    decoded = decode_label({"id": "a", "label": written})

    assert decoded == Label("a", truth, 1.5, 81920)
    assert isinstance(decoded, Label)
    assert type(decoded.label) is bool


@pytest.mark.parametrize(("written", "truth"), [("late", True), ("on time", False), ("later", False), ("-1", False)])
def test_the_positive_text_is_true_and_any_other_false(written: str, truth: bool) -> None:
    decoded = decode_label({"id": "a", "label": written}, positive="late")

    assert isinstance(decoded, Label)
    assert decoded.label is truth
    assert decoded.text == written


@pytest.mark.parametrize("written", ["Late", "LATE", " late", "late\n", "lATE "])
def test_the_positive_text_in_other_capitals_or_with_spaces_is_refused_as_it_would_count_as_false(written: str) -> None:
    of_label = decode_label({"id": "a", "label": written}, positive="late")
    of_event = decode_event({"id": "a", "was": written}, label="was", model={"positive": "late"})

    for decoded in (of_label, of_event):
        assert isinstance(decoded, Rejected)
        assert decoded.reason == "bad_label"
        assert f'is {json.dumps(written)}; expected "late", spelt as model.positive is, or other' in decoded.message


def test_how_a_label_is_written_is_kept_where_one_of_several_texts_means_true() -> None:
    named = decode_event({"id": "a", "was": "on time"}, label="was", model={"positive": "late"})
    plain = decode_event({"id": "a", "was": True}, label="was")

    assert isinstance(named, Event)
    assert isinstance(plain, Event)
    assert (named.label, named.text) == (False, "on time")
    assert (plain.label, plain.text) == (True, None)


@pytest.mark.parametrize(("written", "name"), [("cat", "cat"), (3, "3"), (True, "true"), (1, "1")])
def test_classes_become_text(written: Any, name: str) -> None:
    decoded = decode_label({"id": "a", "label": written}, problem="multiclass")

    assert isinstance(decoded, Label)
    assert decoded.label == name


def test_regression_labels_are_floats() -> None:
    decoded = decode_label({"id": "a", "label": 3}, problem="regression", learner={"kind": "linear_regression"})

    assert isinstance(decoded, Label)
    assert type(decoded.label) is float


@pytest.mark.parametrize("written", ["late", 2, -1, 1.0, [], ""])
def test_a_label_of_another_kind_is_a_bad_label(written: Any) -> None:
    decoded = decode_label({"id": "a", "label": written})

    assert isinstance(decoded, Rejected)
    assert decoded.reason == "bad_label"


@pytest.mark.parametrize("value", [{"id": "a"}, {"id": "a", "label": None}, {"label": True}])
def test_a_label_record_needs_id_and_label(value: Any) -> None:
    decoded = decode_label(value)

    assert isinstance(decoded, Rejected)
    assert decoded.reason == "missing_field"


_text = st.text('a1\0"\\\u00e9\u2028\U0001d11e', max_size=5)
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | _text
_values = _scalars | st.lists(_scalars, max_size=2)
_names = st.sampled_from(["id", "at", "late", "card", "amount", "holder", "country", "delay", "carrier", "night"])
_objects = st.dictionaries(_names, _values | st.dictionaries(_names, _values, max_size=3), max_size=5)
_bytes = st.binary(max_size=30) | _objects.map(lambda value: json.dumps(value).encode())


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine is no fault
@given(value=st.none() | _bytes, cut=st.integers(0, 5), timestamp=st.integers(-1, 2**62))
def test_whatever_the_bytes_are_decoding_gives_one_usable_result(value: bytes | None, cut: int, timestamp: int) -> None:
    record = Record(value[: len(value) - cut] if value else value, timestamp=timestamp)

    for decoder in (NESTED_DECODER, FLAT_DECODER, LABEL_DECODER):
        [decoded] = decoder.decode([record])
        if isinstance(decoded, Rejected):
            assert decoded.reason in REASONS
            assert len(decoded.message) <= 300
            assert decoded.message.isprintable()
        else:
            assert 0 < len(decoded.id) <= 512
            assert math.isfinite(decoded.timestamp)


def _decoder(features: Mapping[str, Any]) -> EventDecoder:
    events = {"features": features, "time": "at", "time_unit": "iso", "label": "late"}
    return EventDecoder(small_config({"events": events}))


FLAT_DECODER = _decoder(FEATURES)
NESTED_DECODER = _decoder(NESTED)
LABEL_DECODER = LabelDecoder(small_config())
