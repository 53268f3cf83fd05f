"""The configuration section of emergencies."""

from pydantic import Field

from hub.core.config import Section


class EmergencySettings(Section):
    """Rules for emergencies: who may do what alone, how long it sounds, how soon the next person is called."""

    table = "emergency"

    proposal_minutes: int = Field(
        30, ge=1, le=240, description="how long words of one's own wait for a second person before they lapse"
    )
    break_glass: bool = Field(
        False,
        description="whether one person may send words of their own alone when nobody confirms; a reason is asked for, "
        "and the county is told",
    )
    break_glass_after_seconds: int = Field(
        60, ge=0, le=3600, description="how long they have to wait for a second person before that"
    )
    repeat_minutes: int = Field(
        10, ge=0, le=180, description="how long a red or orange emergency is repeated unless it is stopped; 0 = once"
    )
    repeat_pause_seconds: int = Field(30, ge=5, le=600, description="the pause between two rounds")
    call_minutes: float = Field(
        5.0, gt=0, le=60, description="how long somebody who is called has to confirm before the next person is called"
    )
    errand_minutes: int = Field(
        15, ge=1, le=240, description="how long a place may stay unphoned or doors unknocked before the list turns red"
    )
