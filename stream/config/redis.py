"""The model store, and how long versions are kept there."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from stream.config.fields import Duration, Secret, Section, Words


class RetentionConfig(Section):
    """Which versions of the model are kept. One goes, with its artifact, when it is not among the newest and was not in
    use lately. In use is what serves, what a rollback would go back to, what competes and what is pinned.
    """

    keep: int = Field(50, ge=1, description="newest versions that are kept whatever their age")
    older_than: Duration = Field(
        2592000.0,
        ge=60,
        description="least time since its last use before another version goes; no shorter than the journal is "
        "kept, or `driftline explain` will lack models",
    )


class RedisConfig(Section):
    """The model store."""

    url: Annotated[str, Words("an address that begins with redis://, rediss:// or unix://")] = Field(
        "redis://localhost:6379/0",
        pattern=r"^(rediss?|unix)://",
        description="address of the server, with its database number",
    )
    password: Secret | None = Field(None, description="where the password is kept, if the server asks for one")
    poll_interval: Duration = Field(
        2.0, gt=0, description="time between looks at the champion pointer, in case a hint was lost"
    )
    timeout: Duration = Field(2.0, gt=0, description="longest wait for one answer")
    retention: RetentionConfig = Field(
        default_factory=RetentionConfig, description="how long versions of the model are kept"
    )
