"""Why a record was refused: a reason from a fixed list, and a message for the one who produces such records.

The message quotes at most 40 characters, and of the offending value alone: the rest of a record may be personal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from stream.schema import MAX_QUOTE, Field, folded

EMPTY_VALUE: Final = "empty_value"
MALFORMED_JSON: Final = "malformed_json"
MISSING_FIELD: Final = "missing_field"
WRONG_TYPE: Final = "wrong_type"
OUT_OF_RANGE: Final = "out_of_range"
NOT_ALLOWED: Final = "not_allowed"
BAD_TIME: Final = "bad_time"
BAD_LABEL: Final = "bad_label"

REASONS: Final = (
    EMPTY_VALUE,
    MALFORMED_JSON,
    MISSING_FIELD,
    WRONG_TYPE,
    OUT_OF_RANGE,
    NOT_ALLOWED,
    BAD_TIME,
    BAD_LABEL,
)
"""All reasons: the values of the dead letters' reason header and of the counter's label."""

_MAX_MESSAGE = 240
CUT: Final = " ..."
"""How a message ends that was too long."""
_NUMBER = b"-0123456789"
_FINITE = "a number from -1.8e308 to 1.8e308"

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Refusal(NamedTuple):
    """One of `REASONS`, and a sentence of at most 240 characters."""

    reason: str
    message: str


def why(value: bytes | None, fields: Iterable[Field]) -> Refusal:
    """Say why `value`, which the decoder of `fields` refused, cannot be used. Raises nothing."""
    if not value:
        return Refusal(EMPTY_VALUE, "the record has no value; expected a JSON object.")
    try:
        row = _object.decode(value)
        found = next((refusal for field in fields if (refusal := _check(row, field)) is not None), None)
    except msgspec.ValidationError:
        return Refusal(WRONG_TYPE, "the record is JSON, but not an object; expected an object.")
    except UnicodeDecodeError:
        return Refusal(MALFORMED_JSON, "the record is not UTF-8 text; expected a JSON object.")
    except RecursionError:
        return Refusal(MALFORMED_JSON, "the record is nested too deeply; expected a JSON object.")
    except Exception as malformed:  # noqa: BLE001  the decoder's promise that nothing raises out of it ends here
        hint = " NaN and Infinity are not JSON: send null." if b"NaN" in value or b"Infinity" in value else ""
        return Refusal(MALFORMED_JSON, _cut(f"the record is not valid JSON: {malformed}.{hint}"))
    if found is None:  # each field is right where it stands last, so an earlier one of the same name was wrong
        return Refusal(MALFORMED_JSON, "a field stands in the record twice, once with a value that cannot be used.")
    return found


def _check(row: dict[str, msgspec.Raw], field: Field) -> Refusal | None:
    """What is wrong with one field, if anything."""
    table = row
    for depth, part in enumerate(field.path[:-1], 1):
        inner = bytes(table.get(part, b"null"))
        if inner == b"null":
            table = {}
            break
        if not inner.startswith(b"{"):
            parent = ".".join(field.path[:depth])
            return Refusal(WRONG_TYPE, _cut(f"{field.name}: {parent!r} is {_quote(inner)}; expected an object."))
        table = _object.decode(inner)
    raw = table.get(field.path[-1])
    if raw is None or bytes(raw) == b"null":
        state = "missing" if raw is None else "null"
        return (
            Refusal(MISSING_FIELD, _cut(f"{field.name} is {state}; expected {field.expected}."))
            if field.required
            else None
        )
    value = bytes(raw)
    try:
        found = msgspec.json.decode(value, type=field.type)
    except UnicodeDecodeError:
        raise
    except (msgspec.MsgspecError, ValueError):
        found = None
    if found is not None and (field.spelt in (None, found) or folded(found) != folded(field.spelt)):
        return None
    reason = _reason(field, value)
    # A number is no answer to one that is refused for its size, least of all where values are hidden.
    expected = _FINITE if reason == OUT_OF_RANGE and field.type is float else field.expected
    return Refusal(reason, _cut(f"{field.name} is {_quote(value)}; expected {expected}."))


def _reason(field: Field, value: bytes) -> str:
    is_text, is_number = value[:1] == b'"', value[:1] in _NUMBER
    match field.kind:
        case "time":
            return BAD_TIME
        case "label":
            return BAD_LABEL
        case "choice":
            return NOT_ALLOWED if is_text else WRONG_TYPE
        case "number":
            return OUT_OF_RANGE if is_number else WRONG_TYPE
        case "text":
            return OUT_OF_RANGE if is_text else WRONG_TYPE
        case "id":
            return OUT_OF_RANGE if is_text or (is_number and value.lstrip(b"-").isdigit()) else WRONG_TYPE
        case "boolean":
            return WRONG_TYPE


def _quote(value: bytes) -> str:
    """The value as it stands in the record, cut and printable; of objects and arrays the kind alone."""
    if value[:1] == b"{":
        return "an object"
    if value[:1] == b"[":
        return "an array"
    text = "".join(c if c.isprintable() else "?" for c in value[: 4 * MAX_QUOTE].decode(errors="replace"))
    return text if len(text) <= MAX_QUOTE else f"{text[: MAX_QUOTE - 3]}..."


def _cut(message: str) -> str:
    return message if len(message) <= _MAX_MESSAGE else f"{message[: _MAX_MESSAGE - len(CUT)]}{CUT}"
