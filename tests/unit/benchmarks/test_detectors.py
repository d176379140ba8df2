"""The benchmark of detectors: it goes on where it was, and its figures are what it says they are."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.sheets import Sheet, write
from bench.store import Store, digest
from detecting import cells
from detecting.cells import Cell, Cost, Delay, Result, RunLength
from detecting.command import main
from detecting.contenders import Contender
from detecting.figures import Delayed, Measured, Row, best
from detecting.keys import sources
from detecting.plan import STATIONARY
from detecting.streams import LAWS, Change, Values, blocks
from detecting.tables import sheets

ROOT = Path(__file__).parents[3]

Measurements = list[str]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measurements:
    """The cells that are measured, in turn."""
    found: Measurements = []
    measure = Cell.measure

    def noted(cell: Cell) -> Result:
        found.append(cell.key)
        return measure(cell)

    monkeypatch.setattr(Cell, "measure", noted)
    return found


def run(state: Path, *options: str) -> None:
    main(
        "", ["--size", "tiny", "--only", "driftline cusum .* on errors", "--jobs", "1", "--state", str(state), *options]
    )


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_second_run_measures_nothing_and_says_the_same(
    tmp_path: Path, measured: Measurements, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "state.jsonl")
    first, once = capsys.readouterr().out, len(measured)

    run(tmp_path / "state.jsonl")

    assert once > 5
    assert len(measured) == once
    assert first[first.index("errors: ") :] == (again := capsys.readouterr().out)[again.index("errors: ") :]
    assert "driftline cusum" in first


def test_an_interrupted_run_goes_on_with_what_is_left(tmp_path: Path, measured: Measurements) -> None:
    run(tmp_path / "whole.jsonl")
    whole = measured.copy()
    measured.clear()
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "state.jsonl").write_text("".join(lines[:3]) + lines[3][:20])

    run(tmp_path / "state.jsonl")

    assert measured == whole[3:]
    assert len(Store(tmp_path / "state.jsonl")) == len(whole)


def test_a_fresh_run_measures_all_anew(tmp_path: Path, measured: Measurements) -> None:
    run(tmp_path / "state.jsonl")
    once = len(measured)

    run(tmp_path / "state.jsonl", "--fresh")

    assert len(measured) == 2 * once


@pytest.mark.parametrize(("script", "told"), [("detectors", "--quick"), ("ks", "--rounds")])
def test_scripts_find_the_package_that_one_of_them_has_the_name_of(script: str, told: str) -> None:
    command = [sys.executable, f"benchmarks/{script}.py", "--help"]

    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})

    assert told in done.stdout


def test_processes_that_measure_cells_can_load_the_script() -> None:
    load = "import runpy; runpy.run_path('benchmarks/detectors.py', run_name='__mp_main__')"

    subprocess.run([sys.executable, "-c", load], check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})


def test_a_cell_has_another_key_if_anything_about_it_differs() -> None:
    cell = RunLength(Contender("river", "ADWIN"), 1, "normal", 1_000, 10)

    keys = {
        cell.key,
        RunLength(Contender("river", "ADWIN"), 1, "normal", 1_001, 10).key,
        RunLength(Contender("river", "KSWIN"), 1, "normal", 1_000, 10).key,
        RunLength(Contender("driftline", "adwin", 1e4), 1, "normal", 1_000, 10).key,
    }

    assert len(keys) == 4


def test_a_result_depends_on_the_code_of_its_detector_and_of_no_other() -> None:
    found = {path.name for path in sources("detectors.data.ks")}

    assert {"ks.py", "ks.json", "base.py", "windowed.py", "renewal.py"} <= found
    assert not {"psi.py", "cusum.py", "registry.py"} & found


def test_code_has_one_digest_wherever_it_lies(tmp_path: Path) -> None:
    """From a checkout the benchmark comes before the detectors; of an installed package it is the other way round."""
    checkout = (
        written(tmp_path / "benchmarks" / "cells.py", "a = 1"),
        written(tmp_path / "detectors" / "ks.py", "b = 2"),
    )
    installed = checkout[0], written(tmp_path / ".venv" / "detectors" / "ks.py", "b = 2")

    assert digest(checkout) == digest(checkout[::-1]) == digest(installed)


def test_other_code_has_another_digest(tmp_path: Path) -> None:
    one, other = written(tmp_path / "1.py", "a = 1"), written(tmp_path / "2.py", "a = 2")

    assert digest([one]) != digest([other])


def test_what_only_people_read_is_no_part_of_a_digest(tmp_path: Path) -> None:
    told = written(tmp_path / "told.py", '"""Says."""\ndef f() -> int:\n    """Counts."""\n    return 1  # one\n')
    bare = written(tmp_path / "bare.py", "def f() -> int:\n    return 1\n")

    assert digest([told]) == digest([bare])


def test_a_result_depends_on_the_libraries_that_take_part_and_on_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, rivals = Contender("driftline", "ks"), Contender("river", "ADWIN")
    alone = RunLength(ours, 1, "normal", 1_000, 10)
    beside_river = Cost(ours, 1, "normal"), RunLength(rivals, 1, "normal", 1_000, 10)
    before = alone.key, *(cell.key for cell in beside_river)

    monkeypatch.setattr(cells, "version", lambda library: f"the next {library}")

    assert alone.key == before[0]
    assert not {cell.key for cell in beside_river} & set(before)


def test_the_newest_line_of_a_cell_counts(tmp_path: Path) -> None:
    state = written(tmp_path / "state.jsonl", '{"key": "k", "alarms": 1}\n{"key": "k", "alarms": 2}\n')

    assert Store(state)["k"] == {"alarms": 2}


def test_the_always_alarming_has_a_run_length_of_one_and_no_delay() -> None:
    always, change = Contender("baseline", "always"), Change("normal", 0.5)

    lengths = RunLength(always, 1, "normal", 1_000, 100_000).measure()
    delays = Delay(always, 1, change, 3, 100, 100).measure()

    assert (lengths["events"], lengths["alarms"]) == (1_000, 1_000)
    assert delays == {"delays": [1, 1, 1], "early": [True, True, True]}


def test_the_never_alarming_misses_everything() -> None:
    never = Contender("baseline", "never")

    assert Delay(never, 1, Change("normal", 0.5), 2, 100, 300).measure()["delays"] == [None, None]


def test_a_calibrated_detector_is_given_new_streams_of_the_stated_length() -> None:
    result = RunLength(Contender("driftline", "e_detector", 1_000.0), 1, "Bernoulli(0.2)", 3_000, 99).measure()

    assert (result["events"], result["streams"]) == (3_000, 3)


def test_a_delay_counts_from_the_first_changed_event() -> None:
    """River's ADWIN looks every 32 values; a change this large shows at the first look."""
    delay = Delay(Contender("river", "ADWIN"), 1, Change("normal", 50.0), 1, 320, 200)

    assert delay.measure()["delays"] == [32]


