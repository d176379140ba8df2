"""`driftline models push`, `withdraw` and `pull`: models that were trained elsewhere, and models to take elsewhere."""

from __future__ import annotations

import pickle
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stream.cli.auditing import Audited, ByHand
from stream.cli.options import ConfigFile, Force, ModelName
from stream.cli.printing import say
from stream.cli.versions import open_registry, who, write
from stream.errors import ConfigError, ModelError, StoreError


class Format(StrEnum):
    """How a model is written to a file."""

    SEALED = "sealed"
    PICKLE = "pickle"


def push(
    config: ConfigFile,
    file: Annotated[
        Path, typer.Argument(help="What `pull` wrote, or a pickle of a River or scikit-learn model.", dir_okay=False)
    ],
    compete: Annotated[
        bool, typer.Option("--compete/--no-compete", help="Enter it as a challenger, or only store it.")
    ] = True,
    reason: Annotated[str, typer.Option(help="Why; kept with the version.")] = "pushed",
    audit: Audited = True,
) -> None:
    """Bring in a model that was trained elsewhere, and let it compete with the champion.

    It is tried out on made-up events, signed with the service's key and stored as a version. Running workers let it
    predict and learn in the champion's shadow, and promote it if it proves better, as a new version. Pushing the same
    file again makes no second version.

    A pickle is a program that nobody has signed: whoever can make you push one decides what your workers run. It is
    opened by an unpickler that lets in nothing but the classes of River, NumPy and Driftline, and of the modules that
    security.modules names. For scikit-learn name each one, such as sklearn.linear_model._stochastic_gradient; the
    message says which are missing. Name only what you trust, and push only from whom you trust.
    """
    from stream import changes

    service, store, name = open_registry(config)
    data, by_hand = _read(file), ByHand(service, audit=audit)
    pushed = by_hand.make(
        "models.push",
        f"model {name}",
        lambda: changes.push(service, store, data, str(file), compete=compete, reason=by_hand.kept(reason), who=who()),
        changes.Pushed.told,
        before={"bytes": len(data)},
        reason=reason,
    )
    say(f"model {name} version {pushed.version}: {pushed.recipe}, from {file}.")
    if not compete:
        say(f"It serves nobody until it is promoted: driftline models promote {pushed.version} -c {config}")
    elif not pushed.competes:
        say("It is the champion already.")
    else:
        say("It competes with the champion from now on; `driftline models list` shows it with a plus.")


def withdraw(
    config: ConfigFile,
    version: Annotated[int, typer.Argument(min=1, help="The version that was pushed.")],
    model: ModelName = None,
    audit: Audited = True,
) -> None:
    """Let a pushed model compete no more. The version stays in the registry."""
    from stream.stores.base import Conflict

    service, store, name = open_registry(config, model)

    def make() -> None:
        if not store.challengers.withdraw(name, version):
            raise Conflict(
                f"model {name} version {version} does not compete: it was not pushed, or has become the champion.",
                "See `driftline models list`: those with a plus compete.",
            )

    target = f"model {name} version {version}"
    ByHand(service, audit=audit).make("models.withdraw", target, make, lambda _: {"competes": False})
    say(f"model {name} version {version} competes no more.")


def pull(
    config: ConfigFile,
    version: Annotated[int | None, typer.Argument(help="The champion if left out.", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="MODEL-VERSION.FORMAT")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="sealed: to be pushed again; pickle: the bare River model.")
    ] = Format.SEALED,
    model: ModelName = None,
    force: Force = False,
) -> None:
    """Write a version to a file.

    `sealed` is the artifact as it is stored: a service with the same key takes it back with all that it has learned.
    `pickle` is the pipeline as River has it, for a notebook: it says what River's estimator says, so classes may be
    numbers in the order in which they were met, and a linear_regression gives deviations from the mean label in units
    of its deviation. A pickle is not signed: open it only where nobody else could have changed it.
    """
    from learners.artifacts import ArtifactError

    _, store, name = open_registry(config, model)
    if version is None:
        champion = store.champion(name)
        if champion is None:
            raise StoreError(f"model {name} has no champion.", "Name a version; see `driftline models list`.")
        version = champion.version
    try:
        meta, data = store.fetch(name, version)
        learner = store.open(name, data)
    except ArtifactError as error:
        raise ModelError(f"model {name} version {version} was not written: {error}") from error
    if form is Format.PICKLE:
        if learner.bare is None:
            raise ModelError(f"model {name} version {version} ({meta.recipe}) has no River model inside.")
        data = pickle.dumps(learner.bare, protocol=5)
    path = output or Path(f"{name}-{version}.{form.value}")
    write(path, data, force=force)
    say(f"Wrote {path}: model {name} version {version}, {meta.recipe}, {len(data):,} bytes.")


def _read(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    if not data:
        raise ModelError(
            f"{path} is empty: there is no model in it.", "Write it again, and close it before you push it."
        )
    return data
