"""`driftline models diff`: two versions side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.table import Table

from stream.cli.options import ConfigFile, Json, ModelName
from stream.cli.printing import NONE, plain, print_json, wide_console
from stream.cli.versions import facts_of, open_registry, score_of
from stream.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from stream.stores.base import VersionMeta

SHOWN: Final = 10
"""Weights shown: those that differ most."""

_ELSEWHERE: Final = ("version", "scores then")
"""Facts that have a heading, or a table, of their own."""

Old = Annotated[int, typer.Argument(min=1, metavar="A", help="A version.")]
New = Annotated[int, typer.Argument(min=1, metavar="B", help="Another one.")]


def diff(config: ConfigFile, a: Old, b: New, model: ModelName = None, as_json: Json = False) -> None:
    """Compare two versions: where they come from, their scores then, their parameters and, of linear models, weights.

    Scores are those with which each was made, on labels of its own: they say which is better only where one was made
    by beating the other.
    """
    from learners.artifacts import ArtifactError
    from learners.compare import parameters, weights

    if a == b:
        raise ConfigError(f"got version {a} twice; expected two versions.", "See `driftline models list`.")
    _, store, name = open_registry(config, model)
    try:
        (one, mine), (other, theirs) = store.load(name, a), store.load(name, b)
    except ArtifactError as error:
        raise ModelError(f"they cannot be compared: {error}") from error
    ours, others = weights(one), weights(other)
    if as_json:
        print_json(
            {
                "versions": [msgspec.to_builtins(meta) for meta in (mine, theirs)],
                "parameters": _differing(parameters(one), parameters(other)),
                "weights": {known: [ours.get(known), others.get(known)] for known in _by_difference(ours, others)},
            }
        )
        return
    console = wide_console()
    console.print(_table(name, facts_of(mine), facts_of(theirs)))
    if mine.scores or theirs.scores:
        console.print(_scores(mine, theirs))
    else:
        console.print("No scores were published with either.")
    differing = _differing(parameters(one), parameters(other))
    if differing:
        console.print(_differences("parameter", differing, a, b))
    else:
        console.print("Their parameters are the same.")
    if ours and others:
        console.print(_weights(ours, others, a, b))


def _table(name: str, mine: dict[str, str], theirs: dict[str, str]) -> Table:
    table = Table("", mine["version"], theirs["version"], title=plain(name))
    for fact in (known for known in mine if known not in _ELSEWHERE):
        table.add_row(fact, plain(mine[fact]), plain(theirs[fact]))
    return table


def _scores(mine: VersionMeta, theirs: VersionMeta) -> Table:
    table = Table("score then", str(mine.version), str(theirs.version), "difference")
    for metric in mine.scores | theirs.scores | mine.intervals | theirs.intervals:
        ours, others = mine.scores.get(metric), theirs.scores.get(metric)
        cells = [score_of(metric, meta.scores, meta.intervals) for meta in (mine, theirs)]
        table.add_row(
            plain(metric), *map(plain, cells), NONE if ours is None or others is None else f"{others - ours:+.4g}"
        )
    return table


def _differing(mine: dict[str, str], theirs: dict[str, str]) -> dict[str, tuple[str, str]]:
    pairs = {known: (mine.get(known, NONE), theirs.get(known, NONE)) for known in {**mine, **theirs}}
    return {known: pair for known, pair in pairs.items() if pair[0] != pair[1]}


def _differences(what: str, differing: dict[str, tuple[str, str]], a: int, b: int) -> Table:
    table = Table(what, str(a), str(b))
    for known, pair in differing.items():
        table.add_row(*map(plain, (known, *pair)))
    return table


def _by_difference(mine: dict[str, float], theirs: dict[str, float]) -> list[str]:
    """The names of weights, those that differ most first. A weight that one has not is 0 to it."""

    def apart(known: str) -> float:
        return abs(theirs.get(known, 0.0) - mine.get(known, 0.0))

    return sorted({**mine, **theirs}, key=apart, reverse=True)


def _weights(mine: dict[str, float], theirs: dict[str, float], a: int, b: int) -> Table:
    names = _by_difference(mine, theirs)
    rest = len(names) - SHOWN
    caption = f"The {SHOWN} that differ most, of {len(names)}." if rest > 0 else None
    table = Table("weight", str(a), str(b), "difference", caption=caption, caption_justify="left")
    for known in names[:SHOWN]:
        pair: list[Any] = [mine.get(known), theirs.get(known)]
        cells = [NONE if weight is None else f"{weight:+.4g}" for weight in pair]
        table.add_row(plain(known), *cells, f"{theirs.get(known, 0.0) - mine.get(known, 0.0):+.4g}")
    return table
