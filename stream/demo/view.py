"""The live view: the picture of a run on one screen, from 40 by 12 characters up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from stream.demo.metrics import Scores
from stream.demo.picture import Picture
from stream.demo.place import Where
from stream.readable import STYLES, change_of, evidence_of, kind_of, others_of, progress_of, subject_of, words
from stream.records import Alert

METRICS: Final = {"log_loss": "log loss", "roc_auc": "ROC AUC", "accuracy": "accuracy", "f1": "F1"}
"""The scores that are shown, with their names."""

SMALLER_IS_BETTER: Final = frozenset({"log_loss", "brier", "mean_loss"})
CHAMPION: Final = "champion"

_TITLE = "flights from New York in 2013: 15 or more minutes late?"
_BLOCKS = "▁▂▃▄▅▆▇█"
_CELL = 26
_SUBJECT = 22
_ROOMY = 34
"""Height from which sections are set apart by empty lines."""


@dataclass(frozen=True)
class _Section:
    head: Text
    body: list[Text]

    def __len__(self) -> int:
        return 1 + len(self.body)


class View:
    """Draws a picture in the size that the terminal has at that moment."""

    def __init__(self, picture: Picture, where: Where) -> None:
        self._picture = picture
        self._where = where

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or console.height
        for line in self.lines(options.max_width, height):
            line.no_wrap, line.overflow, line.end = True, "ellipsis", "\n"
            yield line

    def lines(self, width: int, height: int) -> list[Text]:
        """All lines, none wider than `width` when truncated, as many as fit `height`."""
        top = [self._title(width), self._progress(width)]
        sections = self._fitting(width, height - len(top))
        gap = [Text("")] if height >= _ROOMY else []
        lines = list(top)
        for section in sections:
            lines += [*gap, section.head, *section.body]
        return lines[:height]

    # parts

    def _title(self, width: int) -> Text:
        title = Text("Driftline", style="bold cyan")
        title.append(f"  {_TITLE}", "bold default")
        return _spread(title, Text("Ctrl-C ends", "dim"), width)

    def _progress(self, width: int) -> Text:
        picture = self._picture
        date = (
            Text(_day(picture.position), "bold")
            if picture.position is not None
            else Text("waiting for the first event")
        )
        done = picture.progress
        minutes, seconds = divmod(int(picture.seconds), 60)
        right = Text(f" {done:6.1%}  {minutes}:{seconds:02}")
        room = max(0, width - len(date) - len(right) - 2)
        full = round(room * done)
        return Text.assemble(date, "  ", ("━" * full, "cyan"), ("━" * (room - full), "grey37"), right)

    def _fitting(self, width: int, height: int) -> list[_Section]:
        """The sections that have room, the alerts with all that is left. What matters least goes first."""
        stream, scores = self._stream(width), self._scores(width)
        model, look = self._model(4 if height >= _ROOMY else 1, width), self._look(width)
        gaps = 5 if height >= _ROOMY else 0
        least = 1 + 3
        for sections in ([stream, scores, model, look], [stream, scores, model], [stream, scores], [stream], []):
            room = height - gaps - sum(map(len, sections))
            if room >= least:
                alerts = self._alerts(room - 1, width)
                place = sections.index(look) if look in sections else len(sections)
                return [*sections[:place], alerts, *sections[place:]]
        return []

    def _stream(self, width: int) -> _Section:
        picture, metrics, rates = self._picture, self._picture.metrics, self._picture.rates
        ended = metrics.records

        def flow(name: str, rate: float, n: int) -> Text:
            return Text.assemble((f"{name:<11}", "dim"), (f"{rate:>6,.0f}/s", "bold"), f"{n:>9,}")

        def count(name: str, n: int, style: str = "") -> Text:
            return Text.assemble((f"{name:<13}", "dim"), (f"{n:>8,}", style))

        duplicates = ended.get(("events", "duplicate"), 0) + ended.get(("labels", "duplicate"), 0)
        dead = ended.get(("events", "dead_lettered"), 0) + ended.get(("labels", "dead_lettered"), 0)
        cells = [
            flow("events", rates.events, picture.events),
            count("lag", sum(metrics.lag.values())),
            count("labels joined", ended.get(("labels", "joined"), 0)),
            flow("predictions", rates.predictions, picture.read),
            count("duplicates", duplicates),
            count("still waiting", metrics.pending),
            flow("labels", rates.labels, picture.labels),
            count("dead letters", dead, "bold red" if dead else ""),
            count("never came", metrics.expired),
        ]
        return _Section(_head("stream", "records on Kafka", width), list(_grid(cells, width)))

    def _scores(self, width: int) -> _Section:
        picture = self._picture
        scores = picture.metrics.scores
        sources = [CHAMPION, *(source for source in scores if source != CHAMPION)]
        if width < _CELL * 2:
            sources = sources[:2]
        columns = [max(9, len(source)) + 2 for source in sources]
        chart = width - 10 - sum(columns) - 3
        names = Text(" " * 10)
        for source, column in zip(sources, columns, strict=True):
            names.append(f"{words(source):>{column}}", "bold" if source == CHAMPION else "dim")
        if chart >= 10 and len(picture.history) > 1:
            names.append("   champion so far", "dim")
        body = [names]
        for metric, name in METRICS.items():
            line = Text(f"{name:<10}", "dim")
            for source, column in zip(sources, columns, strict=True):
                value = scores.get(source, {}).get(metric)
                style = _verdict(scores, metric) if source == CHAMPION else ""
                line.append(" " * column if value is None else f"{value:>{column}.4f}", style or "default")
            if chart >= 10:
                line.append("   ").append(_sparkline(_history(picture.history, metric), chart), "cyan")
            body.append(line)
        return _Section(_head("scores", "each label is scored before it is learned from", width), body)

    def _model(self, most: int, width: int) -> _Section:
        metrics, picture = self._picture.metrics, self._picture
        facts = [
            self._where.model,
            f"version {metrics.version}",
            metrics.recipe,
            f"{metrics.model_bytes / 1000:.0f} kB",
        ]
        if picture.latency is not None:
            facts.append(f"99% within {picture.latency * 1000:g} ms")
        body = [
            Text.assemble(f"{_day(swap.ts, short=True)}  ", (_swap(swap), STYLES[swap.kind]))
            for swap in reversed(picture.swaps[-most:])
        ]
        if not body:
            note = "no swap so far" if metrics.version else "the service is starting"
            if picture.challenged is not None:
                note += f"; the newest challenger began to learn on {_day(picture.challenged.ts, short=True)}"
            body = [Text(note, "dim")]
        return _Section(_head("model", ", ".join(facts) if metrics.version else "", width), body)

    def _alerts(self, most: int, width: int) -> _Section:
        counts = ", ".join(f"{n:,} {words(kind)}" for kind, n in self._picture.kinds.most_common())
        newest = list(self._picture.alerts)[: -most - 1 : -1]
        body = [_alert(alert, width) for alert in newest] or [Text("none yet", "dim")]
        return _Section(_head("alerts", counts, width), body + [Text("")] * (most - len(body)))

    def _look(self, width: int) -> _Section:
        where = self._where
        body = [
            Text(f". {where.env}; driftline alerts tail -c $DEMO"),
            Text(f"driftline models list -c $DEMO     in a browser: {where.page_url}"),
            Text(f"Kafka {where.kafka}     Redis {where.redis}"),
        ]
        return _Section(_head("in another terminal", f"log in {where.log}", width), body)


def _head(name: str, said: str, width: int) -> Text:
    head = Text.assemble(("─ ", "grey37"), (name, "bold"), f"  {said} " if said else " ")
    return head.append("─" * max(0, width - len(head)), "grey37")


def _grid(cells: Sequence[Text], width: int) -> Iterator[Text]:
    """The cells row by row in three columns, or in fewer where they have no room."""
    for columns in (3, 2, 1):
        widths = [max(map(len, cells[column::columns])) for column in range(columns)]
        gap = min(12, (width - sum(widths)) // (columns - 1)) if columns > 1 else 0
        if columns == 1 or gap >= 2:
            break
    for start in range(0, len(cells), columns):
        line = Text()
        for cell, room in zip(cells[start : start + columns], widths, strict=False):
            line.append_text(cell).append(" " * (room - len(cell) + gap))
        line.rstrip()
        yield line


def _spread(left: Text, right: Text, width: int) -> Text:
    gap = width - len(left) - len(right)
    return left.append(" " * gap).append_text(right) if gap >= 2 else left


def _alert(alert: Alert, width: int) -> Text:
    """An alert with as much of it as has room: what matters least is left out first."""
    line = Text(f"{_day(alert.ts, short=True)}  ")
    line.append(f"{kind_of(alert):<14} ", STYLES.get(alert.kind, ""))
    subject, change = subject_of(alert), "  ".join(filter(None, (progress_of(alert), change_of(alert))))
    room = max(0, width - len(line) - 2 - len(change))
    if len(subject) > room:
        subject = subject.removesuffix(f" ({alert.detector})")
    line.append(subject.ljust(min(room, _SUBJECT)))
    action = "" if alert.action == "none" else words(alert.action)
    for part, style in (
        (change, "default"),
        (action, "cyan"),
        (others_of(alert), "default"),
        (evidence_of(alert), "dim"),
        (f"partition {alert.partition}", "dim"),
    ):
        if len(line) + 2 + len(part) > width:
            break
        if part:
            line.append(f"  {part}", style)
    line.rstrip()
    return line


def _swap(alert: Alert) -> str:
    return words(alert.detail or f"version {alert.model_version}")


def _verdict(scores: Scores, metric: str) -> str:
    """Green where the champion beats every baseline, red where it does not."""
    values = {source: found[metric] for source, found in scores.items() if metric in found}
    ours = values.pop(CHAMPION, None)
    if ours is None or not values:
        return ""
    better = ours < min(values.values()) if metric in SMALLER_IS_BETTER else ours > max(values.values())
    return "bold green" if better else "bold red"


def _history(history: Sequence[Scores], metric: str) -> list[float]:
    found = (scores.get(CHAMPION, {}).get(metric) for scores in history)
    return [value for value in found if value is not None]


def _sparkline(values: Sequence[float], width: int) -> str:
    """The values from the oldest to the newest as blocks from their least to their greatest, at most `width` wide."""
    if len(values) < 2:
        return ""
    n = min(width, len(values))
    edges = [round(i * len(values) / n) for i in range(n + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)


def _day(ts: float, short: bool = False) -> str:
    """In UTC, as the tails and the plain lines tell it."""
    when = datetime.fromtimestamp(ts, UTC)
    return f"{when:%d %b %H:%M}" if short else f"{when:%a %d %b %Y}"
