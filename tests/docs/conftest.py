"""The box in which the pages' commands run: `driftline dev up`, as the pages say, once for all of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
import redis
from kafka import KafkaAdminClient

from stream.cli import again
from stream.embedded.jars import cache_dir, locate
from stream.embedded.ports import free_port


class Servers(NamedTuple):
    """The environment in which commands find the box, and where the addresses of the pages really are."""

    env: dict[str, str]
    addresses: dict[str, str]


@pytest.fixture(scope="session")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A box that `driftline dev up --detach` starts and `driftline dev down` stops."""
    locate()
    cache = tmp_path_factory.mktemp("cache")
    for entry in cache_dir().glob("kafka-*"):
        (cache / entry.name).symlink_to(entry)
    env = {name: value for name, value in again.environment().items() if not name.startswith("DRIFTLINE_")}
    env["DRIFTLINE_CACHE_DIR"] = str(cache)
    started = json.loads(_driftline(env, "dev", "up", "--detach", "--json"))
    kafka, store = started["bootstrap_servers"], started["redis_url"]
    ports = {page: str(free_port()) for page in ("8080", "8081")}
    env |= {"DRIFTLINE_KAFKA": kafka, "DRIFTLINE_REDIS_URL": store, "DRIFTLINE_HTTP_PORT": ports["8080"]}
    env["DOCS_REDIS_URL"] = store
    addresses = {"localhost:9092": kafka, "localhost:6379": store.removeprefix("redis://").partition("/")[0]}
    for page, port in ports.items():
        addresses |= {f"localhost:{page}": f"localhost:{port}", page: port}
    try:
        yield Servers(env, addresses)
    finally:
        _driftline(env, "dev", "down")


@pytest.fixture
def servers(box: Servers) -> Servers:
    """The box, as empty as a reader's: what another page has left is gone."""
    with closing(KafkaAdminClient(bootstrap_servers=box.env["DRIFTLINE_KAFKA"])) as admin:
        left = [topic for topic in admin.list_topics() if not topic.startswith("__")]
        if left:
            admin.delete_topics(left)
    with redis.Redis.from_url(box.env["DRIFTLINE_REDIS_URL"]) as store:
        store.flushall()
    return box


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader who has cloned the repository sits: `configs/` is there, nothing else."""
    (tmp_path / "configs").symlink_to(Path(__file__).parents[2] / "configs")
    return tmp_path


def _driftline(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        again.command(*arguments), env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
