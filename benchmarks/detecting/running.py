"""Carries out the cells that have no result yet, several at a time, and keeps each result at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from multiprocessing import get_context

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from detecting.cells import Cell, Result
from detecting.store import Store


def run(cells: Sequence[Cell], store: Store, jobs: int, console: Console) -> None:
    """Carry out what is left. Interrupted, it loses the cells that it is at and no others."""
    left = [cell for cell in cells if cell.key not in store]
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(cells), completed=len(cells) - len(left))
        for cell, result in _measured(left, jobs):
            store.add(cell.key, result)
            progress.update(task, advance=1, description=f"{cell.contender.name} on {cell.watched}")


def _measured(cells: Sequence[Cell], jobs: int) -> Iterator[tuple[Cell, Result]]:
    if jobs == 1:
        yield from map(_measure, cells)
        return
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # of the processes that follow: each is one of several
    with get_context("spawn").Pool(jobs, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
        yield from pool.imap_unordered(_measure, cells)


def _measure(cell: Cell) -> tuple[Cell, Result]:
    return cell, cell.measure()
