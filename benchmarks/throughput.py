"""Throughput: River's bare loop, the engine alone, the service over a real Kafka, and a rival; all in one run.

    python benchmarks/throughput.py                                   # all of it, half an hour
    python benchmarks/throughput.py --model Logistic --only confluent --rounds 1
    python benchmarks/throughput.py --list                            # what there is to choose from
    python benchmarks/throughput.py --model Logistic --only exactly_once --profile

Ten numeric features, KS on all of them, ADWIN on the errors; a hundred events come, then their hundred labels. Every
figure is events per second from the moment a fifth of the backlog is done until all is. Services run in processes of
their own, one partition, one worker, with `merge.slack` a hundred events long and all else by default. Machines are
noisy, so only ratios mean much: that to River's bare predict-then-learn loop, timed right before and right after, and
that to the rival on the same broker and stream (see benchmarks/README.md on how to install it). Figures are medians
over the rounds.
"""

from __future__ import annotations

import argparse
import pstats
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.engines import spans
from bench.engines import speed as engine_speed
from bench.models import MODELS, bare, configuration, rows
from bench.place import Ends, Place, Stream
from bench.running import Running, Worker, speed

RIVAL = Path(__file__).parent / "rivals" / "quix_river.py"
RIVAL_PYTHON = Path(__file__).parents[1] / ".venv-rival" / "bin" / "python"
BESIDE = "commits, beside"
STAGES = ("poll and rest", "decode", "engine", "produce", BESIDE)


class Way(NamedTuple):
    """One way of having a model predict and learn."""

    what: str
    delivery: str = ""
    client: str = ""
    inline: bool = False

    @property
    def name(self) -> str:
        """Its row in the table."""
        parts = (self.what, self.client, self.delivery, "inline" if self.inline else "")
        return ", ".join(part for part in parts if part)


ENGINE, SERVICE, QUIX = "engine", "service", "Quix Streams"
DELIVERIES = ("exactly_once", "at_least_once")
WAYS = [
    Way(ENGINE),
    Way(ENGINE, inline=True),
    *(Way(SERVICE, delivery, client) for client in ("confluent", "kafka-python") for delivery in DELIVERIES),
    *(Way(QUIX, delivery) for delivery in DELIVERIES),
    *(Way(SERVICE, delivery, "confluent", inline=True) for delivery in DELIVERIES),
    *(Way(QUIX, delivery, inline=True) for delivery in DELIVERIES),
]


