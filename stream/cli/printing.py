"""How commands print what others wrote, and tables."""

from __future__ import annotations

import json
from typing import Any, Final

import typer
from rich.console import Console
from rich.text import Text

NONE: Final = "-"
"""Stands for what there was none of."""

_CONTROLS: Final = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}
"""Characters that some terminals obey and JSON lets stand as they are, as JSON's own escapes."""


def wide_console() -> Console:
    """As wide as the terminal; wide enough for a table where there is none."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    return console


def plain(text: str) -> Text:
    """Text as it stands: neither markup nor control characters in what others wrote reach the terminal."""
    return Text("".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text))


def say(text: str) -> None:
    """Tell one line."""
    Console(highlight=False, soft_wrap=True).print(plain(text))


def print_line(encoded: bytes) -> None:
    """Tell a program, or who looks over its shoulder, one line of JSON: the same value, no control characters."""
    typer.echo(encoded.decode(errors="replace").translate(_CONTROLS))


def print_json(value: Any) -> None:
    """Tell a program."""
    typer.echo(json.dumps(value, indent=2))
