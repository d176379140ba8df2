"""The plots of docs/detectors.md, as SVG. Needs matplotlib, which the extra `bench` brings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detecting.figures import Row, best
from detecting.streams import Change

_STRIPES = (
    *("#0b6e99", "#d9730d", "#448361", "#9065b0", "#c14c8a", "#64473a", "#cb912f"),
    *("#5fb3d4", "#f0a868", "#8fc7a3", "#c3a6dc", "#e59bc4", "#a38d80", "#2f3437"),
)
_GREY, _LIMIT, _GOOD = "#9b9a97", "#d44c47", "#edf3ec"
_GOAL = (0.8, 1.5)
_RIVALS = {"frouros": "+", "capymoa": "1"}
"""Marks of libraries whose detectors go without names, as they are many."""


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write all of them; return where."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update(
        {
            "svg.hashsalt": "driftline",  # the same figures give the same file
            "svg.fonttype": "none",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.constrained_layout.use": True,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        "run-length-calibrated": _calibrated(rows),
        "run-length-defaults": _defaults(rows),
        "delay-errors": _against_limit(rows, "errors", Change("Bernoulli(0.2)", 0.1)),
        "delay-features": _against_limit(rows, "numbers", Change("normal", 0.5)),
        "delay-by-size": _by_size(rows),
    }
    written = []
    for name, figure in found.items():
        path = folder / f"{name}.svg"
        figure.savefig(path, metadata={"Date": None})
        written.append(path)
    return written


def _axes(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(width, height))
    FigureCanvasSVG(figure)
    return figure, figure.subplots()


def _plain(axes: Any) -> None:
    """Delays as one writes them, not as powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _calibrated(rows: Sequence[Row]) -> Any:
    """Measured over stated run length of each of our detectors, stream by stream."""
    own = [row for row in rows if row.contender.stated is not None and row.run_lengths]
    figure, axes = _axes(8, 1 + 0.24 * len(own))
    axes.axvspan(*_GOAL, color=_GOOD, zorder=0)
    axes.axvline(1.0, color=_GREY, linewidth=0.8)
    laws = list(dict.fromkeys(key for row in own for key in row.run_lengths))
    for number, (law, features) in enumerate(laws):
        label = law if features == 1 else f"{law}, {features} features"
        height = 0.6 * (number / max(1, len(laws) - 1) - 0.5)
        for place, row in enumerate(own):
            measured, stated = row.run_lengths.get((law, features)), row.contender.stated
            if measured is None or stated is None:
                continue
            at = measured.run_length / stated
            ends = [[at - measured.low / stated], [(measured.high or measured.run_length) / stated - at]]
            kind = {"marker": "o" if measured.alarms else ">", "color": _STRIPES[number % len(_STRIPES)]}
            axes.errorbar([at], [place + height], xerr=ends, markersize=3, linewidth=0.8, label=label, **kind)
            label = "_" + label.lstrip("_")
    axes.set_yticks(
        range(len(own)), [f"{row.contender.kind} ({row.watched}), {row.contender.stated:,.0f}" for row in own]
    )
    axes.set_ylim(len(own) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set_xlabel("measured over stated run length (bars: 95%; arrows: no alarm at all; band: 0.8 to 1.5)")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=7)
    return figure


def _defaults(rows: Sequence[Row]) -> Any:
    """Run lengths of all detectors as they come."""
    own = [
        (row, measured)
        for row in rows
        if row.contender.stated is None
        and row.contender.library != "baseline"
        and row.watched in {"errors", "numbers"}
        and (measured := row.usual())
    ]
    own.sort(key=lambda pair: (pair[0].watched, pair[1].run_length))
    figure, axes = _axes(8, 1 + 0.17 * len(own))
    for place, (row, measured) in enumerate(own):
        colour = _STRIPES[0] if row.contender.ours else _GREY
        axes.plot([1, measured.run_length], [place, place], color=colour, linewidth=0.6)
        axes.plot([measured.run_length], [place], marker="o" if measured.alarms else ">", color=colour, markersize=4)
    axes.set_yticks(range(len(own)), [f"{row.contender.name} ({row.watched})" for row, _ in own], fontsize=7)
    axes.set_xscale("log")
    axes.set_xlim(left=10)
    axes.margins(y=0.01)
    axes.set_xlabel("events per false alarm at defaults, where nothing changes (arrows: no alarm at all)")
    return figure


