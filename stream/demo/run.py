"""One run of the demo, from an empty directory to the summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from rich.console import Console
from rich.live import Live

from stream.demo import summary
from stream.demo.place import Place
from stream.demo.plain import Lines
from stream.demo.session import Options, Session, watch_to_the_end
from stream.demo.view import View
from stream.embedded.box import Box
from stream.interruption import INTERRUPTED, Interruption


def run(options: Options, console: Console, interruption: Interruption) -> int:
    """Run the demo and return its exit code: 0, or 130 when it was asked to stop before its end.

    Raises DriftlineError when something cannot start or ends by itself, and KeyboardInterrupt while it is starting.
    """
    with ExitStack() as stack:
        place = stack.enter_context(closing(Place(options.data_dir)))
        console.print("Starting Apache Kafka and Valkey.")
        box = Box(options.data_dir, console=console)
        stack.callback(_end, box, keep=options.data_dir is not None)
        box.start()
        console.print(f"Kafka is at {box.bootstrap_servers}, Valkey at {box.redis_url}. Starting the service.")
        session = stack.enter_context(Session(options, place, box))
        where = session.where
        console.print(f"Its page is at {where.page_url}, its log is {where.log}")
        console.print(f"In another terminal: . {where.env}; driftline alerts tail -c $DEMO")
        interruption.starting = False
        with _shown(session, options.plain, console) as show:
            done = watch_to_the_end(session, interruption, show)
        session.conclude()
        summary.show(session.picture, console)
        if options.keep and not interruption.asked:
            console.print("Kafka, Valkey and the service stay up. Ctrl-C stops them.")
            while not interruption.asked:
                session.turn()
        console.print("Stopping." if options.data_dir is None else f"Stopping. All data are kept in {place.path}")
    return 0 if done else INTERRUPTED if interruption.asked else 1


@contextmanager
def _shown(session: Session, plain: bool, console: Console) -> Iterator[Callable[[], None]]:
    """What shows the picture, called after each turn."""
    if plain:
        yield Lines(session.picture, console).show
        return
    with Live(View(session.picture, session.where), console=console, screen=True, auto_refresh=False) as live:
        yield live.refresh


def _end(box: Box, keep: bool) -> None:
    """What is kept is brought to rest in order; what is thrown away need not be."""
    if not keep:
        box.kill()
    box.close()
