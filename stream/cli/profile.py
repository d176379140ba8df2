"""`driftline profile`: what features are compared with from the start, out of a file of events."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from stream.cli.auditing import Audited, ByHand
from stream.cli.options import ConfigFile, Force
from stream.cli.printing import NONE, plain, say, wide_console
from stream.errors import ConfigError

if TYPE_CHECKING:
    from stream.profile import Profile

app = typer.Typer(help="A sample of events from when all was well, for detectors to start with.", no_args_is_help=True)

_QUANTILES: Final = (0.05, 0.5, 0.95)
_SHOWN: Final = 3
"""Categories shown of a feature."""


@app.command()
def build(
    config: ConfigFile,
    file: Annotated[Path, typer.Argument(help="Events, one JSON object a line, as they stand on the topic.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("profile.json"),
    events: Annotated[
        int | None,
        typer.Option(
            min=100, help="How many to sample.", show_default="twice the largest reference of the detectors on features"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sample; the same gives the same.")] = 1,
    force: Force = False,
) -> None:
    """Draw a profile from a file of events. Lines that would be dead letters are left out, and counted.

    Fails when it has too few values for a detector, unless references.lacking is learn.
    """
    from stream.basis import require_enough
    from stream.config.load import load
    from stream.profile import encode
    from stream.profiling import sample, size_for

    if output.exists() and not force:
        raise ConfigError(f"{output} is there already.", "Write elsewhere (-o), or add --force to overwrite it.")
    service = load(config)
    profile, rejected = sample(service, file, events or size_for(service), seed, datetime.now(UTC))
    require_enough(service, profile)
    try:
        output.write_bytes(encode(profile))
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}.") from None
    say(f"Wrote {output}: {_origin(profile)}.")
    if rejected is not None:
        say(
            f"Left out {_count(profile.dead_letters, 'line')} that would be dead letters. The first: {rejected.message}"
        )


@app.command()
def push(
    config: ConfigFile,
    file: Annotated[Path, typer.Argument(help="A profile that `build` made.")],
    audit: Audited = True,
) -> None:
    """Sign a profile and keep it with the model in Redis, in the place of another, for `references.profile: redis`.

    Services read it when they start. The ten before it are kept: predictions are explained with the profile of then.
    """
    from stream.basis import require_enough
    from stream.config.load import load
    from stream.stores.opening import open_profiles
    from stream.stores.profiles import read_profile

    service = load(config)
    profile = read_profile(file, service, "FILE")
    require_enough(service, profile)
    store = open_profiles(service)
    ByHand(service, audit=audit).make(
        "profile.push",
        f"model {service.model.name}",
        lambda: store.save(profile),
        lambda _: {"sample": profile.digest},
        before={"sample": next(iter(store.digests()), None)},
    )
    say(f"The profile of model {service.model.name} in Redis at {store.where} is now {_origin(profile)}.")


@app.command()
def show(
    config: ConfigFile,
    file: Annotated[
        Path | None, typer.Argument(help="A profile; if left out, that in Redis.", show_default=False)
    ] = None,
) -> None:
    """Show what a profile holds, feature by feature."""
    from stream.config.load import load
    from stream.stores.opening import open_profiles
    from stream.stores.profiles import read_profile

    service = load(config)
    profile = open_profiles(service).load() if file is None else read_profile(file, service, "FILE")
    made = f"made {profile.made:%Y-%m-%d %H:%M:%S} UTC, sample {profile.digest[:12]}"
    caption = plain(_origin(profile)).append("\n").append_text(plain(made))
    heads = ("feature", "values", "missing", "5 %", "median", "95 %", "most frequent")
    table = Table(*heads, title=plain(profile.model), caption=caption, caption_justify="left")
    for name, values in profile.features.items():
        table.add_row(*map(plain, (name, *_described(values))))
    wide_console().print(table)


def _origin(profile: Profile) -> str:
    drawn = _count(len(profile.times), "event")
    return f"{drawn} of {profile.events:,} in {profile.source}, seed {profile.seed}"


def _described(values: Sequence[Any]) -> tuple[str, ...]:
    """Values, share of missing ones, quantiles and most frequent categories, as far as there are such."""
    known = [value for value in values if value is not None]
    missing = f"{1 - len(known) / len(values):.1%}" if values else NONE
    numbers = sorted(value for value in known if isinstance(value, float))
    quantiles = [f"{numbers[math.ceil(part * len(numbers)) - 1]:.4g}" if numbers else NONE for part in _QUANTILES]
    counts = Counter(str(value) for value in known if not isinstance(value, float)).most_common(_SHOWN)
    frequent = ", ".join(f"{value} {count / len(known):.1%}" for value, count in counts)
    return (f"{len(known):,}", missing, *quantiles, frequent or NONE)


def _count(n: int, one: str) -> str:
    return f"{n:,} {one}" if n == 1 else f"{n:,} {one}s"
