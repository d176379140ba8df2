"""`driftline web`: the page and the API in a process of their own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from stream.cli.options import ConfigFile, LogLevel, LogLines

if TYPE_CHECKING:
    from stream.config.model import Config


def web(
    config: ConfigFile,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="http.host of the file")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0: a free one.", show_default="http.port of the file")
    ] = None,
    log_format: LogLines = None,
    log_level: LogLevel = "info",
) -> None:
    """Serve the page and the API over all workers of a service, until Ctrl-C or SIGTERM.

    It reads Redis and the topics and asks no worker, so it may run elsewhere than they do, and go on when they stop.
    """
    from stream import log
    from stream.config.load import load
    from stream.service import stop_on_signals

    log.configure(log_format, log_level)
    service = load(config)
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    stop_on_signals(process := Web(service.model_copy(update={"http": service.http.model_copy(update=given)})))
    process.run()


class Web:
    """The application, served until it is asked to stop. Raises ConfigError when it cannot be."""

    def __init__(self, config: Config) -> None:
        from stream.stores.opening import open_store
        from stream.web.server import Server
        from stream.web.wiring import application

        self._config = config
        self._stop = threading.Event()
        self.server = Server(application(config, open_store(config)), config.http)

    def run(self) -> None:
        """Serve until `stop` is called."""
        import structlog

        log = structlog.get_logger()
        with self.server:
            log.info("started", app=self._config.app, model=self._config.model.name, page=self.server.url)
            self._stop.wait()
        log.info("stopped", app=self._config.app)

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Return from `run`. May be called from any thread or signal handler."""
        self._stop.set()
