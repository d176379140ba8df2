"""What `driftline check` says of a false-alarm budget."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from stream.cli.commands import app

FILE = """\
app: shop
topics: {events: e, labels: l, predictions: p, alerts: a, dead_letters: d}
events:
  features:
    amount: {type: number}
    age: {type: number}
    country: {type: category}
model: {name: m, problem: binary, learner: {kind: logistic}}
detectors:
  concept:
    - {kind: e_detector, segments: {by: country, most: 3}}
    - {kind: page_hinkley, run_length: 50000}
  data: [{kind: ks}, {kind: ks, name: all, features: [amount, age]}, {kind: chi_squared}]
  prediction: [{kind: conformal}]
  rejected: null
"""


def said(folder: Path, text: str) -> list[str]:
    """The lines after the first, each with its columns two spaces apart."""
    path = folder / "service.yaml"
    path.write_text(text)
    result = CliRunner().invoke(app, ["check", "-c", str(path)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("OK ")
    return ["  ".join(cell.strip() for cell in line.split("  ") if cell.strip()) for line in lines[1:]]


def test_check_says_what_a_budget_comes_to(tmp_path: Path) -> None:
    budget = "alarms: {expected_events_per_false_alarm: 1_000_000, weights: {ks/age: 3}}\n"

    heading, _, *rows = said(tmp_path, FILE + budget)

    assert heading == "Budget: one false alarm in 1,000,000 events, over 7 streams of values:"
    assert rows[0] == "e_detector  errors, by country (up to 5 segments)  5,000,000  statistic 1e+07"
    assert rows[1] == "page_hinkley  errors  50,000  what the values make of it  outside the budget"
    assert [row.split("  ")[:3] for row in rows[2:5]] == [
        ["ks", "amount", "20,000,000"],
        ["ks", "age", "6,666,667"],
        ["all", "amount, age", "10,000,000"],
    ]
    assert all("  statistic 0.1" in row for row in rows[2:5])
    assert rows[6] == "conformal  score of predictions  5,000,000  statistic 1e+07"


def test_check_says_how_many_alarms_a_week_that_is(tmp_path: Path) -> None:
    budget = "alarms: {false_alarms_per_week: 2, expected_events_per_second: 20}\n"

    assert said(tmp_path, FILE + budget)[0] == (
        "Budget: one false alarm in 6,048,000 events, 2 a week, over 7 streams of values:"
    )


def test_check_says_that_there_is_no_budget(tmp_path: Path) -> None:
    heading, _, *rows = said(tmp_path, FILE)

    assert heading == "No false-alarm budget (alarms): each detector is as its own section says."
    assert rows[0] == "e_detector  errors, by country (up to 5 segments)  100,000  statistic 2e+05"
    assert "outside the budget" not in "".join(rows)
