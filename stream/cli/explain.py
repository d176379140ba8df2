"""`driftline explain`: why an event was given its score, by the very model that gave it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from stream.cli.options import Json, LogLines
from stream.cli.printing import NONE, plain, wide_console
from stream.errors import ModelError
from stream.readable import answer_of, moment

if TYPE_CHECKING:
    from learners.base import Explanation
    from stream.config.model import Config
    from stream.kafka.finding import Found, Say
    from stream.kafka.rebuild import Rebuilt


def explain(
    prediction_id: Annotated[str, typer.Argument(help="The event's id, as its prediction carries it.")],
    config: Annotated[Path, typer.Option("--config", "-c", help="The service's YAML file, as it was then.")],
    partition: Annotated[
        int | None,
        typer.Option(help="Look in this partition of the predictions topic only.", min=0, show_default="all"),
    ] = None,
    as_json: Json = False,
    log_format: LogLines = None,
) -> None:
    """Show the model, the features and the score behind a past prediction.

    The task that made it is rebuilt from its newest snapshot of before (runtime.snapshot_archive), its journal and the
    input topics, as far back as these are kept, and predicts the event once more. Fails when that differs from what was
    published by a single bit. Changes nothing.
    """
    from stream import log
    from stream.config.load import load

    log.configure(log_format, "error")
    service = load(config)
    with Console(stderr=True, highlight=False).status("connecting to Kafka") as status:
        found, rebuilt = _rebuild(service, prediction_id, partition, lambda text: status.update(plain(text)))
    if as_json:
        typer.echo(json.dumps(_as_dict(service, found, rebuilt), indent=2, ensure_ascii=False))
    else:
        _show(service, found, rebuilt)
    if rebuilt.differences:
        sys.stdout.flush()
        raise ModelError(
            "the rebuilt prediction is not the published one: "
            + "; ".join(f"{name} was {was}, is {now}" for name, (was, now) in rebuilt.differences.items()),
            "Use the versions of Driftline, River, NumPy and Python that the service had then. If these are the same, "
            "the input topics were changed, or the service had lost records then (resume_gap in its log).",
        )


def _rebuild(config: Config, id_: str, partition: int | None, say: Say) -> tuple[Found, Rebuilt]:
    from stream.config.trust import trust_of
    from stream.kafka.client import make_log_reader
    from stream.kafka.finding import find
    from stream.kafka.rebuild import Rebuilder
    from stream.stores.opening import earlier_basis, open_basis, open_snapshots, open_store

    load = partial(open_store(config).artifact, config.model.name)
    connect = partial(make_log_reader, config.kafka)
    with closing(connect()) as reader:
        found = find(reader, config.topics.predictions, id_, partition, say)
    snapshots, earlier = open_snapshots(config, to_write=False), partial(earlier_basis, config)
    trust = trust_of(config.security)
    rebuilder = Rebuilder(open_basis(config), snapshots, trust, load, connect, say, earlier)
    return found, rebuilder.rebuild(found.prediction, found.value)


def _show(config: Config, found: Found, rebuilt: Rebuilt) -> None:
    from stream.kafka.rebuild import place

    said = found.prediction
    console = wide_console()
    facts = Table(show_header=False, box=None)
    known = {
        "event": f"{place(config, said)}, key {said.key or NONE}",
        "time (UTC)": moment(said.ts),
        "prediction": answer_of(said),
        "probabilities": ", ".join(f"{name} {share!r}" for name, share in (said.probabilities or {}).items()) or NONE,
        "model": f"{said.model} version {said.model_version}",
        "recipe": rebuilt.moment.recipe,
        "latency": f"{said.latency_ms:.2f} ms",
        "published as": f"{config.topics.predictions}[{found.partition}]@{found.offset}{_among(found)}",
        "rebuilt from": f"{rebuilt.source}; {_count(rebuilt.entries, 'entry', 'entries')} done over on the way",
    }
    if rebuilt.trouble:
        known["snapshots"] = f"could not be read: {rebuilt.trouble}"
    for name, text in known.items():
        facts.add_row(name, plain(text))
    console.print(plain(f"event {said.id}"), style="bold")
    console.print(facts)
    console.print()
    console.print(_features(config, rebuilt))
    if rebuilt.moment.explanation is None:
        console.print("This model cannot be taken apart, or it had learned nothing yet.")
    if not rebuilt.differences:
        fields = len(msgspec.json.decode(found.value))
        console.print(f"The rebuilt prediction agrees with the published one in all {fields} fields, bit for bit.")


def _features(config: Config, rebuilt: Rebuilt) -> Table:
    """The base, the declared features by the size of what they add, those that add nothing, and the sum."""
    features, explanation = rebuilt.moment.features, rebuilt.moment.explanation
    contributions = () if explanation is None else explanation.contributions
    adding = {one.feature for one in contributions}
    table = Table("feature", "value")
    signed = _alike(explanation)
    if explanation is not None:
        table.add_column(plain(_heading(explanation)), justify="right")
        table.add_row("(base)", "", signed(explanation.base))
    for name, value, share in contributions:
        table.add_row(plain(name), plain(_value(value)), signed(share))
    for name in config.events.features:
        if name not in adding:
            table.add_row(plain(name), plain(_value(features.get(name))), NONE if explanation is not None else None)
    if explanation is None:
        return table
    table.add_section()
    table.add_row("sum", "", signed(explanation.score))
    return table


def _as_dict(config: Config, found: Found, rebuilt: Rebuilt) -> dict[str, Any]:
    said, explanation = found.prediction, rebuilt.moment.explanation
    return {
        "agrees": not rebuilt.differences,
        "differences": {name: {"published": was, "rebuilt": now} for name, (was, now) in rebuilt.differences.items()},
        "prediction": msgspec.json.decode(found.value),
        "published": {
            "topic": config.topics.predictions,
            "partition": found.partition,
            "offset": found.offset,
            "older_of_this_id": found.others,
        },
        "event": {"topic": config.topics.events, "partition": said.partition, "offset": said.offset},
        "recipe": rebuilt.moment.recipe,
        "features": rebuilt.moment.features,
        "explanation": None
        if explanation is None
        else {**explanation._asdict(), "score": explanation.score}
        | {"contributions": [one._asdict() for one in explanation.contributions]},
        "rebuilt_from": {"source": rebuilt.source, "entries": rebuilt.entries, "snapshot_trouble": rebuilt.trouble},
    }


def _heading(explanation: Explanation) -> str:
    of = "" if explanation.label is None else f" to {_value(explanation.label)}"
    return f"adds{of} ({explanation.unit})"


def _value(value: Any) -> str:
    if value is None:
        return NONE
    return str(value).lower() if isinstance(value, bool) else str(value)


def _alike(explanation: Explanation | None) -> Callable[[float], str]:
    """Writes all numbers of an explanation with as many decimals as give the largest of them four digits."""
    numbers = (
        () if explanation is None else (explanation.base, *(one.contribution for one in explanation.contributions))
    )
    largest = max(map(abs, numbers), default=0.0)
    decimals = 3 - math.floor(math.log10(largest)) if largest else 0
    return f"{{:+.{min(max(decimals, 0), 12)}f}}".format


def _among(found: Found) -> str:
    return f", the newest of {found.others + 1} predictions of this id that were met" if found.others else ""


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} {one if n == 1 else many}"
