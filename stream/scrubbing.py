"""What a record is like without what it says: field names and the kinds of values, and of its texts no letter.

Of a field's name nothing is shown unless it looks like a name: keys may be personal too, such as e-mail addresses.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from stream.decode import MAX_MESSAGE
from stream.readable import words
from stream.refusal import CUT
from stream.schema import MAX_QUOTE

LONGEST: Final = 2000
"""Most characters of a scrubbed value."""

_MEMBERS: Final = 100
_ITEMS: Final = 10
_DEPTH: Final = 16

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_LETTER: Final = re.compile(r"[^\W\d_]|[^\x00-\x7f]")
_DIGIT: Final = re.compile(r"\d")
_PLACE: Final = re.compile(r"\S+\[\d+\]@-?\d+: ")
_QUOTED: Final = re.compile(r"(?P<field>(?:id|time|label|feature) '.*?'(?:: '.*?')?) is (?P<value>.*)", re.DOTALL)
_EXPECTED: Final = "; expected "
_SAID_WHOLE: Final = ("missing", "null", "an object", "an array")
_OF_THE_RECORD: Final = ("the record is ", "the record has ", "a field stands in the record twice")


def scrubbed(value: bytes | None) -> str:
    """A record's value as JSON whose strings are their kinds: `{"amount":"number","name":"text(7)"}`.

    What is no JSON is shown with its letters as `a` and its digits as `0`, for its brackets and quotes tell where it
    breaks. At most 2,000 characters.
    """
    if not value:
        return ""
    try:
        shape = _shape(msgspec.json.decode(value), 0)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _masked(value.decode(errors="replace"))[:LONGEST]
    text = msgspec.json.encode(shape).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def scrubbed_message(message: str, reason: str) -> str:
    """The message of a dead letter without the value that it quotes. One that is not ours says the reason only."""
    place = _PLACE.match(message)
    told = message[place.end() :] if place is not None else message
    before = message[: len(message) - len(told)]
    if told.startswith(_OF_THE_RECORD):
        return message
    found = _QUOTED.match(told)
    if found is None:
        return f"{before}{words(reason)}"
    rest = found["value"]
    # The value may hold what looks like the end of the quotation: that is the last before its longest length.
    at = rest.rfind(_EXPECTED, 0, MAX_QUOTE + len(_EXPECTED))
    was_cut = not rest.endswith(".") or rest.endswith(CUT) or len(message) >= MAX_MESSAGE
    if at < 0 or (was_cut and len(rest) <= MAX_QUOTE + len(_EXPECTED)):
        return f"{before}{found['field']} is {_kind_of(rest)}."
    return f"{before}{found['field']} is {_kind_of(rest[:at])}{rest[at:]}"


def _shape(value: Any, depth: int) -> Any:
    if depth > _DEPTH:
        return "..."
    match value:
        case dict():
            members = {_name(key): _shape(inner, depth + 1) for key, inner in list(value.items())[:_MEMBERS]}
            more = len(value) - _MEMBERS
            return members | ({"...": f"{more} more"} if more > 0 else {})
        case list():
            more = len(value) - _ITEMS
            return [_shape(inner, depth + 1) for inner in value[:_ITEMS]] + ([f"{more} more"] if more > 0 else [])
        case str():
            return f"text({len(value)})"
        case bool():
            return "boolean"
        case None:
            return None
        case _:
            return "number"


def _name(key: str) -> str:
    return key if _NAME.fullmatch(key) else f"key({len(key)})"


def _masked(text: str) -> str:
    return _DIGIT.sub("0", _LETTER.sub("a", text[:LONGEST]))


def _kind_of(quoted: str) -> str:
    """The kind of a JSON value by how it begins."""
    if quoted in _SAID_WHOLE:
        return quoted
    match quoted[:1]:
        case '"':
            return "a text"
        case "t" | "f":
            return "true or false"
        case _:
            return "a number"