@pytest.mark.parametrize(
    ("change", "information"),
    [
        (Change("Bernoulli(0.2)", 0.1), 0.3 * math.log(1.5) + 0.7 * math.log(0.7 / 0.8)),
        (Change("normal", 0.5), 0.125),
        (Change("normal, spread", 0.5), 0.625 - math.log(1.5)),
        (Change("normal, together", 0.8), -0.5 * math.log(0.36)),
    ],
    ids=lambda value: value.name if isinstance(value, Change) else "",
)
def test_the_limit_is_the_logarithm_of_the_run_length_over_the_information(change: Change, information: float) -> None:
    assert change.limit(1e5) == pytest.approx(math.log(1e5) / information)


def test_the_limit_of_a_gradual_change_is_reached_when_its_information_adds_up() -> None:
    change = Change("normal", 1.0, ramp=1_000)

    limit = change.limit(1e5)

    gained = np.cumsum((np.arange(1, 1_001) / 1_000) ** 2 / 2)
    assert gained[int(limit) - 2] < math.log(1e5) <= gained[int(limit) - 1]


def test_the_limit_of_a_long_run_length_lies_beyond_the_ramp() -> None:
    change = Change("normal", 0.1, ramp=10)

    assert change.limit(1e5) == pytest.approx(math.log(1e5) / 0.005 + 6.15, abs=0.01)


