"""A first configuration, as text with comments that say what was guessed from a sample, why, and what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import yaml

from learners.base import Problem
from stream.config.events import LabelsConfig
from stream.config.fields import written
from stream.config.infer import FeatureGuess, Guess
from stream.config.lateness import Lateness
from stream.readable import rounded, span

_LEARNERS = {
    Problem.BINARY: ("logistic", "fast and steady; where features interplay, try adaptive_random_forest"),
    Problem.MULTICLASS: ("hoeffding_adaptive_tree", "more accurate and slower: adaptive_random_forest"),
    Problem.REGRESSION: ("linear_regression", "where features interplay, try hoeffding_adaptive_tree"),
}
_ON_ERRORS = {
    Problem.BINARY: ("cusum", "the soonest for errors of 0 or 1"),
    Problem.MULTICLASS: ("cusum", "the soonest for errors of 0 or 1"),
    Problem.REGRESSION: ("adwin", "for errors of any scale, some of which may be large"),
}
MOST_WAITING: Final[int] = LabelsConfig.model_fields["max_pending"].default
"""Predictions of one task that wait where the file does not say."""
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_IN_APP = re.compile(r"[^a-z0-9]+")


def starter(
    guess: Guess,
    *,
    name: str,
    source: str,
    bootstrap: str | None = None,
    topic: str | None = None,
    labels_topic: str | None = None,
) -> str:
    """The file. `name` becomes the service's, `source` says where the sample came from.

    It loads as it stands. Texts of the sample that stand in it are its field names and, for a binary label, one class.
    """
    app = app_name(name)
    lines = [
        f"# A first configuration, from {guess.rows:,} events of {_one_line(source)}. Read it, change it, then:",
        "#",
        "#   driftline check -c FILE --connect --create-topics",
        "#   driftline run -c FILE",
        "#",
        "# docs/config.md says all that can stand here.",
        "",
        f"app: {_scalar(app)}",
        "",
        "kafka:",
        f"  bootstrap_servers: {_scalar(bootstrap or '${DRIFTLINE_KAFKA:-localhost:9092}')}",
        "",
        "topics:",
        f"  events: {_scalar(topic or f'{app}.events')}",
        *_labels_topic(guess, labels_topic or f"{app}.labels"),
        f"  predictions: {app}.predictions",
        f"  alerts: {app}.alerts",
        f"  dead_letters: {app}.dead-letters",
        "",
        *_events(guess),
        *_labels(guess),
        *_model(guess, app),
        *_detectors(guess),
        "redis:",
        '  url: "${DRIFTLINE_REDIS_URL:-redis://localhost:6379/0}"',
        "",
        "# Models are signed. Put a key of at least 32 characters into this variable, the same for all workers.",
        "security:",
        "  signing_key: {env: DRIFTLINE_SIGNING_KEY}",
        "",
        "http:  # /metrics, /healthz and /readyz; each service on a machine needs a port of its own",
        "  port: ${DRIFTLINE_HTTP_PORT:-8080}",
    ]
    return "\n".join(lines) + "\n"


def app_name(text: str) -> str:
    """The text as the name of a service: lower-case letters, digits and hyphens."""
    return _NOT_IN_APP.sub("-", text.lower()).strip("-")[:60] or "service"


def _labels_topic(guess: Guess, topic: str) -> Iterator[str]:
    if guess.label is None:
        yield f"  labels: {_scalar(topic)}  # with as many partitions as the events"
    else:
        yield f"  # labels: {topic}  # left out: the label comes with the event; set it if labels come late"


def _events(guess: Guess) -> Iterator[str]:
    yield "events:"
    if guess.id is not None:
        note = "different in every event of the sample" if guess.id_is_unique else "CHECK THIS: it came more than once"
        yield f"  id: {_scalar(guess.id)}  # {note}; labels name their event by it"
    else:
        yield f"  id: {_free_path(guess)}  # CHANGE THIS: no field was in every event, different each time"
    if guess.time is not None:
        yield f"  time: {_scalar(guess.time)}"
        yield f"  time_unit: {guess.time_unit}"
    else:
        yield "  # time: PATH  # no field looked like a time, so the time of the Kafka record is used"
    if guess.label is not None:
        yield f"  label: {_scalar(guess.label.path)}  # looks like the label: {guess.label.why}"
    yield "  features:  # remove what is known only after the prediction is needed: it would be a leak"
    names: set[str] = set()
    for feature in guess.features:
        yield f"    {_feature(feature, names)}  # {feature.why}"
    if guess.left_out:
        yield "    # left out:"
        for path, why in guess.left_out.items():
            yield f"    #   {_one_line(path)}: {why}"
    yield ""


def _free_path(guess: Guess) -> str:
    """A path for the id that is nobody else's."""
    paths = [feature.path for feature in guess.features] + [guess.time or ""]
    paths += [] if guess.label is None else [guess.label.path]
    taken = {part for path in paths for part in path.split(".")}
    return next(path for path in ("id", "event_id", *(f"id_{n}" for n in range(len(taken) + 3))) if path not in taken)


