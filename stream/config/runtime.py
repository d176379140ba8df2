"""How a worker runs: the merging of its inputs, its rhythm, and what it keeps."""

from __future__ import annotations

from pydantic import Field

from stream.config.fields import Duration, Section


class MergeConfig(Section):
    """How a task's two topics are merged on record time."""

    slack: Duration = Field(
        0.0, ge=0, description="records this close in time may be taken as one span, events first; more is faster"
    )
    wait: Duration = Field(
        1.0,
        ge=0,
        description="longest time a record waits for the other topic when that is silent; one younger goes at once",
    )
    max_buffered: int = Field(20_000, ge=100, description="records of one partition held before it is paused")


class ArchiveConfig(Section):
    """Snapshots of each task that are kept beside its newest two: `driftline explain` goes on from the one before the
    event, so that neither the log from its beginning on is needed nor the time to do all of it over. They lie where the
    newest two are, and each is as large as these (metric `driftline_snapshot_bytes`).
    """

    every: Duration = Field(21600.0, gt=0, description="least time between two archived snapshots of a task")
    keep: int = Field(
        28, ge=0, le=1000, description="archived snapshots kept of each task, the oldest go first; 0: none"
    )


class RuntimeConfig(Section):
    """The worker's rhythm."""

    commit_interval: Duration = Field(
        0.1, ge=0, description="longest time between the outputs of a span and its commit"
    )
    snapshot_interval: Duration = Field(
        30.0, gt=0, description="time between two snapshots of a task; longer for one whose snapshots take long"
    )
    snapshot_events: int = Field(
        100_000, ge=1, description="events after which a task's next snapshot is due, if they come before its time"
    )
    snapshot_directory: str | None = Field(
        None,
        min_length=1,
        description="directory to keep snapshots in, the same for all workers of the app; left out: they are in Redis",
    )
    snapshot_archive: ArchiveConfig = Field(
        default_factory=ArchiveConfig, description="snapshots that are kept for longer, to explain old predictions from"
    )
    shutdown_timeout: Duration = Field(20.0, gt=0, description="time a worker takes to finish when it is asked to stop")