class Bench:
    """Measures one model after the other, in the ways that were chosen."""

    def __init__(self, options: argparse.Namespace, ways: list[Way], place: Place, console: Console) -> None:
        self._options = options
        self._ways = ways
        self._place = place
        self._console = console
        self._stages: dict[Way, dict[str, float]] = {}
        self._streams: dict[tuple[int, str], Stream] = {}

    def model(self, name: str, progress: Progress) -> None:
        """Measure a model and print what came of it."""
        model = MODELS[name]
        xs, ys = rows(model.events)
        speeds: dict[Way, list[tuple[float, float]]] = defaultdict(list)
        task = progress.add_task(name, total=self._options.rounds * len(self._ways))
        for _ in range(self._options.rounds):
            before = bare(model.make(), xs, ys)
            for way in self._ways:
                if way.what == ENGINE:
                    config = configuration(model.learner, inline=way.inline)
                    reached = engine_speed(config, spans(xs, ys, inline=way.inline))
                elif way.what == SERVICE:
                    reached = self._service(name, way)
                else:
                    reached = self._rival(name, way)
                after = bare(model.make(), xs, ys)
                speeds[way].append((reached, mean((before, after))))
                before = after
                progress.advance(task)
        self._tell(name, speeds)

    def _stream(self, events: int, kind: str) -> Stream:
        if (events, kind) not in self._streams:
            self._streams[events, kind] = self._place.fill(*rows(events), kind=kind)
        return self._streams[events, kind]

    def _service(self, name: str, way: Way) -> float:
        model = MODELS[name]
        stream = self._stream(model.events, "inline" if way.inline else "two topics")
        config = self._place.service(model.learner, stream, way.client, way.delivery)
        with TemporaryDirectory() as folder:
            profile = Path(folder) / "profile" if self._options.profile else None
            with Worker(self._place, config, profile) as worker, self._ends(config.topics.predictions) as ends:
                reached = speed(worker, ends, stream.n)
                stages = worker.stages()
                worker.stop()
            if profile is not None:
                self._console.print(f"[bold]{name}: {way.name}")
                pstats.Stats(str(profile), stream=self._console.file).sort_stats("tottime").print_stats(30)
        micros = {stage: 1e6 * seconds / stream.n for stage, seconds in stages.items()}
        beside = micros.pop("commit")
        self._stages[way] = {"poll and rest": 1e6 / reached - sum(micros.values()), **micros, BESIDE: beside}
        self._place.delete([config.topics.predictions])
        return reached

    def _rival(self, name: str, way: Way) -> float:
        stream = self._stream(MODELS[name].events, "inline" if way.inline else "mixed")
        target = self._place.name("quix")
        self._place.create({target: 1})
        guarantee = way.delivery.replace("_", "-")
        command = [self._options.rival, str(RIVAL), self._place.address, stream.events, target, target, name, guarantee]
        with Running(command) as rival, self._ends(target) as ends:
            reached = speed(rival, ends, stream.n)
            rival.stop()
        self._place.delete([target])
        return reached

    def _ends(self, topic: str) -> Ends:
        return Ends(self._place.address, topic, 1)

    def _tell(self, name: str, speeds: dict[Way, list[tuple[float, float]]]) -> None:
        table = Table("what", title=f"{name}: throughput of one process")
        for head in ("events/s", "of bare River", f"of {QUIX}"):
            table.add_column(head, justify="right")
        costs = Table("what", title=f"{name}: a worker's time, in microseconds per event and its label")
        for head in STAGES:
            costs.add_column(head, justify="right")
        for way in self._ways:
            pairs = speeds[way]
            ratio = median(reached / base for reached, base in pairs)
            theirs = speeds.get(Way(QUIX, way.delivery, inline=way.inline)) if way.what == SERVICE else None
            beside = median(ours / other for (ours, _), (other, _) in zip(pairs, theirs, strict=True)) if theirs else 0
            reached = median(reached for reached, _ in pairs)
            table.add_row(way.name, f"{reached:,.0f}", f"{ratio:.2f}x", f"{beside:.2f}x" if beside else "")
            if way in self._stages:
                costs.add_row(way.name, *(f"{self._stages[way][stage]:.1f}" for stage in STAGES))
        base = median(base for pairs in speeds.values() for _, base in pairs)
        table.add_row("River's bare loop", f"{base:,.0f}", "1x", "")
        self._console.print(table)
        if costs.row_count:
            self._console.print(costs)
        self._stages.clear()


def chosen(options: argparse.Namespace) -> tuple[list[str], list[Way]]:
    """The models and ways that the options name. All but inline labels when they name none."""
    models = [name for name in MODELS if not options.model or any(part in name for part in options.model)]
    if options.only:
        return models, [way for way in WAYS if any(part in way.name for part in options.only)]
    return models, [way for way in WAYS if way.what == ENGINE or not way.inline]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Throughput of the engine and the service against bare River.")
    parser.add_argument("--model", action="append", help="only models whose name holds this; may be repeated")
    parser.add_argument("--only", action="append", help="only ways whose name holds this; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the names of models and ways, and end")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median is printed")
    parser.add_argument("--profile", action="store_true", help="print where the service's time goes, by function")
    parser.add_argument("--rival", default=str(RIVAL_PYTHON), help="Python that has requirements/bench.txt installed")
    options = parser.parse_args()
    console = Console()
    if options.list:
        console.print("\n".join([*MODELS, "", *(way.name for way in WAYS)]))
        return
    models, ways = chosen(options)
    if not (models and ways):
        sys.exit("Nothing is left to measure; --list tells the names of models and ways.")
    if not Path(options.rival).exists() and any(way.what == QUIX for way in ways):
        console.print(f"[yellow]No rival: there is no {options.rival}; benchmarks/README.md tells how to install it.")
        ways = [way for way in ways if way.what != QUIX]
    with Place() as place, Progress(console=console) as progress:
        bench = Bench(options, ways, place, console)
        for name in models:
            bench.model(name, progress)


if __name__ == "__main__":
    main()
