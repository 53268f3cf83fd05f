"""Loudspeakers, for programs."""

from flask import Response
from pydantic import Field, StrictInt

from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.speakers import listing, registry
from hub.speakers import volume as volumes
from hub.speakers.forms import NewSpeaker
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.settings import MqttSettings
from hub.speakers.station import Station
from hub.speakers.topics import is_device_id
from hub.web.api import Input, Output, PageQuery, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.idempotency import finish, once
from hub.web.paging import cursor, place_of
from hub.web.work import actor, now, reading, work

bp = room("speakers", "Loudspeakers.")


class SpeakerOut(Output):
    """A loudspeaker, and how it was when last heard of."""

    id: str
    number: int
    name: str
    region: str
    state: SpeakerState
    online: bool
    volume: int = Field(description="of routine items, 0 to 100; 0 is mute")
    activity: str = Field(description="what it does now; empty when nothing or unknown")
    fault: str = Field(description="what is broken, in the device's own words; empty when nothing")
    version: str
    enrolled_at: int
    seen_at: int | None
    online_since: int | None = Field(description="since when it has been online or offline, whichever it is now")

    @classmethod
    def of(cls, speaker: Speaker) -> "SpeakerOut":
        """Return a loudspeaker for showing."""
        return cls(
            id=speaker.id,
            number=speaker.number,
            name=speaker.name,
            region=speaker.region_code,
            state=speaker.state,
            online=speaker.online,
            volume=speaker.volume,
            activity=speaker.activity,
            fault=speaker.fault,
            version=speaker.version,
            enrolled_at=ms(speaker.enrolled_at),
            seen_at=ms_or_none(speaker.seen_at),
            online_since=ms_or_none(speaker.online_since),
        )


class Speakers(Output):
    """One page of loudspeakers: silent ones first, then faulty ones, then the rest."""

    items: list[SpeakerOut]
    next: str | None
    total: int = Field(description="loudspeakers in service in that region")
    online: int = Field(description="those of them that are connected")


class SpeakersQuery(PageQuery):
    """Which loudspeakers."""

    region: RegionCode | None = Field(None, description="only those in this region and below")
    offline: bool = Field(False, description="only those that are not connected")
    q: str = Field("", max_length=60, description="part of the id or name")


class SpeakerPath(Input):
    """Which loudspeaker."""

    speaker_id: str = Field(max_length=32)


class NewSpeakerIn(Input):
    """A new loudspeaker."""

    speaker_id: str = Field(max_length=32, description="2 to 32 lower-case letters, digits, - and _")
    name: str = Field(max_length=60, description="where it hangs, such as 村口")
    region_code: RegionCode = Field(description="its village or group")
    broker_host: str = Field(
        "", max_length=200, description="the broker's address as the device reaches it; empty = the configured one"
    )


class Enrolled(Output):
    """A new loudspeaker with what it must be given. The password is shown this once."""

    speaker: SpeakerOut
    secret: str
    device_file: str = Field(description="the whole device file, TOML; the password is in it")


class Volume(Input):
    """How loud routine items are."""

    volume: StrictInt = Field(ge=0, le=100)


@bp.get("/speakers", responses=answers(Speakers, 404))
def list_speakers(query: SpeakersQuery) -> Response:
    """List loudspeakers in service, those that need somebody first."""
    after = place_of(query.cursor, _place) if query.cursor else None
    with reading() as session:
        path = regions.get_region(session, actor(), query.region).path if query.region else None
        found = registry.page(
            session,
            actor(),
            path=path,
            only_offline=query.offline,
            query=query.q,
            after=after,
            limit=query.limit + 1,
        )
        count = registry.count(session, actor(), path)
    return say(_page(found, query.limit, count))


@bp.get("/speakers/<speaker_id>", responses=answers(SpeakerOut, 404))
def get_speaker(path: SpeakerPath) -> Response:
    """Return one loudspeaker."""
    with reading() as session:
        return say(SpeakerOut.of(registry.get(session, actor(), path.speaker_id)))


@bp.post("/speakers", responses=answers(Enrolled, 404, 409, status=201))
@once
def enrol_speaker(body: NewSpeakerIn) -> Response:
    """Add a loudspeaker; its password is in the answer and nowhere else."""
    host = _host(body)
    with work() as session:
        found = registry.enrol(
            session,
            actor(),
            speaker_id=body.speaker_id,
            name=body.name,
            region_code=body.region_code,
            now=now(),
        )
        text = listing.device_file(runtime(), found, host).text()
        answer = finish(
            session, Enrolled(speaker=SpeakerOut.of(found.speaker), secret=found.secret, device_file=text), 201
        )
    _tell_broker([found.speaker.id])
    return answer


@bp.put("/speakers/<speaker_id>/volume", responses=answers(SpeakerOut, 403, 404, 409, 503))
def set_speaker_volume(path: SpeakerPath, body: Volume) -> Response:
    """Set the volume of routine items, on the device and here."""
    return say(SpeakerOut.of(volumes.change(runtime(), actor(), path.speaker_id, body.volume)))


@bp.post("/speakers/<speaker_id>/retire", responses=answers(SpeakerOut, 403, 404, 409))
@once
def retire_speaker(path: SpeakerPath) -> Response:
    """Take a loudspeaker out of service; the broker refuses it from now on."""
    with work() as session:
        answer = finish(session, SpeakerOut.of(registry.retire(session, actor(), path.speaker_id, now=now())))
    _tell_broker([])
    return answer


def _page(found: list[Speaker], limit: int, count: registry.Count) -> Speakers:
    shown = found[:limit]
    more = len(found) > limit
    return Speakers(
        items=[SpeakerOut.of(speaker) for speaker in shown],
        next=cursor(*registry.place_of(shown[-1])) if more else None,
        total=count.total,
        online=count.online,
    )


def _place(rank: object, speaker_id: object) -> registry.Place:
    if not (isinstance(speaker_id, str) and is_device_id(speaker_id)):
        raise ValueError(speaker_id)
    return {"0": 0, "1": 1, "2": 2}[str(rank)], speaker_id


def _host(body: NewSpeakerIn) -> str:
    wanted = body.broker_host or runtime().config.section(MqttSettings).host
    return NewSpeaker(body.speaker_id, body.name, body.region_code, wanted).host()


def _tell_broker(new: list[str]) -> None:
    station = runtime().get(Station)
    station.renew_accounts()
    if new:
        station.publish_settings(new)
