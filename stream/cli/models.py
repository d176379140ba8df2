"""`driftline models`: look at the registry, and change which version serves, from outside a running service."""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream.cli.printing import plain, wide_console
from stream.errors import ConfigError, ModelError, StoreError

if TYPE_CHECKING:
    from stream.stores.base import Champion, VersionMeta
    from stream.stores.registry import ModelStore

app = typer.Typer(help="Versions of the model, and which of them serves.", no_args_is_help=True)

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The service's YAML file.")]
ModelName = Annotated[
    str | None, typer.Option("--model", help="Another model than the file's.", show_default="model.name of the file")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@app.command("list")
def list_versions(config: ConfigFile, model: ModelName = None, as_json: Json = False) -> None:
    """List all versions, oldest first; the champion is marked with a star."""
    store, name = _open(config, model)
    champion = store.champion(name)
    versions = store.versions(name)
    if not versions:
        _refuse_unknown_model(store, name, model)
    if as_json:
        _print_json([_as_dict(meta, champion) for meta in versions])
        return
    if not versions:
        _say(f"model {name} has no versions yet.")
        return
    heads = ("version", "parent", "created (UTC)", "recipe", "reason", "scores then", "labels then", "size")
    table = Table("", *heads, title=plain(name), caption=_caption(champion), caption_justify="left")
    for meta in versions:
        serves = champion is not None and champion.version == meta.version
        cells = [str(meta.version), str(meta.parent or _NONE), _time(meta.created), meta.recipe, meta.reason]
        cells += [_scores(meta.scores), _labels(meta.labels), _size(meta.size)]
        table.add_row("*" if serves else "", *map(plain, cells), style="bold" if serves else "")
    wide_console().print(table)


@app.command()
def show(
    config: ConfigFile,
    version: Annotated[int | None, typer.Argument(help="The champion if left out.", show_default=False)] = None,
    model: ModelName = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of one version."""
    store, name = _open(config, model)
    champion = store.champion(name)
    if version is None and champion is None:
        raise StoreError(f"model {name} has no champion.", "Name a version; see `driftline models list`.")
    meta = store.version(name, version if version is not None else champion.version if champion else 0)
    known = _as_dict(meta, champion)
    if as_json:
        _print_json(known)
        return
    table = Table(show_header=False, box=None)
    for field, value in known.items():
        table.add_row(_SHOWN_UNDER.get(field, field), plain(_SHOWN_AS.get(field, str)(value)))
    wide_console().print(table)


@app.command()
def promote(
    config: ConfigFile,
    version: Annotated[int, typer.Argument(min=1, help="The version that shall serve.")],
    model: ModelName = None,
    reason: Annotated[str, typer.Option(help="Why; kept with the champion and told in the alert.")] = "promoted",
) -> None:
    """Make a version the champion. Running workers swap to it between two batches.

    The version is loaded and its signature checked here first: workers would refuse what this command refuses.
    """
    store, name = _open(config, model)
    champion = store.champion(name)
    if champion is not None and champion.version == version:
        _say(f"model {name} version {version} is the champion already (epoch {champion.epoch}); nothing was changed.")
        return
    _verify(store, name, version)
    epoch = 0 if champion is None else champion.epoch
    _tell(name, champion, store.promote(name, version, expected_epoch=epoch, reason=reason, who=_who()))


@app.command()
def rollback(
    config: ConfigFile,
    version: Annotated[
        int | None, typer.Argument(min=1, help="The champion before this one if left out.", show_default=False)
    ] = None,
    model: ModelName = None,
) -> None:
    """Go back to an earlier champion. Doing it twice goes back two champions."""
    store, name = _open(config, model)
    champion = store.champion(name)
    if version is not None:
        _verify(store, name, version)
    _tell(name, champion, store.rollback(name, version, who=_who()))


def _open(path: Path, model: str | None) -> tuple[ModelStore, str]:
    from stream.config.load import load
    from stream.stores.opening import open_store

    config = load(path)
    return open_store(config), model or config.model.name


def _verify(store: ModelStore, name: str, version: int) -> None:
    from learners.artifacts import ArtifactError

    try:
        store.load(name, version)
    except ArtifactError as error:
        raise ModelError(f"model {name} version {version} was not promoted: {error}") from error


def _refuse_unknown_model(store: ModelStore, name: str, asked: str | None) -> None:
    """A model nobody published yet is no fault; a name that was typed and is not there is one."""
    names = store.names()
    if asked is not None and names:
        raise ConfigError(
            f"--model: there is no model {name!r} in Redis at {store.where}.", f"There is {', '.join(names)}."
        )


def _as_dict(meta: VersionMeta, champion: Champion | None) -> dict[str, Any]:
    known: dict[str, Any] = {"version": meta.version}
    known["champion"] = champion is not None and champion.version == meta.version
    known |= msgspec.to_builtins(meta)
    if champion is not None and known["champion"]:
        known |= {"epoch": champion.epoch, "since": champion.since, "promoted_by": champion.who}
        known |= {"promoted_because": champion.reason}
    return known


def _caption(champion: Champion | None) -> Text:
    """What the columns are, and what is known of the champion but stands in none of them."""
    text = "Scores and labels are those with which a version was made. It goes on learning; its scores now: /metrics."
    if champion is None:
        return plain(text).append("\nNone serves.")
    why = f"epoch {champion.epoch}, {champion.reason}, by {champion.who}"
    return plain(text).append("\n").append_text(plain(f"* serves since {_time(champion.since)} ({why})."))


def _tell(name: str, before: Champion | None, after: Champion) -> None:
    was = "none" if before is None else f"version {before.version}"
    _say(f"champion of {name}: {was} -> version {after.version} (epoch {after.epoch}, {after.reason})")


def _say(text: str) -> None:
    Console(highlight=False, soft_wrap=True).print(plain(text))


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _size(n: int) -> str:
    return f"{n} B" if n < 1000 else f"{n / 1000:.1f} kB" if n < 1_000_000 else f"{n / 1_000_000:.1f} MB"


def _who() -> str:
    """user@host, as far as this machine knows; a container's user may have no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _scores(scores: dict[str, float]) -> str:
    return ", ".join(f"{metric} {value:.4g}" for metric, value in scores.items()) or _NONE


def _labels(n: int) -> str:
    return f"{n:,}" if n else _NONE


_NONE: Final = "-"
"""Stands for what there was none of."""

_SHOWN_UNDER: Final = {"scores": "scores then", "labels": "labels then"}
_SHOWN_AS: Final[dict[str, Callable[[Any], str]]] = {
    "created": _time,
    "since": _time,
    "size": _size,
    "scores": _scores,
    "labels": _labels,
    "champion": lambda serves: "yes" if serves else "no",
    "parent": lambda version: str(version or _NONE),
}
