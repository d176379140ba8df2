"""The topics a service needs: whether they are there, are fit for their use, and making those that are missing.

`driftline check --connect` shows every finding; the worker calls `check_topics` before it joins its group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, for_code

from stream.errors import BrokerError
from stream.kafka.client import in_words, name_in_words

if TYPE_CHECKING:
    from stream.config.model import TopicsConfig

READ: Final = "READ"
WRITE: Final = "WRITE"

INPUT: Final = (READ,)
OUTPUT: Final = (WRITE,)
OWN: Final = (READ, WRITE)
"""What a service does with a topic of each kind. Its own ones it reads again: the journal to resume where it was left,
the audit to show it.
"""

_VERBS = {READ: "read", WRITE: "write to"}
_ALLOW = {
    INPUT: "allow it READ on the topic and on the group",
    OUTPUT: "allow it WRITE on the topic",
    OWN: "allow it READ and WRITE on the topic: what was written is read again, by a worker that resumes and the page",
}
_WAIT_MS = 15_000


class Topic(NamedTuple):
    """What the broker says of a topic. `partitions` is 0 for one that is not there; `error` is its error's name."""

    name: str
    partitions: int
    allowed: frozenset[str]
    error: str | None = None


class Finding(NamedTuple):
    """One thing that was looked at. `cure` is set when it is not well."""

    ok: bool
    text: str
    cure: str | None = None


def uses(topics: TopicsConfig) -> dict[str, tuple[str, ...]]:
    """Names of a service's topics, with what it must be allowed to do there."""
    inputs = [name for name in (topics.events, topics.labels) if name is not None]
    outputs = [topics.predictions, topics.alerts, topics.dead_letters]
    own = [name for name in (topics.journal, topics.audit) if name is not None]
    return {**dict.fromkeys(inputs, INPUT), **dict.fromkeys(outputs, OUTPUT), **dict.fromkeys(own, OWN)}


def describe(admin: KafkaAdminClient, names: Iterable[str]) -> dict[str, Topic]:
    """What the broker says of these topics, by name. Creates none. Raises BrokerError."""
    wanted = list(names)
    try:
        found = {str(raw["name"]): raw for raw in admin.describe_topics(wanted)}
    except KafkaError as error:
        raise BrokerError(
            f"Kafka did not describe its topics: {in_words(error)}", "Is the broker still up? Try again."
        ) from error
    return {name: _topic(name, found.get(name)) for name in wanted}