def _against_limit(rows: Sequence[Row], watched: str, change: Change) -> Any:
    """Delay against run length: what a detector takes for what it promises, and the least that is possible."""
    figure, axes = _axes(8, 5)
    own = [row for row in rows if row.watched == watched and row.contender.library != "baseline" and row.length_for(1)]
    points: dict[str, list[tuple[float, float]]] = {}
    for row in own:
        length, delay = row.length_for(1) or 0.0, row.delays.get((change, 1))
        if delay is None or delay.mean is None or delay.early or delay.missed > delay.runs / 10:
            continue
        if row.contender.stated is not None:
            points.setdefault(row.contender.kind, []).append((length, delay.mean))
        elif not row.contender.ours:
            library = row.contender.library
            axes.plot([length], [delay.mean], marker=_RIVALS.get(library, "x"), color=_GREY, markersize=5, linewidth=0)
            if library not in _RIVALS:
                axes.annotate(f"  {row.contender.kind}", (length, delay.mean), color=_GREY, fontsize=6)
    for number, (kind, pairs) in enumerate(sorted(points.items())):
        colour = _STRIPES[number % len(_STRIPES)]
        axes.plot(*zip(*sorted(pairs), strict=True), marker="o", markersize=4, color=colour, label=kind, linewidth=0.8)
    for library, mark in {"River, SciPy": "x", "Frouros": "+", "CapyMOA": "1"}.items():
        axes.plot([], [], marker=mark, color=_GREY, linewidth=0, label=library)
    lengths = np.geomspace(500, 1e6, 50)
    axes.plot(lengths, [change.limit(length) for length in lengths], color=_LIMIT, label="limit")
    told = [best(change, length) for length in lengths]
    axes.plot(lengths, told, color=_LIMIT, linestyle="--", linewidth=0.8, label="best, told both distributions")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(500, 2e6)
    axes.set_xlabel("events per false alarm (measured)")
    axes.set_ylabel(f"mean delay in events: {change.name}")
    _plain(axes)
    axes.legend(frameon=False, fontsize=7, ncols=2)
    return figure


def _by_size(rows: Sequence[Row]) -> Any:
    """Delay by the size of the change, of data detectors calibrated to the longest run length."""
    from matplotlib.ticker import NullLocator

    figure, axes = _axes(8, 4)
    sizes = (0.25, 0.5, 1.0)
    changes = [Change("normal", size) for size in sizes]
    calibrated = [row for row in rows if row.watched == "numbers" and row.contender.stated is not None]
    longest = max((row.contender.stated or 0.0 for row in calibrated), default=0.0)
    own = [row for row in calibrated if row.contender.stated == longest]
    for number, row in enumerate(own):
        found = [row.delays.get((change, 1)) for change in changes]
        pairs = [(s, d.mean) for s, d in zip(sizes, found, strict=True) if d and d.mean and d.missed <= d.runs / 10]
        if pairs:
            colour = _STRIPES[number % len(_STRIPES)]
            axes.plot(*zip(*pairs, strict=True), marker="o", color=colour, label=row.contender.kind, linewidth=0.8)
    if longest:
        finer = np.geomspace(0.2, 1.2, 40)
        limits = [Change("normal", size).limit(longest) for size in finer]
        axes.plot(finer, limits, color=_LIMIT, label="limit")
        told = [best(Change("normal", size), longest) for size in finer]
        axes.plot(finer, told, color=_LIMIT, linestyle="--", linewidth=0.8, label="best, told both distributions")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    _plain(axes)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("move of the mean, in standard deviations")
    axes.set_ylabel(f"mean delay in events, at a run length of {longest:,.0f}")
    axes.legend(frameon=False, fontsize=7, ncols=2)
    return figure
