"""What came of a run, told at its end: accounts that add up, scores, and what was found when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from stream.demo.metrics import Metrics
from stream.demo.picture import Month, Picture
from stream.demo.view import CHAMPION, METRICS, SMALLER_IS_BETTER
from stream.readable import moment, words

_BRIER = "mean_loss"
_NAMES = 4
_FEATURES = 8
_WIDE = 120


def show(picture: Picture, console: Console) -> None:
    """Print the summary."""
    console.print()
    console.rule("[bold]What came of it[/]", align="left")
    for part in _parts(picture, wide=console.width >= _WIDE):
        console.print()
        console.print(part)
    console.print()


def _parts(picture: Picture, wide: bool) -> Iterator[RenderableType]:
    yield _pace(picture)
    if picture.reached:
        yield Text("\n").join(_accounts(picture))
    if picture.metrics.scores:
        yield _scores(picture)
    if picture.months:
        yield _months(picture, wide)
    if drifted := sum((month.features for month in picture.months.values()), Counter()):
        yield Text.assemble(("Alerts by feature  ", "bold"), _features(drifted))
    if picture.predictions:
        yield _swaps(picture)


def _pace(picture: Picture) -> Text:
    seconds = picture.seconds
    rate = picture.predictions / seconds if seconds else 0.0
    minutes, rest = divmod(round(seconds), 60)
    taken = f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
    text = Text.assemble((f"{picture.predictions:,} flights", "bold"), " predicted in ", (taken, "bold"))
    text.append(f": {rate:,.0f} a second, each once through Kafka as event, prediction and, if it landed, label.")
    return text


def _accounts(picture: Picture) -> Iterator[Text]:
    """Every record in exactly one place, and the sums."""
    metrics = picture.metrics
    yield _account("events", picture.events, _outcomes(metrics, "events", picture.untaken("events")))
    labels = {**_outcomes(metrics, "labels", picture.untaken("labels")), "held for their event": metrics.held}
    yield _account("labels", picture.labels, labels)
    predicted = metrics.records.get(("events", "predicted"), 0)
    joined = metrics.records.get(("labels", "joined"), 0)
    waits = {"joined": joined, "still waiting": metrics.pending, "never got a label": metrics.expired}
    yield _account("predictions", predicted, waits)


def _outcomes(metrics: Metrics, topic: str, untaken: int) -> dict[str, int]:
    outcomes = {words(outcome): n for (name, outcome), n in metrics.records.items() if name == topic}
    return {**outcomes, "not taken yet": untaken}


def _account(name: str, total: int, parts: dict[str, int]) -> Text:
    line = Text.assemble((f"{name:<12}", "dim"), (f"{total:>9,}", "bold"), " = ")
    shown = [f"{n:,} {part}" for part, n in parts.items() if n] or ["nothing yet"]
    line.append(" + ".join(shown))
    if sum(parts.values()) != total:
        line.append(f"  ({total - sum(parts.values()):+,} unaccounted for)", "bold red")
    return line


def _scores(picture: Picture) -> Table:
    scores = picture.metrics.scores
    sources = [CHAMPION, *(source for source in scores if source != CHAMPION)]
    table = Table(title="Scores over the run", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("")
    for source in sources:
        table.add_column(words(source), justify="right")
    for metric, name in METRICS.items():
        values = [picture.average(source, metric) for source in sources]
        table.add_row(f"{name}, mean of the windows", *_marked(values, metric))
    table.add_row("Brier score, over every label", *_marked([scores[s].get(_BRIER) for s in sources], _BRIER))
    return table


def _marked(values: list[float | None], metric: str) -> list[Text]:
    known = [value for value in values if value is not None]
    best = (min(known) if metric in SMALLER_IS_BETTER else max(known)) if known else None
    return [
        Text("-") if value is None else Text(f"{value:.4f}", "bold green" if value == best else "") for value in values
    ]


def _months(picture: Picture, wide: bool) -> Table:
    baseline = next((source for source in picture.metrics.scores if source != CHAMPION), "")
    table = Table(title="By month", title_justify="left", title_style="bold", box=None, pad_edge=False)
    columns = ("flights", "late", "log loss", words(baseline), "ROC AUC", "swaps", "concept\ndrift", "data\ndrift")
    for column in ("", *columns):
        table.add_column(column, justify="right", no_wrap=True)
    if wide:
        table.add_column("features that drifted")
    for name, month in sorted(picture.months.items()):
        counts = (month.swaps, month.alerts["concept_drift"], month.alerts["data_drift"])
        table.add_row(
            f"{datetime.strptime(name, '%Y-%m'):%b}",  # noqa: DTZ007 - only its name is wanted
            f"{month.flights:,}",
            f"{month.late / month.labels:.1%}" if month.labels else "-",
            *(_score(month, source, "log_loss") for source in (CHAMPION, baseline)),
            _score(month, CHAMPION, "roc_auc"),
            *(str(n) if n else "-" for n in counts),
            *([_names(month.features)] if wide else []),
        )
    return table


def _score(month: Month, source: str, metric: str) -> str:
    value = month.score(source, metric)
    return "-" if value is None else f"{value:.3f}"


def _names(counts: Counter[str]) -> str:
    return ", ".join([name for name, _ in counts.most_common(_NAMES)] + _rest(counts, _NAMES))


def _features(counts: Counter[str]) -> str:
    return ", ".join([f"{name} {n}" for name, n in counts.most_common(_FEATURES)] + _rest(counts, _FEATURES))


def _rest(counts: Counter[str], shown: int) -> list[str]:
    return [f"{len(counts) - shown} more"] if len(counts) > shown else []


def _swaps(picture: Picture) -> Text:
    if not picture.swaps:
        return Text("The first model served throughout; no challenger beat it.")
    lines = [Text("Swaps of the serving model", "bold")]
    lines += [Text(f"{moment(swap.ts)}  {words(swap.detail or '')}") for swap in picture.swaps]
    return Text("\n").join(lines)
