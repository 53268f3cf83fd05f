"""What the county has settled about going out."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from broadcasts.delivery.quiet import QuietHours
from broadcasts.sms.settings import SmsSettings


@dataclass(frozen=True)
class Rules:
    """Quiet hours, zone, text-message settings, and how late a loudspeaker may still start a routine item."""

    quiet: QuietHours
    zone: ZoneInfo
    sms: SmsSettings
    valid: timedelta
    emergency_valid: timedelta
    countdown: timedelta
    daily_minutes: int
    """How long a village may hear routine things on a day, from every source."""
    weekly_minutes: int = 300
    repeat_for: timedelta = timedelta(0)
    """How long a grave emergency is repeated."""
    repeat_pause_ms: int = 0
    proposal_valid: timedelta = timedelta(minutes=30)
    """How long words of one's own wait for a second person."""
    alone_after: timedelta | None = None
    """How long somebody waits for a second person before they may go alone; None: never."""