def _feature(feature: FeatureGuess, names: set[str]) -> str:
    """One feature, named by its last key, or by more of its path where that name is taken."""
    leaf, whole = feature.path.rsplit(".", 1)[-1], feature.path.replace(".", "_")
    name = next(n for n in (leaf, whole, *(f"{whole}_{i}" for i in range(len(names) + 1))) if n not in names)
    names.add(name)
    path = "" if name == feature.path else f", path: {_scalar(feature.path)}"
    return f"{_scalar(name, key=True)}: {{type: {feature.type}{path}}}"


def _labels(guess: Guess) -> Iterator[str]:
    yield "labels:"
    if guess.labels is not None:
        labels = guess.labels
        note = f"{'' if labels.known else 'CHECK THIS: '}{labels.known:,} of {labels.rows:,} labels"
        yield f"  id: {_scalar(labels.id)}  # {note} name an event of the sample by it"
        yield f"  label: {_scalar(labels.label.path)}  # looks like the truth: {labels.label.why}"
    elif guess.label is None:
        yield "  id: id  # CHANGE THIS: the field of a label that names its event"
        yield "  label: label  # CHANGE THIS: the field that says the truth"
    late = None if guess.labels is None else guess.labels.late
    if late is None:
        yield "  ttl: 7d  # CHANGE THIS if labels come later: how long a prediction waits for its label"
    else:
        yield from _ttl(late)
    yield ""


def _ttl(late: Lateness) -> Iterator[str]:
    """How long predictions wait, and what that was guessed from."""
    came = f"{len(late.delays):,} labels came within {span(late.longest)}, half of them within {span(late.median)}"
    yield f"  # By {_clock(late)} {came}. A prediction"
    yield "  # waits twice as long for its own, and a week at least; what comes later is not learned."
    if late.unlabelled:
        none = f"{late.unlabelled:,} of {late.events:,} events have no label in the sample"
        yield f"  # CHECK THIS: {none}. Raise it if theirs come later."
    yield f"  ttl: {written(late.ttl)}"
    if late.waiting > MOST_WAITING:
        waiting = f"{rounded(late.waiting)} predictions wait at {late.rate:.3g} events a second, as in the sample"
        yield f"  # CHANGE THIS: {waiting}. Of those of one"
        yield "  # partition the oldest expire beyond max_pending."
        yield f"  max_pending: {MOST_WAITING}"


def _clock(late: Lateness) -> str:
    return "the times of the records" if late.by is None else f"their field {_one_line(late.by)}"


def _problem(guess: Guess) -> Problem:
    return guess.truth.problem if guess.truth is not None else Problem.BINARY


def _model(guess: Guess, app: str) -> Iterator[str]:
    problem = _problem(guess)
    learner, advice = _LEARNERS[problem]
    yield "model:"
    yield f"  name: {_scalar(app)}"
    if guess.truth is None:
        yield f"  problem: {problem.value}  # CHANGE THIS if needed: binary, multiclass or regression"
        yield "  # positive: TEXT  # needed where labels are texts: the one that means true"
    else:
        yield f"  problem: {problem.value}"
        if guess.truth.positive is not None:
            yield f"  positive: {_scalar(guess.truth.positive)}  # the text that means true; the rarer of the two here"
    yield f"  learner: {{kind: {learner}}}  # {advice}"
    yield ""


def _detectors(guess: Guess) -> Iterator[str]:
    types = {feature.type for feature in guess.features}
    yield "detectors:"
    kind, advice = _ON_ERRORS[_problem(guess)]
    yield "  concept:  # on the model's errors"
    yield f"    - kind: {kind}  # {advice}"
    yield "  data:  # on the features"
    if "number" in types:
        yield "    - kind: ks"
    if types - {"number"}:
        yield "    - kind: chi_squared"
    yield ""
    yield "alarms:  # over all detectors and features together; each is calibrated to its share"
    yield "  expected_events_per_false_alarm: 1000000"
    yield ""


def _scalar(text: str, *, key: bool = False) -> str:
    """A text as YAML reads it back, in quotes where it must be. `${` in a field's name is not a reference."""
    if not key and text.startswith("${DRIFTLINE_"):
        return text
    safe = text if key else text.replace("${", "$${")
    if _PLAIN.fullmatch(safe) and yaml.safe_load(safe) == safe:
        return safe
    return str(yaml.safe_dump(safe, default_style='"', allow_unicode=True, width=10**6)).strip()


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
