"""From a configuration to its web application: in a worker's process, or in one of its own."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp

from stream.audit import TopicTrail
from stream.config.model import Config
from stream.history.reader import Reader
from stream.stores.opening import open_history
from stream.stores.registry import ModelStore
from stream.telemetry import Telemetry
from stream.web.app import make_app
from stream.web.feeds.following import TopicFeeds
from stream.web.parts import Parts
from stream.web.status import Status


def application(
    config: Config,
    store: ModelStore,
    telemetry: Telemetry | None = None,
    status: Callable[[], Status] | None = None,
) -> ASGIApp:
    """The application of a service; with the metrics and the status of the worker in this process, if there is one.

    Nothing is sent yet, neither to the broker nor to Redis. Raises ConfigError.
    """
    kept = open_history(config)
    history = None if kept is None else Reader(kept, config)
    return make_app(Parts(config, store, TopicTrail(config), history, TopicFeeds(config, history), telemetry, status))
