"""The configuration sections of what is said."""

import re

from pydantic import Field, field_validator

from hub.core.config import OptionalPath, Section

_RANGE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


class BroadcastSettings(Section):
    """Rules for what goes out on loudspeakers."""

    table = "broadcast"

    quiet_hours: tuple[str, ...] = Field(
        ("21:00-06:30", "12:30-14:00"),
        description='local times in which nothing routine sounds, each "HH:MM-HH:MM"; over midnight is fine',
    )
    routine_valid_minutes: int = Field(
        10, ge=1, le=240, description="how late a loudspeaker may still start a routine item; later it stays silent"
    )
    emergency_valid_minutes: int = Field(
        60, ge=5, le=1440, description="how long an emergency is still played by a loudspeaker that comes back late"
    )
    daily_minutes: int = Field(60, ge=1, le=1440, description="routine minutes a day that a village should not exceed")
    countdown_seconds: float = Field(
        3.0, ge=0, le=30, description="time between pressing 立即播发 and the first sound, in which it can be cancelled"
    )
    prepare_seconds: int = Field(
        20, ge=0, le=600, description="how long before its start a scheduled item is sent out, to be fetched in time"
    )

    sheet_hours: int = Field(
        24,
        ge=0,
        le=30,
        description="how many hours ahead approved items are sent to loudspeakers, which then sound them even with the "
        "line down; 0 = never",
    )

    @field_validator("quiet_hours")
    @classmethod
    def _are_ranges(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if not _RANGE.fullmatch(text):
                raise ValueError(f'{text!r} is not a range of local times like "21:00-06:30"')
        return value


class SpeechSettings(Section):
    """Who speaks, and how."""

    table = "speech"

    engines: tuple[str, ...] = Field(("pyttsx3",), min_length=1, description="speech engines, the preferred one first")
    voice: str = Field("", description="voice of the first engine; empty = the engine's own Mandarin voice")
    rate: int = Field(150, ge=80, le=300, description="normal speed in the engine's words a minute")
    cache_dir: OptionalPath = Field(None, description="where renderings are kept; empty = data_dir/sound")
    cache_mb: int = Field(2000, ge=50, description="how much room old renderings may take")
