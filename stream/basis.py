"""What a task's state depends on besides its records: the configuration, and the profile that detectors start with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from detectors.watch import watch_features
from stream.config.budget import divide
from stream.config.digest import state_digest
from stream.config.model import Config
from stream.errors import ConfigError
from stream.profile import Profile


class Basis:
    """A configuration with its profile, which is fetched when it is first asked for.

    As long as that fails, with whatever `fetch` raises or ConfigError for a profile that lacks something, each question
    is another try.
    """

    def __init__(self, config: Config, fetch: Callable[[], Profile | None] = lambda: None) -> None:
        self.config = config
        self._fetch = fetch

    @cached_property
    def profile(self) -> Profile | None:
        """The profile; None if none is configured."""
        profile = self._fetch()
        if profile is not None:
            require_enough(self.config, profile)
        return profile

    @cached_property
    def digest(self) -> str:
        """That of all a task's state depends on."""
        profile = self.profile
        return state_digest(self.config, "" if profile is None else profile.digest)


def require_enough(config: Config, profile: Profile) -> None:
    """Raises ConfigError if a profile lacks values of a feature for a detector, where these are not to be learnt."""
    if config.references.lacking == "learn":
        return
    events, rows = len(profile.times), profile.rows
    for part in divide(config):
        if part.section != "data":
            continue
        watch = watch_features(part.config, config.events.numeric, config.events.categorical)
        lacking = {} if watch is None else watch.preset(rows, profile.times)
        for feature, more in lacking.items():
            known = sum(value is not None for value in profile.features.get(feature, ()))
            whose = "a segment of" if part.config.segments is not None else "detector"
            raise ConfigError(
                f"references.profile: it has {known:,} values of feature {feature!r}, in {events:,} events; {whose} "
                f"{part.config.called} lacks {more:,} more.",
                "Build it anew from more events (--events), or from such as have it; lower the detector's reference; "
                "or set references.lacking to learn.",
            )
