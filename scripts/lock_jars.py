"""Write the list of jars that the embedded Kafka consists of, with their SHA-256 (run after changing COORDINATES).

Resolves the coordinates with jgo, fetches every jar into a temporary directory, and writes the lock file beside
`stream/embedded/jars.py` in the format of sha256sum. Review the difference before committing it.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import jgo
from jgo.maven import MavenContext

from stream.embedded.jars import COORDINATES, LOCK_FILE


def main() -> None:
    """Resolve, fetch, write."""
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder)
        maven = MavenContext(repo_cache=repository, local_repos=[])
        lines = []
        for artifact in jgo.resolve("+".join(COORDINATES)):
            component = maven.project(artifact.groupId, artifact.artifactId).at_version(artifact.version)
            jar = component.artifact(artifact.classifier, artifact.packaging).resolve()
            path = jar.relative_to(repository).as_posix()
            lines.append((path, hashlib.sha256(jar.read_bytes()).hexdigest()))
    LOCK_FILE.write_text("".join(f"{digest}  {path}\n" for path, digest in sorted(lines)), encoding="ascii")
    print(f"{len(lines)} jars written to {LOCK_FILE}")  # noqa: T201


if __name__ == "__main__":
    main()
