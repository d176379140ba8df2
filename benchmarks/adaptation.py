"""Is a challenger promoted when it is better, when it is not, and how soon: by ours, and by what is often done instead.

    python benchmarks/adaptation.py --quick             # one minute, 50 runs of each case
    python benchmarks/adaptation.py                     # ten minutes, 1,000 runs; interrupted, it goes on where it was
    python benchmarks/adaptation.py --write             # puts the tables into docs/adaptation.md

Each run compares two models, label by label, and looks every 50 labels: it ends with a promotion, or without one after
2,000 to 10,000. `duel` is ours (`stream/core/duel.py`) at an error probability of 1%, without a margin. `mean of 500`
asks for a mean loss over the last 500 labels that is smaller by 2%; `t-test` for a paired, one-sided test of all labels
so far at 1%.

For each: the share of runs that promoted; the share that promoted a model that was no better, by its expected loss
(which is known) on the events that come next: with late labels these are not those that were compared; and the labels
after which half of the runs had promoted. `better from` is the label from which the challenger is the better one.
`proof` is the median of the labels that a proof takes which is told the truth: Wald's sequential test, at the same
error probability, of the true law of the gaps at each label against the nearest law without a gap, begun when the
challenger gets better and looked at after each label. No test that holds for all laws can be much sooner.

Every run has a fixed seed. Results are kept in benchmarks/state/ under a digest of the code and versions behind them.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

from rich.console import Console

from bench.sheets import Sheet, write
from bench.store import Store
from duelling.cases import Case
from duelling.measured import RULES, half, shares
from duelling.plan import GROUPS
from duelling.rules import LOOK
from duelling.running import Found, measured

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adaptation.md"
STATE = ROOT / "benchmarks" / "state" / "adaptation.jsonl"
FULL, QUICK = 1_000, 50


def sheet(name: str, title: str, found: dict[Case, Found]) -> Sheet:
    """The table of some cases."""
    head = ["case", "better from", "proof"]
    for rule in RULES:
        head += [rule, "wrong", "labels"]
    return Sheet(name, title, tuple(head), [_row(case, of) for case, of in found.items()])


def _row(case: Case, found: Found) -> tuple[str, ...]:
    first = next((look * LOOK for look, bet in enumerate(found.bets) if bet > 0.0), math.inf)
    texts = [case.name, _labels(first), _labels(half([outcome.oracle for outcome in found.outcomes]))]
    for rule in range(len(RULES)):
        told = shares(found.outcomes, rule)
        texts += [f"{told.promoted:.1%}", f"{told.wrong:.1%}", _labels(told.labels)]
    return tuple(texts)


def _labels(number: float) -> str:
    return "never" if math.isinf(number) else f"{number:,.0f}"


def main() -> None:
    """Measure what is left, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=FULL, help="runs of each case")
    parser.add_argument("--quick", dest="runs", action="store_const", const=QUICK, help=f"the same as --runs {QUICK}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--fresh", action="store_true", help="forget the results of earlier runs")
    parser.add_argument("--write", action="store_true", help=f"put the tables into docs/{PAGE.name}")
    options = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 200)
    cases = [case for group in GROUPS.values() for case in group]
    try:
        found = measured(cases, options.runs, options.jobs, Store(STATE, fresh=options.fresh), console)
    except KeyboardInterrupt:
        sys.exit("Interrupted. The same command goes on from here.")
    sheets = [
        sheet(f"gate-{number}", f"{title} ({options.runs:,} runs each)", {case: found[case] for case in group})
        for number, (title, group) in enumerate(GROUPS.items(), start=1)
    ]
    for table in sheets:
        table.show(console)
    if options.write:
        write(sheets, PAGE)


if __name__ == "__main__":
    main()
