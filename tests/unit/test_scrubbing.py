"""What may be seen of a record that could not be used: its shape, and nothing of what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.decode import MAX_MESSAGE, EventDecoder
from stream.records import Rejected
from stream.scrubbing import LONGEST, scrubbed, scrubbed_message
from stream.testing import Raw, small_config

SECRET = "zqü7"
"""Stands in no name and no sentence of ours."""

strings = st.text(alphabet="zqü7 ;'\"\\", max_size=60).map(lambda text: f"{SECRET}{text}{SECRET}")
values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | strings,
    lambda inner: st.lists(inner, max_size=15) | st.dictionaries(strings | st.sampled_from(["x", "kind"]), inner),
    max_leaves=40,
)


@given(values)
def test_no_string_of_a_value_survives(value: Any) -> None:
    assert SECRET not in scrubbed(json.dumps(value, ensure_ascii=False).encode())


@given(values, st.integers(min_value=1, max_value=400))
def test_no_string_survives_in_what_is_cut_off_in_the_middle(value: Any, length: int) -> None:
    shown = scrubbed(json.dumps(value, ensure_ascii=False).encode()[:length])

    assert not set(shown) & set("zqü")


@given(strings | st.integers() | st.floats() | st.lists(strings, max_size=3))
def test_no_value_survives_in_the_message_of_a_dead_letter(value: Any) -> None:
    for row in ({"id": "e1", "x": value}, {"id": "e1", "kind": value, "x": 1}, {"id": value, "x": "7zq"}):
        (letter,) = EventDecoder(small_config()).decode([Raw(json.dumps(row, ensure_ascii=False).encode())])
        if isinstance(letter, Rejected):
            shown = scrubbed_message(letter.message, letter.reason)
            assert SECRET not in shown
            assert "7zq" not in shown


def test_a_value_shows_the_names_of_its_fields_and_the_kinds_of_what_is_in_them() -> None:
    value = b'{"amount": 12.5, "name": "J. Smith", "ok": true, "gone": null, "at": {"city": "Paris"}, "tags": ["a", 1]}'

    assert scrubbed(value) == (
        '{"amount":"number","name":"text(8)","ok":"boolean","gone":null,"at":{"city":"text(5)"},"tags":["text(1)",'
        '"number"]}'
    )


def test_a_key_that_does_not_look_like_a_name_is_not_shown() -> None:
    assert scrubbed(b'{"j.smith@example.com": 1, "Jane Smith": 2}') == '{"key(19)":"number","key(10)":"number"}'


def test_what_is_no_json_shows_where_it_breaks_and_no_letter() -> None:
    assert scrubbed('{"name": "Müller", "n": 12'.encode()) == '{"aaaa": "aaaaaa", "a": 00'
    assert scrubbed(b"\xff\xfe\x00") == "aa\x00"


@pytest.mark.parametrize("value", [None, b""])
def test_nothing_is_shown_as_nothing(value: bytes | None) -> None:
    assert scrubbed(value) == ""


def test_a_large_value_is_shown_in_part() -> None:
    many = json.dumps({f"field_{n}": list(range(100)) for n in range(1000)}).encode()
    deep = b"[" * 100 + b"]" * 100
    deeper = b"[" * 100_000

    assert all(len(scrubbed(value)) <= LONGEST + 3 for value in (many, deep, deeper, b"x" * 100_000))
    assert scrubbed(json.dumps(list(range(12))).encode()).endswith('"number","2 more"]')
    assert scrubbed(deep).count("[") == 17


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            "events[3]@81920: feature 'x' is \"late\"; expected a number.",
            "events[3]@81920: feature 'x' is a text; expected a number.",
        ),
        (
            "events[0]@7: feature 'x' is 1234567; expected a number from -10 to 10.",
            "events[0]@7: feature 'x' is a number; expected a number from -10 to 10.",
        ),
        (
            "events[0]@7: id 'id' is missing; expected text of 1 to 512 characters or a whole number of 64 bits.",
            "events[0]@7: id 'id' is missing; expected text of 1 to 512 characters or a whole number of 64 bits.",
        ),
        (
            "events[0]@7: feature 'x' is an object; expected a number.",
            "events[0]@7: feature 'x' is an object; expected a number.",
        ),
        (
            "events[0]@7: feature 'x': 'a.b' is \"Jane\"; expected an object.",
            "events[0]@7: feature 'x': 'a.b' is a text; expected an object.",
        ),
        (
            "events[0]@7: feature 'x' is true; expected a number.",
            "events[0]@7: feature 'x' is true or false; expected a number.",
        ),
        (
            "events[0]@7: the record has no value; expected a JSON object.",
            "events[0]@7: the record has no value; expected a JSON object.",
        ),
        (
            "events[0]@7: the record is not valid JSON: Input data was truncated.",
            "events[0]@7: the record is not valid JSON: Input data was truncated.",
        ),
        (
            "events[0]@7: feature 'x' is \"; expected Jane\"; expected a number.",
            "events[0]@7: feature 'x' is a text; expected a number.",
        ),
        (f"events[0]@7: feature '{'n' * 90}' is \"; expected Ja", f"events[0]@7: feature '{'n' * 90}' is a text."),
        ("Jane Smith is late", "wrong type"),
        ("events[0]@7: Jane", "events[0]@7: wrong type"),
        ("", "wrong type"),
    ],
)
def test_a_message_says_what_was_wrong_without_the_value(message: str, shown: str) -> None:
    assert scrubbed_message(message, "wrong_type") == shown


@pytest.mark.parametrize("length", [150, 185, 190, 195, 200, 205, 210])
def test_a_message_that_was_cut_for_its_length_does_not_say_the_value_either(length: int) -> None:
    feature = "n" * length
    decoder = EventDecoder(small_config({"events": {"features": {feature: {"type": "number"}}}}))
    (refused,) = decoder.decode([Raw(json.dumps({"id": "e1", feature: "; expected Jane Smith"}).encode())])
    assert isinstance(refused, Rejected)
    assert feature in refused.message
    assert "Jane" not in scrubbed_message(refused.message, refused.reason)


def test_a_message_that_was_cut_at_what_looks_like_its_end_does_not_say_the_value_either() -> None:
    rest = "[0]@7: feature 'x' is \"; expected J. Smith."
    message = "t" * (MAX_MESSAGE - len(rest)) + rest
    assert scrubbed_message(message, "wrong_type").endswith("feature 'x' is a text.")
