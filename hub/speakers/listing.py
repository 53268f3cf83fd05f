"""Loudspeakers as their pages show them: with the names of their places, and the counts on top."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.core.actor import Actor, Permission
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.regions.tree import Level, codes_in
from hub.speakers import registry
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.forms import Filter
from hub.speakers.models import Speaker
from hub.speakers.registry import Count, Enrolled
from hub.speakers.settings import MqttSettings
from hub.speakers.station import KEY_ID, Station

PAGE = 50
HANGING = frozenset({Level.VILLAGE, Level.GROUP})
"""Levels a loudspeaker can hang in."""
THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
FILTERED = frozenset({Level.TOWNSHIP, Level.VILLAGE})


@dataclass(frozen=True, slots=True)
class SpeakerPage:
    """Some loudspeakers, failing first. `places` names their villages; `after` says where to go on (empty: the end)."""

    speakers: tuple[Speaker, ...]
    places: dict[str, str]
    count: Count
    regions: list[tuple[str, str]]
    after: str


def page(session: Session, actor: Actor, wanted: Filter) -> SpeakerPage:
    """Return one page of what the filter asks for."""
    path = regions.get_region(session, actor, wanted.region).path if wanted.region else None
    found = registry.page(
        session,
        actor,
        path=path,
        only_offline=wanted.offline,
        query=wanted.query,
        after=wanted.place(),
        limit=PAGE + 1,
    )
    shown = found[:PAGE]
    rank, last = registry.place_of(shown[-1]) if len(found) > PAGE else (0, "")
    return SpeakerPage(
        speakers=tuple(shown),
        places=places(session, shown),
        count=registry.count(session, actor, path),
        regions=regions.choices(session, actor, Permission.SEE, levels=FILTERED),
        after=f"{rank}.{last}" if last else "",
    )


def places(session: Session, speakers: list[Speaker]) -> dict[str, str]:
    """Return region path → 青石镇 石桥村 for some loudspeakers."""
    codes = {code for speaker in speakers for code in codes_in(speaker.region_path)}
    names = regions.names(session, codes)
    return {
        path: " ".join(names.get(code, code) for code in (codes_in(path)[1:] or codes_in(path)))
        for path in {speaker.region_path for speaker in speakers}
    }


def villages(session: Session, actor: Actor) -> list[tuple[str, str]]:
    """Return (code, name) of every place where the actor may hang a loudspeaker."""
    return regions.choices(session, actor, Permission.EDIT_SPEAKERS, levels=HANGING)


def device_file(runtime: Runtime, enrolled: Enrolled, broker_host: str) -> DeviceFile:
    """Return what the new device must be given. `broker_host` is the hub's address as the device reaches it."""
    station, settings = runtime.get(Station), runtime.config.section(MqttSettings)
    return DeviceFile(
        id=enrolled.speaker.id,
        number=enrolled.speaker.number,
        secret=enrolled.secret,
        broker_host=broker_host,
        broker_port=station.address[1] or 1883,
        broker_tls=settings.tls,
        regions=codes_in(enrolled.speaker.region_path),
        hub_keys={KEY_ID: station.key.public()},
    )


def broker_host(runtime: Runtime) -> str:
    """Return the configured address of the broker, if it is one that other machines can use."""
    host = runtime.config.section(MqttSettings).host
    return "" if host in THIS_MACHINE | EVERYWHERE else host


def is_for_this_machine(runtime: Runtime) -> bool:
    """Return whether the broker listens so that no other machine reaches it."""
    settings = runtime.config.section(MqttSettings)
    return settings.engine != "external" and settings.host in THIS_MACHINE
