"""`driftline dev`: Kafka and Redis in a box, to attach any client to."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from stream.cli import again
from stream.cli.options import Json
from stream.interruption import INTERRUPTED, Interruption

if TYPE_CHECKING:
    from stream.embedded.instances import Instance

app = typer.Typer(help="Kafka and Redis in a box, for development.", no_args_is_help=True)

_WATCH_SECONDS = 0.2
_STOP_SECONDS = 45.0

DataDir = Annotated[Path | None, typer.Option(help="Keep the data here; without it, it is gone at the end.")]
WhichDataDir = Annotated[Path | None, typer.Option(help="Only the one that was started with this directory.")]


@app.command()
def up(
    data_dir: DataDir = None,
    kafka_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port for Kafka; a free one if left out.")
    ] = None,
    redis_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port for Redis; a free one if left out.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background.")] = False,
    as_json: Json = False,
) -> None:
    """Start Kafka and Redis on this machine, print their addresses, and run until Ctrl-C (or `driftline dev down`)."""
    console = Console(stderr=True)
    with Interruption() as interruption:
        try:
            if detach:
                _up_in_background(data_dir, kafka_port, redis_port, as_json, console)
            else:
                _up(data_dir, kafka_port, redis_port, as_json, console, interruption)
        except KeyboardInterrupt:
            console.print("Interrupted while starting; nothing is left running.")
            raise typer.Exit(INTERRUPTED) from None


@app.command()
def down(data_dir: WhichDataDir = None) -> None:
    """Stop what `driftline dev up` started, in whatever terminal."""
    from stream.embedded import instances

    console = Console(stderr=True)
    found = instances.running(data_dir)
    try:
        for instance in found:
            instances.stop(instance, _STOP_SECONDS)
            console.print(f"Stopped Kafka and Redis (process {instance.pid}).", highlight=False)
    except KeyboardInterrupt:
        console.print("Interrupted; what was asked to stop will stop.")
        raise typer.Exit(INTERRUPTED) from None
    if not found:
        console.print("Nothing is running.")


@app.command()
def status(data_dir: WhichDataDir = None, as_json: Json = False) -> None:
    """Show what runs and where; the exit code is 1 when nothing does."""
    from stream.embedded import instances

    found = instances.running(data_dir)
    if as_json:
        typer.echo(json.dumps([asdict(instance) for instance in found]))
    elif not found:
        Console(stderr=True).print("Nothing is running. Start Kafka and Redis with: driftline dev up")
    for instance in () if as_json else found:
        _show(instance)
    if not found:
        raise typer.Exit(1)


def _up(
    data_dir: Path | None,
    kafka_port: int | None,
    redis_port: int | None,
    as_json: bool,
    console: Console,
    interruption: Interruption,
) -> None:
    from stream.embedded.box import Box
    from stream.embedded.errors import StartError
    from stream.embedded.instances import register

    with (
        register(data_dir) as registration,
        Box(data_dir, kafka_port=kafka_port, redis_port=redis_port, console=console) as box,
    ):
        interruption.starting = False
        instance = registration.announce(box.bootstrap_servers, box.redis_url)
        _print(instance, as_json)
        if not as_json:
            console.print("Ctrl-C stops both.")
        while not interruption.asked:
            for server in (box.kafka, box.valkey):
                if not server.running:
                    raise StartError(server.describe_end())
            time.sleep(_WATCH_SECONDS)
        console.print("Stopping Kafka and Redis.")


def _up_in_background(
    data_dir: Path | None, kafka_port: int | None, redis_port: int | None, as_json: bool, console: Console
) -> None:
    """Run `up --json` as a process of its own session and wait for its line; pass on its complaint otherwise."""
    from stream.embedded.instances import Instance
    from stream.embedded.kafka import install

    install(console)  # here, where its progress can be seen
    options: dict[str, Path | int | None] = {
        "--data-dir": data_dir and data_dir.expanduser().absolute(),
        "--kafka-port": kafka_port,
        "--redis-port": redis_port,
    }
    arguments = [f"{name}={value}" for name, value in options.items() if value is not None]
    with tempfile.TemporaryFile() as complaint:
        process = subprocess.Popen(
            again.command("dev", "up", "--json", *arguments),
            env=again.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaint,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            with process.stdout as answer:
                line = answer.readline()
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        if not line:
            code = process.wait()
            complaint.seek(0)
            sys.stderr.write(complaint.read().decode(errors="replace"))
            raise typer.Exit(code or 1)
    _print(Instance(**json.loads(line)), as_json)
    if not as_json:
        console.print("Stop both with: driftline dev down")


def _print(instance: Instance, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(instance)))
    else:
        _show(instance)


def _show(instance: Instance) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("Kafka", instance.bootstrap_servers or "starting")
    table.add_row("Redis", instance.redis_url or "starting")
    table.add_row("Data", instance.data_dir or "temporary, gone at the end")
    table.add_row("Process", str(instance.pid))
    Console(highlight=False, soft_wrap=True, markup=False).print(table)
