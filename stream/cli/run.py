"""`driftline run`: the service."""

from __future__ import annotations

from stream.cli.options import ConfigFile, LogLevel, LogLines


def run(
    config: ConfigFile,
    log_format: LogLines = None,
    log_level: LogLevel = "info",
) -> None:
    """Predict, learn, watch for drift and adapt, until Ctrl-C or SIGTERM."""
    from stream import log
    from stream.config.load import load
    from stream.service import Service, stop_on_signals, tune_the_interpreter

    log.configure(log_format, log_level)
    stop_on_signals(service := Service(load(config)))
    tune_the_interpreter()
    service.run()
