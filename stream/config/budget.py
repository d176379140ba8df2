"""The false-alarm budget divided: how every detector of a configuration is built, and what it may cost in false alarms.

The budget is B events of the service per false alarm, over everything that is watched. A detector gets a part of it by
its weight, a stream of values that it watches (the errors, one feature) a part of that. Alarms of different streams add
up, whether these depend on each other or not: a stream with the part s may have one false alarm in B/s of its values.

- A stream has at most one value per event. Labels that never come and features that are missing make it have fewer, and
  so fewer false alarms than its part.
- Partitions take nothing of the budget. The task of each of P partitions sees one in P of the events; with one false
  alarm in B of its own events each, P tasks together have one in B events of the service.
- Nor do segments, for the same reason: an event is in one of them. Each learns what is usual from values of its own, so
  that all together have fewer false alarms among the first B events than one detector on all of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from pydantic import ValidationError

from detectors.registry import DATA, watched
from detectors.settings import DetectorConfig, Share

if TYPE_CHECKING:
    from stream.config.model import Config

Section: TypeAlias = Literal["concept", "data", "prediction", "rejected"]

ERRORS: Final = ("",)
"""What a concept detector watches: one stream, which needs no name."""


class Part(NamedTuple):
    """A detector as it is built. A detector of the configuration whose features have different weights is several.

    `path` is where it stands in the configuration, `watches` are the features, or topics, that it watches. Of a part
    without a share the configuration is as the user has it: there is no budget, or it is outside.
    """

    section: Section
    path: str
    config: Any
    watches: tuple[str, ...]
    share: Share | None = None

    @property
    def together(self) -> bool:
        """Whether what it watches is one stream of values to it."""
        return self.section in ("data", "prediction") and DATA[self.config.kind].together

    @property
    def streams(self) -> int:
        """The streams of values it watches, segments not counted."""
        return 1 if self.together else len(self.watches)


def divide(config: Config) -> list[Part]:
    """All detectors of a configuration, calibrated to their shares of the budget if there is one.

    Raises ValueError that names the field for a feature that cannot be watched, a weight of nothing, and a share that
    cannot be kept.
    """
    parts = list(_parts(config))
    alarms = config.alarms
    if alarms is None:
        return parts
    _check_names(parts, alarms.weights)
    inside = [part for part in parts if not part.config.set_by_hand]
    whole = sum(alarms.weights.get(part.config.called, 1.0) for part in inside)
    divided: list[Part] = []
    for part in parts:
        if part.config.set_by_hand:
            divided.append(part)
        else:
            own = alarms.weights.get(part.config.called, 1.0) / whole
            divided += _by_stream(part, alarms.events_per_alarm, own, alarms.weights)
    return divided


def _parts(config: Config) -> Iterator[Part]:
    """Every detector that has something to watch, as the user has it."""
    detectors, events = config.detectors, config.events
    for index, concept in enumerate(detectors.concept):
        yield Part("concept", f"detectors.concept[{index}]", concept, ERRORS)
    on: list[tuple[Section, Any, Any]] = [
        ("data", detectors.data, (events.numeric, events.categorical)),
        ("prediction", detectors.prediction, config.model.outputs),
    ]
    for section, listed, features in on:
        for index, one in enumerate(listed):
            path = f"detectors.{section}[{index}]"
            try:
                names = watched(one, *features)
            except ValueError as error:
                raise ValueError(f"{path}.{error}") from None
            if names:
                yield Part(section, path, one, names)
    if detectors.rejected is not None:
        topics = ("events",) if config.topics.labels is None else ("events", "labels")
        yield Part("rejected", "detectors.rejected", detectors.rejected, topics)


def _by_stream(part: Part, budget: float, own: float, weights: Mapping[str, float]) -> Iterator[Part]:
    """A detector once for each weight that its streams have, calibrated."""
    config = part.config
    of = {name: weights.get(f"{config.called}/{name}", 1.0) for name in part.watches}
    whole = 1.0 if part.together else sum(of.values())
    for weight in dict.fromkeys(of.values()):
        names = tuple(name for name in part.watches if of[name] == weight)
        share = Share(budget / (own * weight / whole), budget)
        try:
            calibrated = config.with_share(share)
        except ValidationError as error:
            raise ValueError(_cannot_keep(part, share, error)) from None
        if len(names) < len(part.watches) and part.section != "rejected":
            calibrated = calibrated.model_copy(update={"features": names})
        yield Part(part.section, part.path, calibrated, names, share)


def _cannot_keep(part: Part, share: Share, error: ValidationError) -> str:
    called, (first, *_) = part.config.called, error.errors(include_url=False)
    field = ".".join(str(item) for item in first["loc"] if item in type(part.config).model_fields)
    said = first["msg"].removeprefix("Value error, ")
    knobs = [knob for knob in part.config.knobs if knob != "run_length"] or ["run_length"]
    return (
        f"{part.path}: {called} gets a run length of {share.run_length:,.0f} values as its share of the false-alarm "
        f"budget, for each of {part.streams}, and cannot keep it ({f'{field}: ' if field else ''}{said}). Change "
        f"the budget or its weight (alarms), or set {one_of(knobs)} by hand, which takes it out of the budget"
    )


def _check_names(parts: list[Part], weights: Mapping[str, float]) -> None:
    names: dict[str, DetectorConfig] = {}
    for part in parts:
        names[part.config.called] = part.config
        if part.streams > 1:
            names |= {f"{part.config.called}/{name}": part.config for name in part.watches}
    for name in weights:
        if name not in names:
            raise ValueError(f"alarms.weights: {name!r} is none of the detectors; expected {one_of(list(names))}")
        if names[name].set_by_hand:
            raise ValueError(
                f"alarms.weights: {name!r} is outside the budget, as {names[name].called} has a setting of its own "
                f"({', '.join(names[name].by_hand)}). Remove the weight, or the setting"
            )


def one_of(names: list[str]) -> str:
    """Choices, as people write them."""
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