def test_the_best_delay_is_that_of_a_cusum_which_is_told_both_distributions() -> None:
    """Simulated, such a one on a move by half a deviation takes 49.7 events, at a run length of 11,000."""
    delay = best(Change("normal", 0.5), 1e4)

    assert delay == pytest.approx(49.1, abs=0.1)


@pytest.mark.parametrize("law", LAWS)
def test_a_stream_is_the_same_for_everyone(law: str) -> None:
    first = np.concatenate(list(blocks(law, 2, 500, (1, 2), 500)))

    assert first.shape[0] == 500
    assert np.array_equal(first, next(blocks(law, 2, 500, (1, 2), 500)), equal_nan=first.dtype == np.float64)


@pytest.mark.parametrize("law", ["normal", "normal, spread", "categories"])
def test_only_the_first_feature_changes(law: str) -> None:
    def make(moved: float) -> Values:
        return LAWS[law](np.random.default_rng(1), 3, 0.5).take(np.full(1_000, moved))

    same = (make(0.0) == make(1.0)).all(axis=0)

    assert same.tolist() == [False, True, True]


def test_the_confidence_of_a_run_length_is_that_of_a_poisson_count() -> None:
    measured = Measured(events=100_000, alarms=10)

    assert measured.run_length == 10_000
    assert measured.low == pytest.approx(100_000 / 18.39, rel=1e-3)
    assert measured.high == pytest.approx(100_000 / 4.795, rel=1e-3)


def test_no_alarm_at_all_leaves_only_a_lower_bound() -> None:
    measured = Measured(events=100_000, alarms=0)

    assert measured.low == pytest.approx(100_000 / 3.689, rel=1e-3)
    assert measured.high is None


def test_tables_are_written_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- one:begin -->\nold\n<!-- one:end -->\nafter\n")

    write([Sheet("one", "", ("what", "n"), [("|a|", "1")])], page)

    assert page.read_text() == (
        "before\n<!-- one:begin -->\n| what | n |\n| --- | ---: |\n| \\|a\\| | 1 |\n<!-- one:end -->\nafter\n"
    )


def test_the_page_has_a_place_for_every_table_and_for_no_other() -> None:
    page = (ROOT / "docs" / "detectors.md").read_text()
    rows = [Row(Contender("baseline", "never"), watched, {}, {}, None, None, None) for watched in STATIONARY]

    begins, ends = (re.findall(f"<!-- ([a-z-]+):{mark} -->", page) for mark in ("begin", "end"))

    assert begins == ends
    assert sorted(begins) == sorted(["limits", "made-with", *(sheet.name for sheet in sheets(rows))])


def test_columns_of_single_detectors_stand_in_the_order_in_which_these_come() -> None:
    special = [f"only {number}" for number in range(8)]
    changes = [Change("normal, texts", size / 100) for size in range(1, 9)]
    row = Row(
        Contender("driftline", "schema"),
        "numbers",
        {(law, 1): Measured(1_000, 10) for law in special},
        {(change, 1): Delayed(10, 0, 5.0, 5.0, early=False) for change in changes},
        *(None, None, None),
    )

    lengths, delays = sheets([row])

    assert list(lengths.head[2:-2]) == special
    assert list(delays.head[2:]) == [change.name for change in changes]


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing\n")

    with pytest.raises(ValueError, match="<!-- one:begin -->"):
        write([Sheet("one", "", ("what",), [])], page)
