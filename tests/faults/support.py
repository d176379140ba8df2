"""A stream whose concept flips, and what a service made of it in the end."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec import structs

from stream.basis import Basis
from stream.config.model import Config
from stream.config.trust import trust_of
from stream.core.fingerprint import fingerprint
from stream.embedded.ports import free_port
from stream.kafka.snapshots import Resumed, Snapshots
from stream.stores.opening import open_snapshots
from stream.telemetry import Telemetry
from tests.integration.support.running import Forked
from tests.integration.support.stage import Stage, event, label, merged, x_of
from tests.integration.support.waiting import until

FLIP = 1000
"""The event from which, usually, what was true is false: a drift that a challenger learns and wins."""


class Outcome(NamedTuple):
    """What subscribers have seen, and the state the tasks are in, by partition. Alerts are in order within theirs."""

    predictions: list[list[dict[str, Any]]]
    alerts: list[dict[str, Any]]
    tasks: list[dict[str, str]]


def assert_same(found: Outcome, expected: Outcome) -> None:
    """Nothing lost, nothing twice, nothing different; what differs first is told."""
    for ours, theirs in zip(found.predictions, expected.predictions, strict=True):
        assert [p["id"] for p in ours] == [p["id"] for p in theirs]
        assert next(((a, b) for a, b in zip(ours, theirs, strict=True) if a != b), None) is None
    assert found.alerts == expected.alerts
    for mine, other in zip(found.tasks, expected.tasks, strict=True):
        differing = [name for name in other if mine[name] != other[name]]
        assert not differing, f"these parts of the task's state differ: {differing}"


def fill(
    stage: Stage,
    first: int,
    end: int,
    *,
    partitions: int = 1,
    delay: float = 5.5,
    flip: int = FLIP,
    back: float = math.inf,
) -> None:
    """Events from number `first` up to `end`, and their labels, which come `delay` seconds after them. From `flip` up
    to `back` what was true is false.
    """
    numbers = range(first, end)
    stage.produce("events", [event(n, partition=n % partitions) for n in numbers])
    stage.produce(
        "labels",
        [label(n, (x_of(n) > 0) != (flip <= n < back), delay=delay, partition=n % partitions) for n in numbers],
    )


def undisturbed(stage: Stage, n: int) -> Outcome:
    """What comes of `n` events when nothing goes wrong."""
    fill(stage, 0, n)
    finish(stage, n)
    return outcome(stage)


def outcome(stage: Stage, partitions: int = 1) -> Outcome:
    """What came out, without what depends on the clock and on the names of topics."""
    seen = stage.read("predictions", at_least=stage.committed("events"))
    predictions: list[list[dict[str, Any]]] = [[] for _ in range(partitions)]
    for record in seen:
        predictions[record.json["partition"]].append({**record.json, "latency_ms": 0})
    alerts = sorted((record.json for record in stage.read("alerts")), key=itemgetter("partition"))
    drifts = dict.fromkeys(alert["incident"] for alert in alerts)
    numbers = {incident: number for number, incident in enumerate(drifts)}
    alerts = [{**alert, "id": "", "incident": numbers[alert["incident"]]} for alert in alerts]
    return Outcome(predictions, alerts, [state_of(stage.config, partition) for partition in range(partitions)])


def newest_snapshot(config: Config, partition: int) -> Resumed:
    """What a task would be resumed from."""
    trust, telemetry = trust_of(config.security), Telemetry(config.model.name)
    snapshots = Snapshots(Basis(config), open_snapshots(config), trust, telemetry)
    resumed = snapshots.load(partition)
    snapshots.close(1.0)
    assert resumed is not None, "there is no snapshot"
    return resumed


def state_of(config: Config, partition: int) -> dict[str, str]:
    """The fingerprint of each part of a task's newest snapshot, without the name of the service in alerts it keeps."""
    state = newest_snapshot(config, partition).state
    drifts, nameless = state.incidents, {"id": "", "incident": None}
    for incident in filter(None, (*drifts._open, drifts._last)):
        incident.alert = structs.replace(incident.alert, **nameless)
    drifts._found = [(structs.replace(alert, **nameless), position, rows) for alert, position, rows in drifts._found]
    return {name: fingerprint(part) for name, part in vars(state).items()} | {"": fingerprint(state)}


def another(stage: Stage, overrides: Mapping[str, Any] | None = None) -> Forked:
    """One more worker of a service, configured so, with an HTTP port of its own."""
    stage.configure(merged(overrides or {}, {"http": {"port": free_port()}}))
    return Forked(stage)


def committed(stage: Stage) -> tuple[int, int]:
    """Events and labels that are committed."""
    return stage.committed("events"), stage.committed("labels")


def wait_committed(stage: Stage, n: int, worker: Forked, timeout: float = 60.0) -> None:
    """Wait until `n` events and labels are committed."""
    until(lambda: committed(stage) == (n, n), timeout, lambda: f"{committed(stage)} are committed; {worker.log}")


def kill_at_random(stage: Stage, n: int, chance: random.Random, times: int) -> Iterator[int]:
    """Kill workers at random instants: one in three while it resumes, the others soon after their first commit.

    Yields how many of `n` events are committed then.
    """
    done = 0
    for _ in range(times):
        resuming = done == n or chance.random() < 1 / 3
        with Forked(stage) as worker:
            worker.wait_said("started")
            if not resuming:
                _wait_past(done, stage, worker)
            time.sleep(chance.uniform(0.0, 0.4 if resuming else 0.1))
            worker.kill()
        done = stage.committed("events")
        yield done


def _wait_past(done: int, stage: Stage, worker: Forked) -> None:
    """Wait until more than so many events are committed."""
    until(lambda: stage.committed("events") > done, 30.0, lambda: worker.log)


def killed_at(stage: Stage, fault: str) -> None:
    """Run a worker until a fault has killed it."""
    with Forked(stage, fault) as worker:
        assert worker.wait(60.0) == -9, f"{fault} was not passed; {worker.log}"


def finish(stage: Stage, n: int, *, faults: Sequence[str] = ()) -> None:
    """Run a worker until each fault in turn has killed it, and then one until `n` events and labels are committed; stop
    that in order.
    """
    for fault in faults:
        killed_at(stage, fault)
    with Forked(stage) as worker:
        worker.wait_ready()
        wait_committed(stage, n, worker)
        assert worker.terminate() == 0, worker.log
