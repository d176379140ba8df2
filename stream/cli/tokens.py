"""`driftline tokens`: make the bearer tokens that the page and the API ask for."""

from __future__ import annotations

import secrets
from typing import Annotated, Final

import typer

from stream.cli.printing import say
from stream.config.web import Role

app = typer.Typer(help="Tokens for the page and the API (docs/api.md).", no_args_is_help=True)

PREFIX: Final = "driftline_"
"""Begins every token, so that one that has leaked is found by those who look for such things."""
_BYTES: Final = 32


@app.callback()
def tokens() -> None:
    """Tokens for the page and the API (docs/api.md)."""


@app.command()
def new(
    name: Annotated[str, typer.Option(help="Whose it is, for the audit.")],
    role: Annotated[Role, typer.Option(help="What it allows.")] = Role.VIEWER,
) -> None:
    """Make a token. It is shown this once; the configuration keeps its SHA-256 only."""
    import yaml

    from stream.errors import ConfigError
    from stream.web.access import sha256

    if not 1 <= len(name) <= 100:
        raise ConfigError("--name: expected 1 to 100 characters.")
    token = PREFIX + secrets.token_urlsafe(_BYTES)
    entry = [{"name": name, "role": role.value, "sha256": sha256(token)}]
    say(f"The token, which is not shown again: {token}")
    say("In the configuration, under http.auth.tokens, or in the file that http.auth.tokens_file names:")
    typer.echo(yaml.safe_dump(entry, sort_keys=False, allow_unicode=True), nl=False)
