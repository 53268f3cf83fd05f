"""The `[uploads]` section of the configuration."""

from pydantic import Field

from hub.core.config import Section


class UploadSettings(Section):
    """What may be uploaded as a recording."""

    table = "uploads"

    max_mb: int = Field(30, ge=1, le=200, description="largest recording somebody may upload, in MB")
    max_minutes: int = Field(15, ge=1, le=60, description="longest recording somebody may upload, in minutes")

    @property
    def most_bytes(self) -> int:
        """The same in bytes."""
        return self.max_mb * 1024 * 1024

    @property
    def longest_s(self) -> int:
        """The same in seconds."""
        return self.max_minutes * 60
