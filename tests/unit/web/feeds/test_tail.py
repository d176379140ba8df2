"""Following a topic while its broker comes and goes: what is tried again, from where, and what is said meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest
from structlog.testing import capture_logs

from stream.errors import BrokerError
from stream.kafka.client import Partition
from stream.kafka.reader import Start
from stream.records import RawRecord
from stream.testing import Raw, small_config
from stream.web.feeds import tail as module
from stream.web.feeds.tail import Standing, Tail

Step = Sequence[RawRecord] | BrokerError

GONE = BrokerError("nobody is there")


class Script:
    """What readers find, one step a poll, the same for each that is made. The last step ends the tail."""

    def __init__(self, steps: Sequence[Step], pings: Sequence[BrokerError | None] = (), unopened: int = 0) -> None:
        self.steps = iter(steps)
        self.pings = iter(pings)
        self.unopened = unopened
        self.starts: list[object] = []
        self.standings: list[Standing] = []
        self.end: Callable[[], None] = lambda: None

    def open(self, config: object, topics: Sequence[str], start: Start, fetch_wait_ms: int) -> _Reader:
        self.starts.append(start if isinstance(start, int | str) else dict(start))
        if self.unopened:
            self.unopened -= 1
            raise GONE
        return _Reader(self, {("t", 0): 0} if isinstance(start, int | str) else dict(start))


class _Reader:
    def __init__(self, script: Script, following: dict[Partition, int]) -> None:
        self.found: dict[Partition, int] = {("t", 0): 0}
        self.next = following
        self._script = script

    def poll(self, timeout: float) -> Sequence[RawRecord]:
        step = next(self._script.steps, None)
        if step is None:
            self._script.end()
            return []
        if isinstance(step, BrokerError):
            raise step
        if step:
            self.next["t", 0] = step[-1].offset + 1
        return step

    def ping(self, timeout: float) -> None:
        error = next(self._script.pings, None)
        if error is not None:
            raise error

    def has_reached(self, ends: object) -> bool:
        return True

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses; every poll without a record is a long silence."""
    for name in ("FIRST_RETRY", "LAST_RETRY"):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr(module, "_QUIET_SECONDS", -1.0)


def followed(script: Script, monkeypatch: pytest.MonkeyPatch, *, patience: float = 60.0) -> list[int]:
    """The offsets that a tail hands over until the script is at its end."""
    monkeypatch.setattr(module, "Reader", script.open)
    monkeypatch.setattr(module, "_PATIENCE_SECONDS", patience)
    taken: list[int] = []
    made = Tail(small_config().kafka, "t", 5, lambda records: taken.extend(one.offset for one in records))
    done = threading.Event()

    def end() -> None:
        script.standings.append(made.standing)
        made.end()
        done.set()

    script.end = end
    made.start()
    assert done.wait(20.0)
    made.stop()
    return taken


def records(*offsets: int) -> list[RawRecord]:
    return [Raw(b"", topic="t", offset=offset) for offset in offsets]


def test_a_reader_that_fails_is_followed_by_one_that_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([records(0, 1), GONE, records(2), GONE, GONE, records(3)])

    assert followed(script, monkeypatch) == [0, 1, 2, 3]
    assert script.starts == [5, {("t", 0): 2}, {("t", 0): 3}, {("t", 0): 3}]


def test_a_broker_that_is_not_there_is_tried_again_from_the_same_start(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([records(0)], unopened=2)

    assert followed(script, monkeypatch) == [0]
    assert script.starts == [5, 5, 5]


def test_a_client_that_finds_its_way_back_is_not_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([records(0), [], [], records(1)], pings=[GONE, GONE])

    assert followed(script, monkeypatch) == [0, 1]
    assert script.starts == [5]


def test_a_client_that_has_not_found_its_way_back_for_long_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([records(0), [], records(1)], pings=[GONE])

    assert followed(script, monkeypatch, patience=-1.0) == [0, 1]
    assert script.starts == [5, {("t", 0): 1}]


def test_going_away_and_coming_back_are_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        script = Script([records(0), GONE, [], [], [], records(1)], pings=[GONE, GONE, None], unopened=2)
        followed(script, monkeypatch)

    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("tail_lost", "warning"),
        ("tail_lost", "warning"),
        ("tail_back", "info"),
        ("tail_lost", "warning"),
        ("tail_back", "info"),
    ]


def test_what_is_wrong_is_said_while_it_is_and_when_the_broker_was_heard_last(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script([records(0), []], pings=[GONE, GONE, GONE])
    followed(script, monkeypatch)
    (away,) = script.standings
    healthy = Script([records(0)])
    followed(healthy, monkeypatch)

    assert away.trouble == "nobody is there"
    assert away.heard is not None
    assert healthy.standings[0].trouble is None
