"""Where benchmarks measure: what a service needs is there. A script whose service does not start proves nothing."""

from __future__ import annotations

from bench.models import MODELS, rows
from bench.place import Ends, Place
from bench.running import Worker


def test_a_service_of_a_benchmark_works_off_its_backlog() -> None:
    with Place() as place:
        stream = place.fill(*rows(2_000), partitions=2)
        config = place.service(MODELS["Scaler + LogisticRegression"].learner, stream, "confluent", "exactly_once")
        with Worker(place, config) as worker, Ends(place.address, config.topics.predictions, 2) as ends:
            worker.wait_for(lambda: ends.count() >= stream.n)
            worker.stop()
