"""`driftline models`: look at the registry, and change which version serves, from outside a running service."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from stream.cli.auditing import Audited, ByHand
from stream.cli.bringing import pull, push, withdraw
from stream.cli.comparing import diff
from stream.cli.options import ConfigFile, Json, ModelName
from stream.cli.printing import plain, print_json, say, wide_console
from stream.cli.versions import (
    facts_of,
    labels_of,
    open_registry,
    scores_of,
    size_of,
    span_of,
    time_of,
    versions_of,
    who,
)
from stream.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from stream.stores.base import Champion, VersionMeta
    from stream.stores.registry import ModelStore

app = typer.Typer(help="Versions of the model, and which of them serves.", no_args_is_help=True)

_LISTED: Final = (
    *("version", "parents", "created (UTC)", "recipe", "reason", "who"),
    *("scores then", "labels then", "trained on events", "size"),
)

Version = Annotated[int, typer.Argument(min=1, help="The version.")]
Why = Annotated[
    str, typer.Option("--reason", help="Why; kept with the champion and told in the alert.", show_default=False)
]


@app.command("list")
def list_versions(config: ConfigFile, model: ModelName = None, as_json: Json = False) -> None:
    """List all versions, oldest first; the champion is marked with a star, challengers from outside with a plus."""
    _, store, name = open_registry(config, model)
    standing = _Standing(store, name)
    versions = store.versions(name)
    if not versions:
        _refuse_unknown_model(store, name, model)
    if as_json:
        print_json([standing.as_dict(meta) for meta in versions])
        return
    if not versions:
        say(f"model {name} has no versions yet.")
        return
    table = Table("", *_LISTED, title=plain(name), caption=standing.caption(), caption_justify="left")
    for meta in versions:
        mark, facts = standing.mark(meta.version), facts_of(meta)
        table.add_row(mark, *(plain(facts[head]) for head in _LISTED), style="bold" if "*" in mark else "")
    wide_console().print(table)


@app.command()
def show(
    config: ConfigFile,
    version: Annotated[int | None, typer.Argument(help="The champion if left out.", show_default=False)] = None,
    model: ModelName = None,
    as_json: Json = False,
) -> None:
    """Show all that is known of one version."""
    _, store, name = open_registry(config, model)
    standing = _Standing(store, name)
    if version is None:
        if standing.champion is None:
            raise StoreError(f"model {name} has no champion.", "Name a version; see `driftline models list`.")
        version = standing.champion.version
    known = standing.as_dict(store.version(name, version))
    if as_json:
        print_json(known)
        return
    table = Table(show_header=False, box=None)
    intervals = known.pop("intervals")
    shown = _SHOWN_AS | {"scores": lambda scores: scores_of(scores, intervals)}
    for field, value in known.items():
        table.add_row(_SHOWN_UNDER.get(field, field), plain(shown.get(field, str)(value)))
    wide_console().print(table)


@app.command()
def promote(
    config: ConfigFile,
    version: Annotated[int, typer.Argument(min=1, help="The version that shall serve.")],
    model: ModelName = None,
    reason: Why = "",
    audit: Audited = True,
) -> None:
    """Make a version the champion. Running workers swap to it between two batches.

    The version is loaded and its signature checked here first: workers would refuse what this command refuses.
    """
    from stream import changes

    service, store, name = open_registry(config, model)
    champion = store.champion(name)
    if champion is not None and champion.version == version:
        say(f"model {name} version {version} is the champion already (epoch {champion.epoch}); nothing was changed.")
        return
    by_hand = ByHand(service, audit=audit)
    now = by_hand.make(
        "models.promote",
        f"model {name} version {version}",
        lambda: changes.promote(store, name, version, champion, reason=by_hand.kept(reason), who=who()),
        changes.pointer,
        before=changes.pointer(champion),
        reason=reason,
    )
    _tell(store, name, champion, now)


@app.command()
def rollback(
    config: ConfigFile,
    version: Annotated[
        int | None, typer.Argument(min=1, help="The champion before this one if left out.", show_default=False)
    ] = None,
    model: ModelName = None,
    reason: Why = "",
    audit: Audited = True,
) -> None:
    """Go back to an earlier champion. Doing it twice goes back two champions."""
    from stream import changes

    service, store, name = open_registry(config, model)
    champion = store.champion(name)
    by_hand = ByHand(service, audit=audit)
    now = by_hand.make(
        "models.rollback",
        f"model {name} {'the champion before' if version is None else f'version {version}'}",
        lambda: changes.rollback(store, name, version, champion, reason=by_hand.kept(reason), who=who()),
        changes.pointer,
        before=changes.pointer(champion),
        reason=reason,
    )
    _tell(store, name, champion, now, back=True)


@app.command()
def pin(config: ConfigFile, version: Version, model: ModelName = None, audit: Audited = True) -> None:
    """Keep a version, whatever its age (redis.retention), until it is unpinned."""
    service, store, name = open_registry(config, model)
    ByHand(service, audit=audit).make(
        "models.pin",
        f"model {name} version {version}",
        lambda: store.retention.pin(name, version, who=who()),
        lambda _: {"pinned": True},
    )
    say(f"model {name} version {version} is kept until it is unpinned.")


@app.command()
def unpin(config: ConfigFile, version: Version, model: ModelName = None, audit: Audited = True) -> None:
    """Keep a version no longer than others. Its age counts from now."""
    service, store, name = open_registry(config, model)
    was = ByHand(service, audit=audit).make(
        "models.unpin",
        f"model {name} version {version}",
        lambda: store.retention.unpin(name, version),
        lambda _: {"pinned": False},
    )
    say(f"model {name} version {version} is {'no longer' if was else 'not'} pinned.")


app.command()(push)
app.command()(withdraw)
app.command()(pull)
app.command()(diff)


class _Standing:
    """What the store knows of versions that is not their own metadata."""

    def __init__(self, store: ModelStore, name: str) -> None:
        self.champion: Champion | None = store.champion(name)
        self._challengers = {entered.version: entered for entered in store.challengers.now(name)}
        self._pins = store.retention.pins(name)
        self._holders = store.retention.holders(name)

    def mark(self, version: int) -> str:
        serves = self.champion is not None and self.champion.version == version
        return "*" * serves + "+" * (version in self._challengers)

    def _where(self, version: int) -> list[str]:
        """The tasks in which a version lives on beside the champion."""
        return [holder for holder, versions in self._holders.items() if version in versions]

    def as_dict(self, meta: VersionMeta) -> dict[str, Any]:
        """All that is known of a version."""
        champion, version = self.champion, meta.version
        known: dict[str, Any] = {"version": version}
        known["champion"] = champion is not None and champion.version == version
        known |= msgspec.to_builtins(meta)
        if champion is not None and known["champion"]:
            known |= {"epoch": champion.epoch, "since": champion.since, "promoted_by": champion.who}
            known |= {"promoted_because": champion.reason}
        if entered := self._challengers.get(version):
            known |= {"competes_since": entered.since, "entered_by": entered.who, "competes_in": self._where(version)}
        if version in self._pins:
            known["pinned_by"] = self._pins[version]
        return known

    def caption(self) -> Text:
        """What the columns are, and what is known of the champion but stands in none of them."""
        text = plain("Scores and labels are those with which a version was made. It goes on learning; its scores now: ")
        text.append("/metrics.\n")
        champion, serves = self.champion, "None serves."
        if champion is not None:
            why = f"epoch {champion.epoch}, {champion.reason}, by {champion.who}"
            serves = f"* serves since {time_of(champion.since)} ({why})."
        text.append_text(plain(serves))
        for entered in self._challengers.values():
            competes = f"+ {entered.version} was entered at {time_of(entered.since)} by {entered.who}, and competes in "
            where = ", ".join(self._where(entered.version))
            text.append("\n").append_text(plain(f"{competes}{where or _NOWHERE}."))
        if self._pins:
            text.append(f"\nPinned: {versions_of(list(self._pins))}.")
        return text


def _refuse_unknown_model(store: ModelStore, name: str, asked: str | None) -> None:
    """A model nobody published yet is no fault; a name that was typed and is not there is one."""
    names = store.names()
    if asked is not None and names:
        raise ConfigError(
            f"--model: there is no model {name!r} in Redis at {store.where}.", f"There is {', '.join(names)}."
        )


def _tell(store: ModelStore, name: str, before: Champion | None, after: Champion, *, back: bool = False) -> None:
    was = "none" if before is None else f"version {before.version}"
    say(f"champion of {name}: {was} -> version {after.version} (epoch {after.epoch}, {after.reason})")
    with suppress(StoreError):  # it is done, whether or not this can be told
        meta = store.version(name, after.version)
        holders = [one for one, held in store.retention.holders(name).items() if back and meta.version in held]
        if holders:
            say(f"Version {meta.version} goes on with what it has learned since in {', '.join(holders)}.")
        elif meta.reason == "first" and not meta.labels:
            say(f"Version {meta.version} serves as it was stored, before its first label: it knows nothing yet.")


_NOWHERE: Final = (
    "no task: none has taken it up yet, or can open it (challenger_refused in the workers' log says why), or all have "
    "retired it (adaptation.max_labels without winning)"
)

_SHOWN_UNDER: Final = {
    "scores": "scores then",
    "labels": "labels then",
    "trained": "trained on events",
    "span": "judged on events",
    "competes_since": "entered at",
    "entered_by": "entered by",
    "competes_in": "competes in",
    "pinned_by": "pinned by",
}
_SHOWN_AS: Final[dict[str, Callable[[Any], str]]] = {
    "created": time_of,
    "since": time_of,
    "competes_since": time_of,
    "competes_in": lambda tasks: ", ".join(tasks) or _NOWHERE,
    "size": size_of,
    "labels": labels_of,
    "champion": lambda serves: "yes" if serves else "no",
    "parents": versions_of,
    "trained": span_of,
    "span": span_of,
}
