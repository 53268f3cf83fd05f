"""Loudspeakers, for programs."""

from datetime import date

from flask import Response
from pydantic import Field, StrictInt

from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.speakers import listing, registry
from hub.speakers import volume as volumes
from hub.speakers.care import setup
from hub.speakers.forms import Filter, NewSpeaker
from hub.speakers.joining import claims, desk
from hub.speakers.models import Speaker, SpeakerState
from hub.speakers.settings import MqttSettings
from hub.speakers.station import Station
from hub.speakers.topics import is_device_id
from hub.web.api import Input, Output, PageQuery, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.idempotency import finish, once
from hub.web.mistakes import fields_named
from hub.web.paging import cursor, place_of
from hub.web.work import actor, now, reading, work

bp = room("speakers", "Loudspeakers.")


class LoudTimeIn(Input):
    """A time of the local day in which routine items are no louder than `cap`; over midnight is fine."""

    start: StrictInt = Field(ge=0, le=1439, description="minute of the local day")
    end: StrictInt = Field(ge=0, le=1440, description="minute of the local day")
    cap: StrictInt = Field(ge=0, le=100)


class Health(Output):
    """What it said of itself in its last heartbeat; null where it said nothing."""

    amplifier: str = Field(description="on, off, fault, or empty")
    mains: bool | None
    battery: int | None = Field(description="per cent")
    temperature: int | None = Field(description="degrees Celsius")
    signal_dbm: int | None
    free_bytes: int | None
    clock_offset_ms: int | None = Field(description="how far its clock was ahead of the hub's")
    pack_count: int | None = Field(description="recordings of its emergency pack that are there and right")
    bad_messages: int = Field(description="messages it could not believe, since it started")
    faults: list[str] = Field(description="codes of the faults that last")
    settings_taken: bool = Field(description="whether it follows the settings last published for it")

    @classmethod
    def of(cls, speaker: Speaker) -> "Health":
        """Return how a loudspeaker is."""
        return cls(
            amplifier=speaker.amp,
            mains=speaker.mains,
            battery=speaker.battery,
            temperature=speaker.temperature,
            signal_dbm=speaker.signal_dbm,
            free_bytes=speaker.free_bytes,
            clock_offset_ms=speaker.clock_offset_ms,
            pack_count=speaker.pack_count,
            bad_messages=speaker.bad_messages,
            faults=list(speaker.faults),
            settings_taken=speaker.settings_taken >= speaker.settings_version,
        )


class PlaceOut(Output):
    """Where it hangs, for people."""

    place: str
    lat: float | None
    lon: float | None
    keeper: str
    households: int | None
    model: str
    installed_on: date | None
    note: str


class SpeakerOut(Output):
    """A loudspeaker, and how it was when last heard of."""

    id: str
    number: int
    name: str
    region: str
    state: SpeakerState
    online: bool
    volume: int = Field(description="of routine items, 0 to 100; 0 is mute")
    volumes: list[LoudTimeIn] = Field(description="times of the day in which routine items are no louder")
    lead_in_ms: int = Field(description="silence before the first word, while the amplifier warms up")
    drill: bool = Field(description="sounds drills and nothing else")
    activity: str = Field(description="what it does now; empty when nothing or unknown")
    fault: str = Field(description="what is broken, in the device's own words; empty when nothing")
    version: str
    enrolled_at: int
    seen_at: int | None
    online_since: int | None = Field(description="since when it has been online or offline, whichever it is now")
    health: Health
    place: PlaceOut

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
            volumes=[LoudTimeIn.model_validate(each) for each in speaker.volumes],
            lead_in_ms=speaker.lead_in_ms,
            drill=speaker.drill,
            activity=speaker.activity,
            fault=speaker.fault,
            version=speaker.version,
            enrolled_at=ms(speaker.enrolled_at),
            seen_at=ms_or_none(speaker.seen_at),
            online_since=ms_or_none(speaker.online_since),
            health=Health.of(speaker),
            place=PlaceOut(**{name: getattr(speaker, name) for name in PlaceOut.model_fields}),
        )


class Speakers(Output):
    """One page of loudspeakers: silent ones first, then faulty ones, then the rest."""

    items: list[SpeakerOut]
    next: str | None
    total: int = Field(description="loudspeakers in service in that region, without those for drills")
    online: int = Field(description="those of them that are connected")
    drills: int = Field(description="loudspeakers in service there that sound drills and nothing else")