def inspect_topics(
    admin: KafkaAdminClient, topics: TopicsConfig, readers: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> list[Finding]:
    """One finding per topic, and one on each partition count that must match that of events. `readers` are those that
    read outputs again, by topic, without which a worker can do. Raises BrokerError.
    """
    needs = uses(topics)
    states = describe(admin, needs)
    found = [_one(states[name], wanted, readers.get(name, ())) for name, wanted in needs.items()]
    return [*found, *_partition_counts(states, topics)]


def check_topics(admin: KafkaAdminClient, topics: TopicsConfig) -> int:
    """Make sure that the topics can be used. Returns the number of partitions of events.

    Raises BrokerError that tells everything wrong, with the cures.
    """
    bad = [finding for finding in inspect_topics(admin, topics) if not finding.ok]
    if bad:
        cures = dict.fromkeys(finding.cure for finding in bad if finding.cure is not None)
        raise BrokerError("\n".join(finding.text for finding in bad), "\n  ".join(cures))
    return describe(admin, [topics.events])[topics.events].partitions


def ensure_topics(admin: KafkaAdminClient, topics: TopicsConfig, partitions: int | None = None) -> list[str]:
    """Create the topics that are missing, wait until they can be used, and return their names.

    Labels and journal get as many partitions as events, whichever of them is there already. `partitions` is for those
    with no such pattern to follow; the broker's default when left out. Alerts and changes by hand are few and get one
    partition, which keeps their order. Raises BrokerError.
    """
    states = describe(admin, uses(topics))
    missing = [name for name, state in states.items() if state.error == "UnknownTopicOrPartitionError"]
    if not missing:
        return []
    pair = [
        states[name].partitions
        for name in (topics.events, topics.labels, topics.journal)
        if name and states[name].partitions
    ]
    count = pair[0] if pair else partitions if partitions is not None else -1
    wanted = {name: {"num_partitions": 1 if name in (topics.alerts, topics.audit) else count} for name in missing}
    try:
        admin.create_topics(wanted, timeout_ms=_WAIT_MS)
        admin.wait_for_topics(missing, timeout_ms=_WAIT_MS)
    except KafkaError as error:
        raise BrokerError(
            f"Kafka did not create {', '.join(missing)}: {in_words(error)}",
            "Allow this user CREATE on the cluster, or have the topics created for you.",
        ) from error
    return missing


def _topic(name: str, raw: dict[str, Any] | None) -> Topic:
    if raw is None:
        return Topic(name, 0, frozenset(), "UnknownTopicOrPartitionError")
    code = raw["error_code"]
    operations = frozenset(str(getattr(op, "name", op)) for op in raw.get("authorized_operations") or ())
    return Topic(name, len(raw.get("partitions") or ()), operations, for_code(code).__name__ if code else None)


def _one(topic: Topic, needs: tuple[str, ...], readers: Sequence[str]) -> Finding:
    if topic.error == "UnknownTopicOrPartitionError":
        return Finding(False, f"topic {topic.name} does not exist", _CREATE)
    allow = f"As an administrator, {_ALLOW[needs]}."
    if readers and needs is OUTPUT:
        needs = OWN
        allow = f"As an administrator, allow it READ and WRITE on the topic: {' and '.join(readers)} read it."
    if topic.error == "TopicAuthorizationFailedError":
        return Finding(False, f"topic {topic.name}: this user may not see it", allow)
    if topic.error == "InvalidTopicError":
        return Finding(False, f"topic {topic.name}: Kafka does not take this name", "Choose another one.")
    if topic.error is not None:
        said = f"topic {topic.name}: the broker says: {name_in_words(topic.error)}"
        return Finding(False, said, "Try again in a moment.")
    # A broker that does not say what is allowed (an old one) leaves the set empty: then only trying tells.
    denied = [_VERBS[need] for need in needs if topic.allowed and need not in topic.allowed]
    if denied:
        return Finding(False, f"topic {topic.name}: this user may not {' or '.join(denied)} it", allow)
    plural = "" if topic.partitions == 1 else "s"
    allowed = " and ".join(need.lower() for need in needs)
    return Finding(True, f"topic {topic.name}: {topic.partitions} partition{plural}, {allowed} allowed")


def _partition_counts(states: dict[str, Topic], topics: TopicsConfig) -> Iterator[Finding]:
    """Labels must meet their events in the same task, so a key must go to the same partition number in both; and each
    task writes its journal to the partition of its number.
    """
    events = states[topics.events]
    for name, why in ((topics.labels, "labels meet their events"), (topics.journal, "each task has its journal")):
        other = None if name is None else states[name]
        if other is None or not events.partitions or not other.partitions:
            continue
        if events.partitions == other.partitions:
            yield Finding(True, f"{other.name} and {events.name} have the same number of partitions")
            continue
        small, large = sorted((events, other), key=lambda topic: topic.partitions)
        yield Finding(
            False,
            f"topic {other.name} has {other.partitions} partitions and {events.name} has {events.partitions}; "
            f"they must have the same number, so that {why}",
            f"Before the first run: kafka-topics.sh --alter --topic {small.name} --partitions {large.partitions}; "
            "later, make both anew (records keep the partition they were written to).",
        )


_CREATE = "Create it with `driftline check -c FILE --connect --create-topics`, or correct its name under topics."
