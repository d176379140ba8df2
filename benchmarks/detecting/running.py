"""Carries out the cells that have no result yet, several at a time, and keeps each result at once."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.processes import spread
from bench.store import Store
from detecting.cells import Cell, Result


def run(cells: Sequence[Cell], store: Store, jobs: int, console: Console) -> None:
    """Carry out what is left. Interrupted, it loses the cells that it is at and no others."""
    left = [cell for cell in cells if cell.key not in store]
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(cells), completed=len(cells) - len(left))
        for cell, result in spread(_measure, left, jobs):
            store.add(cell.key, result)
            progress.update(task, advance=1, description=f"{cell.contender.name} on {cell.watched}")


def _measure(cell: Cell) -> tuple[Cell, Result]:
    return cell, cell.measure()
