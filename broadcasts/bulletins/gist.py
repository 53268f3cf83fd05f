"""What a document comes down to, however it is written: one kind of event, one colour, one area, one set of words."""

from dataclasses import dataclass, field
from datetime import datetime

from broadcasts.bulletins import events
from broadcasts.cap.document import Area, CapAlert, Info, MsgType, Named, Reference, Scope, Status
from broadcasts.kinds import Colour

CHINESE = ("zh", "cmn", "chi", "zho")
AREA_CODE_NAMES = ("cpeas", "gb2260", "gb/t2260", "行政区划", "区划代码", "区划码", "adcode")
"""Names under which Chinese documents write codes of regions. The same digits elsewhere mean something else."""
COLOUR_PARAMETERS = ("colour", "color", "颜色", "预警级别", "等级")


@dataclass(frozen=True, slots=True)
class Gist:
    """One thing that is said in a document. A document that says several things has several."""

    sender: str
    identifier: str
    sent: datetime
    status: Status
    purpose: MsgType
    scope: Scope
    issuer: str
    event: str
    kind: str
    hazard: str
    colour: Colour | None
    clashing: bool
    """The words name another colour than the severity stands for. The words count."""
    headline: str
    description: str
    instruction: str
    language: str
    begins: datetime
    ends: datetime
    ends_assumed: bool
    over: bool
    """It says that it is over: the danger is past, or all is clear."""
    areas: tuple[Area, ...]
    codes: tuple[str, ...]
    """Codes of regions as they were written."""
    references: tuple[Reference, ...]
    raw_codes: tuple[Named, ...] = field(default=())

    @property
    def own_reference(self) -> Reference:
        """By what other documents name the one it stands in."""
        return Reference(self.sender, self.identifier, self.sent)

    @property
    def chinese(self) -> bool:
        """Whether its words can be read to people."""
        return any("\u4e00" <= c <= "\u9fff" for c in self.headline + self.description)


def of_alert(alert: CapAlert, *, issuer: str = "") -> tuple[Gist, ...]:
    """Return what a CAP document says, in Chinese where it speaks Chinese, else in its first language.

    `issuer` is what this hub calls the sender; it counts more than what the document calls itself.
    """
    if not alert.infos:
        return ()
    language = _language(alert.infos)
    said = [_gist(alert, info, issuer) for info in alert.infos if info.language == language]
    merged: dict[tuple[str, Colour | None, str, str], Gist] = {}
    for gist in said:
        key = (gist.kind if gist.kind != events.OTHER else gist.event, gist.colour, gist.headline, gist.description)
        merged[key] = _joined(merged[key], gist) if key in merged else gist
    return tuple(merged.values())


def _language(infos: tuple[Info, ...]) -> str:
    spoken = [info.language for info in infos]
    return next((tag for tag in spoken if tag.split("-")[0].lower() in CHINESE), spoken[0])


def _joined(one: Gist, other: Gist) -> Gist:
    """Return what was said twice, for different areas, as said once for both."""
    values = {name: getattr(one, name) for name in Gist.__slots__}
    values["areas"] = one.areas + other.areas
    values["codes"] = tuple(dict.fromkeys(one.codes + other.codes))
    values["ends"] = max(one.ends, other.ends)
    return Gist(**values)


def _gist(alert: CapAlert, info: Info, issuer: str) -> Gist:
    kind = events.kind_of((info.event, info.headline), (code.value for code in info.event_codes))
    named = _named_colour(info)
    rated = events.colour_of_severity(info.severity)
    colour = named or rated
    begins = info.onset or info.effective or alert.sent
    ends = info.expires
    return Gist(
        sender=alert.sender,
        identifier=alert.identifier,
        sent=alert.sent,
        status=alert.status,
        purpose=alert.msg_type,
        scope=alert.scope,
        issuer=issuer or info.sender_name or alert.source or alert.sender,
        event=info.event,
        kind=kind.key,
        hazard=kind.hazard,
        colour=colour,
        clashing=named is not None and rated is not None and named is not rated,
        headline=info.headline,
        description=info.description,
        instruction=info.instruction,
        language=info.language,
        begins=begins,
        ends=ends or (info.effective or alert.sent) + kind.life_of(colour),
        ends_assumed=ends is None,
        over="AllClear" in info.responses or info.urgency == "Past",
        areas=info.areas,
        codes=tuple(dict.fromkeys(_codes(info.areas))),
        references=alert.references,
        raw_codes=info.event_codes,
    )


def _named_colour(info: Info) -> Colour | None:
    for parameter in info.parameters:
        if parameter.name.strip().lower() in COLOUR_PARAMETERS:
            lower = parameter.value.strip().lower()
            found = Colour(lower) if lower in set(Colour) else events.colour_named(parameter.value)
            if found is not None:
                return found
    return events.colour_named(info.event) or events.colour_named(info.headline)


def _codes(areas: tuple[Area, ...]) -> list[str]:
    return [geocode.value for area in areas for geocode in area.geocodes if _names_region(geocode.name)]


def _names_region(name: str) -> bool:
    plain = "".join(name.lower().split())
    return any(known in plain for known in AREA_CODE_NAMES)
