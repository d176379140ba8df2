"""The worker's dealings with the model store: a first version, promotions that the engine asks for, swaps, challengers
and the word to pause from outside.

Nothing here may stop predictions: a store that is away is tried again later, a model that is not trusted is not taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from learners.artifacts import ArtifactError
from stream.config.model import Config
from stream.errors import StoreError
from stream.faultpoints import passing
from stream.kafka.task import Task
from stream.records import Challenge, Command, Promote, PromotionRefused, Source, Swap, Withdraw, cause_of
from stream.stores.base import Champion, Loaded, StaleWriter, VersionMeta
from stream.stores.control import Pause
from stream.stores.registry import ModelStore
from stream.stores.watch import ChampionWatcher
from stream.telemetry import Telemetry
from stream.web.status import Part

log = structlog.get_logger()


class Champions:
    """Turns proposals into promotions, and changes of the champion and of the challengers into commands."""

    def __init__(
        self,
        config: Config,
        store: ModelStore,
        watcher: ChampionWatcher,
        telemetry: Telemetry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._name = config.model.name
        self._takes_challengers = config.adaptation.promotes
        self._retry = config.redis.poll_interval
        self._store = store
        self._watcher = watcher
        self._telemetry = telemetry
        self._clock = clock
        self._newest: Loaded | None = None
        self._serving: dict[int, Champion] = {}  # by partition
        self._proposals: dict[int, Promote] = {}
        self._held: dict[int, frozenset[int]] = {}  # versions that the store knows to be in use, by partition
        self._not_before = 0.0

    def parts(self) -> dict[str, Part]:
        """The state of the store, for /readyz, and who had workers pause, if anybody did."""
        error = self._watcher.last_error
        well = self._watcher.healthy and error is None
        reason = f"{error or 'not reached yet'}; predictions go on, swaps wait"
        parts = {"redis": Part("ok") if well else Part("degraded", reason)}
        if pause := self.pause:
            since = datetime.fromtimestamp(pause.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            parts["control"] = Part("degraded", f"paused by {pause.who} since {since}: {pause.reason}")
        return parts

    @property
    def pause(self) -> Pause | None:
        """Who had workers take no more records; as told last while the store is away. Costs nothing."""
        return self._watcher.pause

    def opened(self, task: Task) -> Command | None:
        """A task starts: give it the champion, or make its model the first one, or carry out what it asked for before.

        Without a store it starts with what it has.
        """
        self.closed(task.partition)
        command, proposal = self._align(task), task.engine.proposal
        if command is None and proposal is not None:
            self._proposals[task.partition] = proposal
            return self._promote(task)
        return command

    def propose(self, task: Task, promotion: Promote) -> None:
        """Take note of a promotion. `command` carries it out, now or, when the store is away, later."""
        self._proposals[task.partition] = promotion
        self._not_before = 0.0

    def closed(self, partition: int) -> None:
        """A task has gone, with what it proposed."""
        self._serving.pop(partition, None)
        self._proposals.pop(partition, None)
        self._held.pop(partition, None)

    @property
    def wants_a_commit(self) -> bool:
        """Whether `command` is about to write a task's model to the store: all that it has learned must be committed
        then, or a crash would leave the store with a model that knows labels which are going to be learned again.
        """
        return self._clock() >= self._not_before and (bool(self._proposals) or self._is_bare)

    @property
    def has_news(self) -> bool:
        """Whether the champion was changed from outside, and tasks are to be told at once. Costs nothing."""
        return self._watcher.has_news

    def news(self, task: Task) -> Command | None:
        """What a task is to be told of changes from outside, if anything. Costs next to nothing when there are none."""
        self._newest = self._watcher.take() or self._newest
        newest, serving = self._newest, self._serving.get(task.partition)
        if newest is not None and (serving is None or newest.champion.since > serving.since):
            self._serving[task.partition] = newest.champion
            if newest.version != task.engine.state.version:
                self._proposals.pop(task.partition, None)
                return self._swap(task, newest)
        return self._challenge(task)

    def command(self, task: Task, *, settled: bool) -> Command | None:
        """What a task is to be told now, if anything.

        Nothing is written to the store unless it is `settled`, all that it has done being committed.
        """
        news = self.news(task)
        if news is not None:
            return news
        if not settled or self._clock() < self._not_before:
            return None
        if task.partition in self._proposals:
            return self._promote(task)
        if self._is_bare:
            self._not_before = self._clock() + self._retry
            return self._align(task)
        self._hold(task)
        return None

    def _challenge(self, task: Task) -> Command | None:
        """A challenger that came or went since the task was last told, if there is one."""
        field, state = self._watcher.field, task.engine.state
        if field is None or field.entered == state.pushed or not self._takes_challengers:
            return None
        for version in sorted(state.pushed - field.entered):
            log.info("challenger_withdrawn", model=self._name, version=version, partition=task.partition)
            return Withdraw(version)
        for version in sorted(field.entrants.keys() - state.pushed - {state.version}):
            entrant = field.entrants[version]
            log.info("challenger_entered", model=self._name, version=version, partition=task.partition)
            return Challenge(entrant.learner(), version, digest=entrant.meta.digest)
        return None

    def _hold(self, task: Task) -> None:
        """Have the store keep the versions that live on in a task beside the champion."""
        held = task.engine.state.held
        if held == self._held.get(task.partition) or not self._watcher.healthy:
            return
        try:
            self._store.retention.hold(self._name, f"task {task.partition}", held)
        except StoreError as error:
            self._not_before = self._clock() + self._retry
            log.warning("versions_not_held", model=self._name, partition=task.partition, error=str(error))
        else:
            self._held[task.partition] = held

    @property
    def _is_bare(self) -> bool:
        """Whether the store has no champion: it is new, or was wiped while we were running."""
        return self._watcher.healthy and self._watcher.champion is None

    def _align(self, task: Task) -> Command | None:
        state = task.engine.state
        try:
            champion = self._store.champion(self._name)
            if champion is None:
                try:
                    return self._register(task)
                except StaleWriter:  # another task was first: all of them begin with its model
                    champion = self._store.champion(self._name)
                    if champion is None:
                        return None
            swap = None
            if champion.version == state.version:
                self._show(self._store.version(self._name, champion.version))
            else:
                swap = self._swap(task, self._store.load_champion(self._name, champion))
        except (StoreError, ArtifactError) as error:
            log.error("champion_not_loaded", model=self._name, serving=state.version, error=str(error))
            return None
        self._serving[task.partition] = champion
        return swap

    def _swap(self, task: Task, loaded: Loaded) -> Command:
        """Serve with another champion: as it is stored or, going back to one, with what it has learned since, where it
        lives on in the task.
        """
        version, reason, digest = loaded.version, loaded.champion.reason, loaded.meta.digest
        held = task.engine.state.holding(version) if cause_of(reason) == "rollback" else None
        source: Source = "store" if held is None else "held"
        log.info("model_swapped", model=self._name, version=version, epoch=loaded.epoch, reason=reason, source=source)
        self._telemetry.add_swap(reason)
        self._show(loaded.meta)
        return Swap(loaded.learner() if held is None else held, version, reason, source, digest)

    def _register(self, task: Task) -> Command:
        """Make the model of a task the champion of a store that has none. Raises StaleWriter, StoreError."""
        state = task.engine.state
        reason = "restored" if state.version else "first"
        at = state.positions.get("events", 0)
        trained = state.adaptation.trained
        whole = Promote(
            state.champion, state.version, reason, {}, state.scores.labels, at, state.stream_time, trained=trained
        )
        meta = self._install(task, whole, None)
        log.info("model_registered", model=self._name, version=meta.version, partition=task.partition, reason=reason)
        return Swap(state.champion, meta.version, reason, "champion", meta.digest)

    def _promote(self, task: Task) -> Command | None:
        promotion = self._proposals[task.partition]
        passing("promoting")
        try:
            current = self._store.champion(self._name)
            if current is not None and current.version != promotion.expected_version:
                raise StaleWriter(f"version {current.version} became champion first")
            meta = self._install(task, promotion, current)
        except (StaleWriter, ArtifactError) as error:
            del self._proposals[task.partition]
            log.warning("promotion_refused", model=self._name, partition=task.partition, reason=str(error))
            return PromotionRefused(str(error))
        except StoreError as error:
            self._not_before = self._clock() + self._retry
            log.error(
                "promotion_waits", model=self._name, partition=task.partition, error=str(error), retry_s=self._retry
            )
            return None
        del self._proposals[task.partition]
        log.info("promoted", model=self._name, version=meta.version, labels=promotion.labels, **promotion.scores)
        return Swap(promotion.learner, meta.version, promotion.reason, "challenger", meta.digest)

    def _install(self, task: Task, promotion: Promote, current: Champion | None) -> VersionMeta:
        """Publish a learner and make it the champion after `current`. Raises StaleWriter, StoreError."""
        who, reason, before = f"task {task.partition}", promotion.reason, promotion.expected_version
        learner = promotion.learner
        meta = VersionMeta(
            created=self._clock(),
            recipe=learner.recipe,
            reason=reason,
            who=who,
            scores=dict(promotion.scores),
            intervals=dict(promotion.intervals),
            labels=promotion.labels,
            trained=promotion.trained,
            span=promotion.span,
            parents=promotion.parents or ((before,) if before else ()),
        )
        # Done over after a crash, the same step of the task leads to the same version.
        origin = f"{who}, entry {task.sequence}, {reason} after version {before}"
        version = self._store.publish(self._name, learner, meta=meta, origin=origin)
        passing("model_published")
        epoch = current.epoch if current else 0
        champion = self._store.promote(self._name, version, expected_epoch=epoch, reason=reason, who=who)
        passing("champion_moved")
        self._serving[task.partition] = champion
        self._telemetry.add_swap(reason)
        meta = self._store.version(self._name, version)
        self._show(meta)
        self._watcher.wake()
        return meta

    def _show(self, meta: VersionMeta) -> None:
        self._telemetry.set_model(meta.version, meta.digest, meta.recipe, meta.size)
