"""Predictions: those that were made, by id, and asking for one (docs/predict.md)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from stream.kafka.finding import UnknownPrediction
from stream.records import Prediction
from stream.schema import MAX_ID
from stream.web.answers import Json, answers
from stream.web.errors import Refused, problem
from stream.web.feeds.gateway import NotAnEvent
from stream.web.feeds.lookup import TookTooLong
from stream.web.followed import followed, nothing_there
from stream.web.parts import Parted
from stream.web.roles import Operator, Viewer

router = APIRouter(tags=["predictions"])

SECONDS = 10.0
"""Longest wait for a prediction unless the caller says another."""


class Place(msgspec.Struct, frozen=True):
    """Where a prediction stands; `older` counts those of the same id before it that were met."""

    topic: str
    partition: int
    offset: int
    older: int


class Located(Prediction, frozen=True, kw_only=True):
    """A prediction, as on the topic, and where that is."""

    found: Place


@router.get("/v1/predictions/{id:path}", responses=answers(Located, 404, 503, 504))
def show_prediction(
    id_: Annotated[str, Path(alias="id", min_length=1, max_length=MAX_ID, description="the event's id")],
    caller: Viewer,
    parts: Parted,
    partition: Annotated[
        int | None, Query(ge=0, lt=10**9, description="look in this partition of the topic only")
    ] = None,
) -> Json:
    """The newest prediction of an event. It is looked for from the newest back, for ten seconds at most."""
    topic = parts.config.topics.predictions
    try:
        found = followed(parts).lookup.find(id_, partition)
    except UnknownPrediction as error:
        raise nothing_there(error.message, error.cure) from None
    except TookTooLong as error:
        raise Refused(HTTPStatus.GATEWAY_TIMEOUT, error.message, error.cure) from None
    place = Place(topic, found.partition, found.offset, found.others)
    return Json(Located(**msgspec.structs.asdict(found.prediction), found=place))


@router.post(
    "/v1/predict",
    responses=answers(Prediction, 503, 504),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The event as it would stand on the topic. Without an id it gets one; `key` is the record's "
            "key, which is the id where there is none.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }
    },
)
async def predict(
    request: Request,
    caller: Operator,
    parts: Parted,
    seconds: Annotated[float, Query(alias="timeout", ge=0.1, le=60, description="longest wait, in seconds")] = SECONDS,
) -> Response:
    """Have an event predicted. It goes through Kafka like any other, so this takes about one commit interval."""
    gateway = followed(parts).gateway
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The event must come as Content-Type: application/json.")
    try:
        asked = gateway.read(await request.body())
        answer = await gateway.ask(asked, seconds)
    except NotAnEvent as error:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, error.message, error.cure, reason=error.reason)
    except TookTooLong as error:
        return problem(HTTPStatus.GATEWAY_TIMEOUT, error.message, error.cure, id=asked.id)
    return Response(answer.value, media_type="application/json")
