"""Work that is spread over processes."""

from __future__ import annotations

import math

import pytest

from bench.processes import spread


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_task_is_done_once_in_however_many_processes(jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")

    assert sorted(spread(math.sqrt, [1, 4, 9], jobs)) == [1.0, 2.0, 3.0]
