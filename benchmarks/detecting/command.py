"""The command line of `benchmarks/detectors.py`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.sheets import Sheet, write
from bench.store import Store
from detecting.cells import Cell
from detecting.figures import rows
from detecting.others import ELSEWHERE, ROOT, environment, version
from detecting.plan import FULL, QUICK, SIZES, cells
from detecting.plots import draw
from detecting.running import run
from detecting.tables import limits, sheets

STATE = ROOT / "benchmarks" / "state" / "detectors.jsonl"
PAGE = ROOT / "docs" / "detectors.md"
IMAGES = ROOT / "docs" / "images"


def main(description: str, arguments: Sequence[str] | None = None) -> None:
    """Measure what is left, and print, draw and write what there is."""
    options = _options(description, arguments)
    console = Console(width=None if os.isatty(1) else 240)
    size = SIZES[options.size]
    chosen = [cell for cell in cells(size) if re.search(options.only, _told(cell))]
    store = Store(options.state, fresh=options.fresh)
    for library in ELSEWHERE:
        if not environment(library):
            console.print(f"{library} is left out: there is no .venv-{library} (see benchmarks/README.md).")
    if not options.report:
        try:
            run(chosen, store, options.jobs, console)
        except KeyboardInterrupt:
            sys.exit("Interrupted. The same command goes on from here.")
    found = rows(chosen, store)
    tables = [_made_with(size.name, len(chosen), sum(cell.key in store for cell in chosen)), limits(), *sheets(found)]
    for sheet in tables:
        sheet.show(console)
    for row in found:
        if row.refused:
            console.print(f"{row.contender.name} on {row.watched} cannot be calibrated: {row.refused}")
    if options.write:
        write(tables, PAGE)
    if options.plots:
        for path in draw(found, options.images):
            console.print(f"{path} is written.")


def _told(cell: Cell) -> str:
    """What `--only` looks at."""
    stated = cell.contender.stated
    return f"{cell.contender.name} {'default' if stated is None else f'{stated:.0f}'} on {cell.watched}"


def _made_with(size: str, cells: int, measured: int) -> Sheet:
    """What the tables were made with."""
    libraries = [library for library in ELSEWHERE if environment(library)]
    others = ", ".join(f"{name} {version(name)}" for name in libraries) or "none"
    here = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "river"))
    python = ".".join(map(str, sys.version_info[:3]))
    body = [(size, f"{measured:,} of {cells:,}", f"Python {python}, {here}", others)]
    return Sheet("made-with", "made with", ("size", "cells measured", "with", "in environments of their own"), body)


def _options(description: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default=FULL.name, help="how much is measured; tiny says nothing")
    parser.add_argument("--quick", dest="size", action="store_const", const=QUICK.name, help="the same as --size quick")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cells measured at a time")
    parser.add_argument("--only", default="", metavar="REGEX", help="such as 'river', 'driftline ks 10000 on numbers'")
    parser.add_argument("--fresh", action="store_true", help="forget the results of earlier runs")
    parser.add_argument("--report", action="store_true", help="measure nothing, show what there is")
    parser.add_argument("--plots", action="store_true", help="draw docs/images (needs the extra `bench`)")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/detectors.md")
    parser.add_argument("--state", type=Path, default=STATE, help="where results are kept")
    parser.add_argument("--images", type=Path, default=IMAGES, help="where plots go")
    return parser.parse_args(arguments)
