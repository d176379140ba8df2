"""`driftline check`: whether a configuration is right, and whether what it names is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from stream.cli.printing import wide_console
from stream.errors import ConfigError

if TYPE_CHECKING:
    from stream.config.model import Config
    from stream.kafka.topics import Finding


def check(
    config: Annotated[Path, typer.Option("--config", "-c", help="The service's file.")],
    connect: Annotated[
        bool,
        typer.Option(
            "--connect",
            help="Also look at keys, Kafka, its topics, Redis, the identity provider and the snapshot directory.",
        ),
    ] = False,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="With --connect: create the topics that are missing.")
    ] = False,
    partitions: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="With --create-topics: how many; the broker's default if left out."),
    ] = None,
) -> None:
    """Say whether a configuration is right: every problem with its line, what is allowed and the cure. Of a right one,
    how the detectors are calibrated, and whether the keys, secrets and files that its sections security, webhooks and
    http name are there and well-formed.

    Leaves with 0 when all is well, 2 when the file is wrong, 1 when something it needs is not there or not fit.
    """
    if create_topics and not connect:
        raise ConfigError("--create-topics needs --connect.", "Add --connect.")
    if partitions is not None and not create_topics:
        raise ConfigError("--partitions is for --create-topics.", "Add --create-topics, or leave it out.")

    from stream.cli import budget
    from stream.config.load import load
    from stream.config.references import REDIS
    from stream.preflight import look, look_at_files
    from stream.stores.opening import open_basis

    service = load(config)
    if service.references.profile != REDIS:
        _ = open_basis(service).profile
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text.assemble(("OK", "bold green"), f" {config}: {_summary(service)}"))
    if service.alarms is not None or service.detectors.listed:
        console.print(budget.heading(service))
        wide_console().print(budget.table(service))
    seen = bad = 0
    whole = look(service, create_topics=create_topics, partitions=partitions)
    for finding in whole if connect else look_at_files(service):
        _show(finding, console)
        seen += 1
        bad += not finding.ok
    if bad:
        console.print(Text(f"{bad} of {seen} not well.", "bold red"))
        raise typer.Exit(1)
    if connect:
        console.print(Text.assemble(("All well.", "bold green"), f" Start it with `driftline run -c {config}`."))


def _summary(config: Config) -> str:
    detectors = [detector.called for detector in config.detectors.listed]
    features = len(config.events.features)
    return (
        f"service {config.app}, model {config.model.name} ({config.model.problem.value}, {config.model.learner.kind}), "
        f"{features} feature{'' if features == 1 else 's'}, detectors: {', '.join(detectors) or 'none'}"
    )


def _show(finding: Finding, console: Console) -> None:
    mark, style = ("✓", "green") if finding.ok else ("✗", "bold red")
    console.print(Text.assemble("  ", (mark, style), f" {finding.text}"))
    for line in (finding.cure or "").splitlines():
        console.print(Text(f"      {line.strip()}", "yellow"))
