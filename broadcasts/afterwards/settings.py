"""The `[approval]` section of the configuration."""

from datetime import timedelta

from pydantic import Field

from hub.core.config import Section


class ApprovalSettings(Section):
    """How soon an emergency must have been looked at."""

    table = "approval"

    after_review_hours: int = Field(
        24, ge=1, le=720, description="hours after an emergency within which somebody else must have reviewed it"
    )

    @property
    def within(self) -> timedelta:
        """The time there is for it."""
        return timedelta(hours=self.after_review_hours)
