"""Pickles that take more than they may are stopped in a process of their own: bounds at which that process ends."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from river.linear_model import LogisticRegression

from stream.errors import ModelError
from stream.quarantine import quarantined
from stream.testing import small_config

SKETCH_OF_66_GB = b"\x80\x04criver.sketch.counter\nCounter\n(G>\x01\x01\x01\x01\x01\x01\x01tR."
"""So large by the error that it may make."""

_RANGE = b"cbuiltins\nlist\n(cbuiltins\nrange\n(J\x00\x00\x00\x01tRtR"
"""A list of 2**24 numbers: 640 MB, and two seconds."""
BY_AND_BY = b"\x80\x04](" + 40 * _RANGE + b"e."
AGAIN_AND_AGAIN = b"\x80\x04" + 40 * (_RANGE + b"0") + b"N."


def refusal(data: bytes, **security: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        quarantined(small_config({"security": security}), data, "FILE")
    return caught.value


def test_a_model_that_runs_is_let_through() -> None:
    costs = {"true": {"false": 4}, "false": {"true": 1}}  # beside which a threshold may not be said, not even the usual
    config = small_config({"events": {"features": {"x": {"type": "number"}}}, "model": {"decision": {"costs": costs}}})
    quarantined(config, pickle.dumps(LogisticRegression()), "FILE")


@pytest.mark.parametrize("bomb", [SKETCH_OF_66_GB, BY_AND_BY], ids=["at once", "by and by"])
def test_a_pickle_that_asks_for_more_memory_than_it_may_is_refused(bomb: bytes) -> None:
    error = refusal(bomb, trial={"memory": 2**28})

    assert len(bomb) < 2000
    assert error.message == (
        "FILE: opening this model and trying it out takes more than 268,435,456 bytes of memory. Nothing was stored."
    )
    assert error.cure == "If you trust who made it, raise security.trial.memory."


def test_a_pickle_that_takes_longer_than_it_may_is_stopped() -> None:
    error = refusal(AGAIN_AND_AGAIN, trial={"time": "1s", "memory": 2**31})

    assert error.message == "FILE: opening this model and trying it out takes longer than 1s. Nothing was stored."


def test_what_is_no_model_is_refused_in_the_words_of_the_trial() -> None:
    error = refusal(pickle.dumps({"no": "model"}))

    assert error.message.startswith("FILE: a dict is no model")


def test_what_a_pickle_brings_along_sees_no_secret_and_writes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "brought_along.py"
    written = tmp_path / "written"
    module.write_text(
        "import os\n"
        "class Model:\n"
        "    def __setstate__(self, state):\n"
        f"        with open({str(written)!r}, 'w') as file:\n"
        "            try:\n"
        "                os.write(file.fileno(), b'here')\n"
        "            except OSError as error:\n"
        "                raise ValueError(f'it saw {os.environ.get(\"TOLD_TO_NOBODY\")}') from error\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TOLD_TO_NOBODY", "a secret")
    data = b"\x80\x04cbrought_along\nModel\n)\x81}b."

    error = refusal(data, modules=["brought_along"])

    assert "it saw None" in error.message
    assert written.read_bytes() == b""


def test_a_process_that_breaks_is_told_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "breaks.py"
    module.write_text("import os\nclass Model:\n    def __setstate__(self, state):\n        os.abort()\n")
    monkeypatch.syspath_prepend(tmp_path)

    error = refusal(b"\x80\x04cbreaks\nModel\n)\x81}b.", modules=["breaks"])

    assert error.message == "FILE: the process that tried this model out broke (it ended with -6)."
