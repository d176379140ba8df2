"""Traces of what a worker does, for those who collect them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stream.config.fields import Section, Words


class TracingConfig(Section):
    """Sends a trace of each commit by OTLP over HTTP. Needs the extra `otel`."""

    endpoint: Annotated[str, Words("an address such as http://localhost:4318/v1/traces")] = Field(
        "http://localhost:4318/v1/traces",
        pattern=r"^https?://[^\s/@]+(/\S*)?$",
        description="address of the collector, with the path of its traces",
    )
    sample: float = Field(0.01, gt=0, le=1, description="share of commits that are traced")
