"""Traces as a collector gets them."""

from __future__ import annotations

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.integration.service.conftest import MakeStage
from tests.integration.support.receiver import Receiver, receiving
from tests.integration.support.running import InThread
from tests.integration.support.stage import event, label

STAGES = {"driftline.decode", "driftline.engine", "driftline.produce", "driftline.commit"}


def names(receiver: Receiver) -> set[str]:
    requests = [ExportTraceServiceRequest.FromString(posted.body) for posted in receiver.posted]
    return {
        span.name
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


def test_a_collector_gets_every_stage_of_what_was_committed(make_stage: MakeStage) -> None:
    with receiving(lambda n: 200) as collector:
        stage = make_stage({"tracing": {"endpoint": collector.url, "sample": 1.0}})
        stage.produce("events", [event(n) for n in range(200)])
        stage.produce("labels", [label(n) for n in range(200)])
        with InThread(stage):
            stage.predictions(at_least=200)

    assert names(collector) == {"driftline", *STAGES}
