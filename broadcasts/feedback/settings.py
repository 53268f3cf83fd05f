"""The `[feedback]` section of the configuration."""

from datetime import timedelta

from pydantic import Field

from hub.core.config import Section


class FeedbackSettings(Section):
    """What residents say about broadcasts."""

    table = "feedback"

    linked_minutes: int = Field(
        180, ge=5, le=1440, description="how long after a broadcast a complaint that names none is taken to be about it"
    )
    due_hours: int = Field(72, ge=1, le=720, description="how long staff have to deal with a complaint")
    forms_per_minute: int = Field(
        4, ge=1, le=1000, description="forms one address may send from villages' pages in a minute"
    )
    forms_per_day: int = Field(
        100, ge=1, le=10_000, description="complaints that are taken from one village's page in 24 hours"
    )
    pages_per_minute: int = Field(
        240,
        ge=1,
        le=100_000,
        description="villages' pages one address may open in a minute; a whole town may share one",
    )

    @property
    def due_in(self) -> timedelta:
        """How long staff have."""
        return timedelta(hours=self.due_hours)

    @property
    def linked_for(self) -> timedelta:
        """How long a complaint is taken to be about the last broadcast."""
        return timedelta(minutes=self.linked_minutes)
