"""The `[watch]` section of the configuration."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from hub.core.config import Section


class WatchSettings(Section):
    """How the hub watches itself, and who may read its numbers."""

    table = "watch"

    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="who sends it as `Authorization: Bearer …` may read /metrics from anywhere; empty = this machine "
        "alone. Better: CUNXIANG_WATCH_METRICS_TOKEN",
    )
    disk_low_mb: int = Field(2_000, ge=1, description="free space in data_dir below which the page asks to make room")
    disk_full_mb: int = Field(300, ge=1, description="free space below which it is an alarm")
    certificate_days: int = Field(30, ge=1, le=365, description="days before a certificate ends that it is said")
    backup_days: int = Field(
        2, ge=0, le=90, description="days without a `cunxiang backup` after which it is said; 0 = made by other means"
    )
    clock_off_ms: int = Field(
        500, ge=10, le=60_000, description="how far the clocks of hub and database may lie apart, in milliseconds"
    )

    @model_validator(mode="after")
    def _asks_before_it_alarms(self) -> Self:
        if self.disk_full_mb > self.disk_low_mb:
            raise ValueError("disk_full_mb must not be more than disk_low_mb: first a question, then an alarm")
        return self
