"""Changes of the model by hand. The command line and the API make them by the same rules."""

from __future__ import annotations

import hashlib
import time
from typing import Any, NamedTuple

from learners.artifacts import ArtifactError
from stream.config.model import Config
from stream.errors import ConfigError, ModelError
from stream.faultpoints import passing
from stream.quarantine import quarantined
from stream.records import because
from stream.stores.base import Champion, VersionMeta
from stream.stores.registry import ModelStore
from stream.trial import is_sealed, read_pickle, read_sealed, try_out


class Pushed(NamedTuple):
    """A version that was brought in: its recipe, and what it does now."""

    version: int
    recipe: str
    competes: bool
    champion: Champion | None

    def told(self) -> dict[str, Any]:
        """What the audit tells of it."""
        return {"version": self.version, "recipe": self.recipe, "competes": self.competes}


def pointer(champion: Champion | None) -> dict[str, int] | None:
    """What the audit tells of which version serves; None where none does."""
    return None if champion is None else {"version": champion.version, "epoch": champion.epoch}


def verify(store: ModelStore, name: str, version: int) -> None:
    """Load a version as workers will. Raises ModelError for what they would refuse, UnknownVersion, StoreError."""
    try:
        store.load(name, version)
    except ArtifactError as error:
        raise ModelError(
            f"model {name} version {version} was not promoted: {error}",
            "Name another version, or accept what this one needs: docs/security.md.",
        ) from error


def promote(store: ModelStore, name: str, version: int, before: Champion | None, *, reason: str, who: str) -> Champion:
    """Make a version the champion after `before`, once it is known that workers will take it.

    Raises ModelError, UnknownVersion, StaleWriter when the champion is another than `before`, StoreError.
    """
    verify(store, name, version)
    return store.promote(
        name, version, expected_epoch=before.epoch if before else 0, reason=because("promoted", reason), who=who
    )


def rollback(
    store: ModelStore, name: str, to: int | None, before: Champion | None, *, who: str, reason: str = "rollback"
) -> Champion:
    """Go back from `before` to an earlier champion, or to version `to`. Raises as `promote`, and Conflict."""
    if to is not None:
        verify(store, name, to)
    expected = None if before is None else before.epoch
    return store.rollback(name, to, expected_epoch=expected, who=who, reason=because("rollback", reason))


def push(config: Config, store: ModelStore, data: bytes, where: str, *, compete: bool, reason: str, who: str) -> Pushed:
    """Try out a model from elsewhere, sign and store it and, with `compete`, enter it as a challenger. What nobody has
    signed yet is tried out in a process of its own.

    The same bytes are the same version. Raises ConfigError where none may compete, ModelError for what cannot be
    trusted or run, StoreError.
    """
    name = config.model.name
    if compete and not config.adaptation.promotes:
        raise ConfigError(
            f"adaptation.policy is {config.adaptation.policy}: no challenger competes.",
            "Add --no-compete to store the version and promote it by hand, or change the policy.",
        )
    try:
        if is_sealed(data):
            learner = read_sealed(config, store, data, where)
            try_out(config, learner, where)
        else:
            quarantined(config, data, where)
            learner = read_pickle(config, data, where)
        meta = VersionMeta(created=time.time(), recipe=learner.recipe, reason=reason, who=who)
        # The same file is the same version: a push that was cut off is done over by pushing again.
        version = store.publish(name, learner, meta=meta, origin=f"file {hashlib.sha256(data).hexdigest()}")
    except ArtifactError as error:
        raise ModelError(f"{where}: {error}", "Nothing was stored.") from error
    passing("model_published")
    champion = store.champion(name)
    competes = compete and (champion is None or champion.version != version)
    if competes:
        store.challengers.enter(name, version, who=who)
    return Pushed(version, learner.recipe, competes, champion)
