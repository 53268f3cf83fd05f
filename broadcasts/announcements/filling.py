"""What an announcement is made of, put into its row: the fields of a draft, and its recording."""

from dataclasses import dataclass

from broadcasts.announcements import playing
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.models import Announcement
from broadcasts.loudspeaker.orders import Sound
from broadcasts.relay.addresses import LONGEST_ADDRESS, Relay
from broadcasts.speech.engine import Language


@dataclass(frozen=True, slots=True)
class Spoken:
    """A finished rendering: the recording, who spoke it, and the words as they were read."""

    sound: Sound
    engine: str
    spoken: str


def fill(announcement: Announcement, settled: Draft, home_path: str) -> None:
    """Put a settled draft into its row."""
    announcement.title = settled.title
    announcement.text = settled.text
    announcement.sms_text = settled.sms_text
    announcement.sms_until = settled.sms_until
    announcement.theme = settled.theme
    announcement.issuer, announcement.issuer_ref = settled.issuer, settled.issuer_ref
    announcement.audience = settled.audience.as_json()
    announcement.home_path = home_path
    announcement.voice = settled.language.value if settled.language is not Language.MANDARIN else ""
    announcement.speed = settled.speed
    announcement.repeats = settled.repeats
    announcement.volume = settled.volume
    announcement.when = settled.when
    announcement.at = settled.at
    announcement.daily_at = settled.daily_at
    announcement.first_day = settled.first_day
    announcement.last_day = settled.last_day
    playing.keep(announcement, settled)
    relay = settled.relay or Relay("", 0)
    if relay.url != announcement.relay_url:
        announcement.relay_found, announcement.relay_level_db = "", None
    announcement.relay_url, announcement.relay_minutes = relay.url[:LONGEST_ADDRESS], relay.minutes


def take_sound(announcement: Announcement, spoken: Spoken | None) -> None:
    """Put a rendering into its row."""
    announcement.audio_sha256 = spoken.sound.sha256 if spoken else ""
    announcement.audio_ms = spoken.sound.ms if spoken else 0
    announcement.audio_bytes = spoken.sound.bytes if spoken else 0
    announcement.engine = spoken.engine if spoken else ""
    announcement.spoken = spoken.spoken if spoken else ""