class SpeakersQuery(PageQuery):
    """Which loudspeakers."""

    region: RegionCode | None = Field(None, description="only those in this region and below")
    offline: bool = Field(False, description="only those that are not connected")
    show: listing.Show = Field(listing.Show.ALL, description="only offline, faulty, mute, in repair, expected, drill")
    q: str = Field("", max_length=60, description="part of the id, name or place")


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


class SoundIn(Input):
    """How it sounds."""

    volumes: list[LoudTimeIn] = Field([], max_length=8)
    lead_in_ms: StrictInt = Field(0, ge=0, le=5000)
    drill: bool = False


class PlaceIn(Input):
    """Where it hangs. What is left out becomes empty."""

    name: str = Field(max_length=60)
    place: str = Field("", max_length=80)
    lat: float | None = Field(None, ge=-90, le=90)
    lon: float | None = Field(None, ge=-180, le=180)
    keeper: str = Field("", max_length=40, description="a name, never a phone number")
    households: StrictInt | None = Field(None, ge=0, le=20_000)
    model: str = Field("", max_length=40)
    installed_on: date | None = None
    note: str = Field("", max_length=200)


@bp.get("/speakers", responses=answers(Speakers, 404))
def list_speakers(query: SpeakersQuery) -> Response:
    """List loudspeakers in service, those that need somebody first."""
    after = place_of(query.cursor, _place) if query.cursor else None
    show = listing.Show.OFFLINE if query.offline else query.show
    wanted = Filter(region=query.region or "", show=show.value, query=query.q)
    with reading() as session:
        path = regions.get_region(session, actor(), query.region).path if query.region else None
        found = listing.rows(session, actor(), wanted, path=path, after=after, limit=query.limit + 1)
        count = registry.count(session, actor(), path)
        drills = registry.count_for_drills(session, actor(), path)
    return say(_page(found, query.limit, count, drills))


@bp.get("/speakers/<speaker_id>", responses=answers(SpeakerOut, 404))
def get_speaker(path: SpeakerPath) -> Response:
    """Return one loudspeaker."""
    with reading() as session:
        return say(SpeakerOut.of(registry.get(session, actor(), path.speaker_id)))


@bp.post("/speakers", responses=answers(Enrolled, 403, 404, 409, status=201))
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


@bp.put("/speakers/<speaker_id>/sound", responses=answers(SpeakerOut, 403, 404, 409))
def set_speaker_sound(path: SpeakerPath, body: SoundIn) -> Response:
    """Set volumes by the time of day, lead-in and drill; the device takes them over when it hears of them."""
    times = tuple(setup.LoudTime(each.start, each.end, each.cap) for each in body.volumes)
    sound = setup.Sound(times, body.lead_in_ms, body.drill)
    with fields_named(_our_field), work() as session:
        answer = say(SpeakerOut.of(setup.set_sound(session, actor(), path.speaker_id, sound, now=now())))
    runtime().get(Station).publish_settings([path.speaker_id])
    return answer


@bp.put("/speakers/<speaker_id>/place", responses=answers(SpeakerOut, 403, 404))
def set_speaker_place(path: SpeakerPath, body: PlaceIn) -> Response:
    """Correct where it hangs."""
    place = setup.Place(**body.model_dump())
    with work() as session:
        return say(SpeakerOut.of(setup.set_place(session, actor(), path.speaker_id, place, now=now())))


@bp.post("/speakers/<speaker_id>/retire", responses=answers(SpeakerOut, 403, 404, 409))
@once
def retire_speaker(path: SpeakerPath) -> Response:
    """Take a loudspeaker out of service; the broker refuses it from now on."""
    with work() as session:
        speaker = registry.retire(session, actor(), path.speaker_id, now=now())
        claims.dismiss_of(session, path.speaker_id)
        answer = finish(session, SpeakerOut.of(speaker))
    desk.tell_left(runtime(), [path.speaker_id])
    return answer


def _our_field(field: str) -> str:
    """Return `volumes.0.start` for the page's `start-0`."""
    name, dash, n = field.partition("-")
    return f"volumes.{n}.{name}" if dash else field


def _page(found: list[listing.Row], limit: int, count: registry.Count, drills: int) -> Speakers:
    shown = found[:limit]
    last = shown[-1] if len(found) > limit else None
    return Speakers(
        items=[SpeakerOut.of(row.speaker) for row in shown],
        next=cursor(last.rank, last.speaker.id) if last else None,
        total=count.total,
        online=count.online,
        drills=drills,
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
    station.publish_settings(new)
