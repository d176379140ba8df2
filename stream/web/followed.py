"""What routes on topics have in common."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Query

from stream.errors import InfrastructureError
from stream.web.errors import Refused
from stream.web.feeds.following import TopicFeeds
from stream.web.parts import Parts

Limit = Annotated[int, Query(ge=1, le=500, description="most entries of the answer")]
Cursor = Annotated[str | None, Query(max_length=200, description="cursor of the answer before")]


def followed(parts: Parts) -> TopicFeeds:
    """What follows the topics. Raises InfrastructureError where nothing does."""
    if not isinstance(parts.feeds, TopicFeeds):
        raise InfrastructureError("The topics are not followed by this process.")
    return parts.feeds


def nothing_there(detail: str, cure: str | None = None) -> Refused:
    """404."""
    return Refused(HTTPStatus.NOT_FOUND, detail, cure)
