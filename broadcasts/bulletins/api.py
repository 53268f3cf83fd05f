"""Official warnings, for programs: hand one in, look at what came of it, pass it on or leave it."""

from collections.abc import Iterable
from uuid import UUID

from flask import Response, request
from flask_openapi3.models import RawModel
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from broadcasts.alerts import service as alerts
from broadcasts.alerts.api import AlertOut
from broadcasts.alerts.voice import speak
from broadcasts.alerts.wishes import Spoken
from broadcasts.bulletins import deciding, intake, listing
from broadcasts.bulletins.deciding import Passing
from broadcasts.bulletins.intake import Received, Source
from broadcasts.bulletins.models import Bulletin, BulletinState, Door
from broadcasts.bulletins.settings import WarningSettings
from broadcasts.cap.feeds import XML_TYPES
from broadcasts.cap.findings import Finding
from broadcasts.cap.limits import Limits
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour
from broadcasts.studio import Studio
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.web.api import Input, Output, PageQuery, RegionCode, answers, ms, room, say, takes, takes_up_to
from hub.web.errors import problem
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.idempotency import finish, once
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.words import sentence
from hub.web.work import actor, now, reading, work

bp = room("warnings", "Official warnings: CAP 1.2 and national early warnings in; whoever is on duty decides.")

STATUS_OF = {
    "policy_identity_reused": 409,
    "policy_cancel_twice": 409,
    "policy_cancel_replaced": 409,
    "policy_cancel_ambiguous": 409,
    "policy_cancel_unknown": 404,
    "policy_reference_foreign": 403,
    "xml_too_large": 413,
}
MOST_SAID = 50


class CapDocument(RawModel):
    """One CAP 1.2 document."""

    mimetypes = list(XML_TYPES)  # noqa: RUF012 - no instance of it is ever made


class NationalMessage(BaseModel):
    """One message: id, sender, sendTime, eventName, severity, areaCodes, headline…; see docs/warnings.md."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Remark(Output):
    """Something a verdict has to say."""

    stage: str = Field(description="`schema`, `prose` (the words of the standard) or `policy` (this hub)")
    code: str = Field(description="for programs; never changes")
    detail: str = Field(description="for people")
    element: str = Field(description="where, as in `/alert/info[2]/area/polygon[1]`; empty = the document as a whole")
    line: int = Field(description="line of the document as it was sent; 0 = not one line")
    warning: bool = Field(description="it refuses nothing")


class BulletinOut(Output):
    """One warning."""

    id: UUID
    document_id: UUID
    state: BulletinState
    sender: str
    identifier: str
    sent: int
    issuer: str
    event: str
    hazard: str
    colour: Colour | None
    title: str
    headline: str
    regions: list[str] = Field(description="the outermost regions that are meant, as far as the account may see them")
    ends: int
    ends_assumed: bool = Field(description="the document does not say until when; the hub's table does")
    incident_id: UUID | None
    received_at: int

    @classmethod
    def of(cls, found: Bulletin, regions: Iterable[str]) -> "BulletinOut":
        """Return a warning for showing."""
        return cls(
            id=found.id,
            document_id=found.document_id,
            state=found.state,
            sender=found.sender,
            identifier=found.identifier,
            sent=ms(found.sent),
            issuer=found.issuer,
            event=found.event,
            hazard=found.hazard,
            colour=found.colour,
            title=found.title,
            headline=found.headline,
            regions=list(regions),
            ends=ms(found.ends),
            ends_assumed=found.ends_assumed,
            incident_id=found.incident_id,
            received_at=ms(found.received_at),
        )


class Handed(Output):
    """What became of a document."""

    document_id: UUID
    again: bool = Field(description="the very same document came before; nothing was done twice")
    verdicts: dict[str, str]
    remarks: list[Remark]
    warnings: list[BulletinOut]


class Bulletins(Output):
    """Warnings, the latest first."""

    items: list[BulletinOut]
    next: str | None = Field(description="`cursor` of the next page; null when there is none")


class HandIn(Input):
    """For which part of the tree a document is handed in."""

    region: RegionCode | None = Field(None, description="needed only when the key's account answers for several places")


class BulletinPath(Input):
    """Which warning."""

    warning_id: UUID


class TakeIn(Input):
    """The decision to pass a warning on, confirmed."""

    colour: Colour
    speakers_confirmed: StrictInt = Field(
        ge=0, description="how many loudspeakers will sound; another number sends nothing"
    )
    form_key: str = Field(
        min_length=8, max_length=40, pattern=r"^[!-~]+$", description="a word of your own; sent twice it arms once"
    )
    sms: StrictBool = Field(True, description="whether it goes to telephones too")


class DismissIn(Input):
    """Why a warning is left."""

    reason: str = Field(min_length=1, max_length=200)


def _largest() -> int:
    return runtime().config.section(WarningSettings).largest_document_kb * 1000


@bp.post("/warnings/cap", responses=answers(Handed, 403, 404, 409, status=201))
@takes(*XML_TYPES)
@takes_up_to(_largest)
@permission_required(Permission.DELIVER_WARNINGS)
def hand_in_cap(raw: CapDocument, query: HandIn) -> Response:
    """Hand in a CAP 1.2 document. It becomes a proposal for whoever is on duty, or takes back or replaces another.

    The same document twice is one document. What is refused is a problem with two more members, `verdicts` and
    `remarks`: each remark names its element and line.
    """
    data = request.get_data(cache=False)
    with work() as session:
        received = intake.receive_cap(
            session, _source(query, Door.PUSH), data, now=now(), limits=Limits(size=_largest())
        )
    return answer_for(received)


@bp.post("/warnings/national", responses=answers(Handed, 403, 404, 409, status=201))
@permission_required(Permission.DELIVER_WARNINGS)
def hand_in_national(body: NationalMessage, query: HandIn) -> Response:
    """Hand in a warning as the national early-warning platform writes it (JSON). Judged by the same rules."""
    with work() as session:
        source = _source(query, Door.NATIONAL)
        received = intake.receive_national(session, source, body.model_extra or {}, request.get_data(), now=now())
    return answer_for(received)


@bp.get("/warnings", responses=answers(Bulletins))
def list_warnings(query: PageQuery) -> Response:
    """List the warnings that came in where the account may see them."""
    before = place_of(query.cursor, moment_and_id) if query.cursor else None
    with reading() as session:
        found = listing.page(session, actor(), limit=query.limit, before=before)
        items = [BulletinOut.of(one, listing.own_codes(actor(), one)) for one in found]
    last = found[-1] if len(found) == query.limit else None
    return say(Bulletins(items=items, next=cursor(last.received_at.isoformat(), str(last.id)) if last else None))


@bp.get("/warnings/<uuid:warning_id>", responses=answers(BulletinOut, 404))
def get_warning(path: BulletinPath) -> Response:
    """Return one warning."""
    with reading() as session:
        found = deciding.get(session, actor(), path.warning_id)
        return say(BulletinOut.of(found, listing.own_codes(actor(), found)))


@bp.post("/warnings/<uuid:warning_id>/take", responses=answers(AlertOut, 403, 404, 409, 503, status=201))
@permission_required(Permission.EMERGENCY)
@once
def take_warning(path: BulletinPath, body: TakeIn) -> Response:
    """Pass it on to the account's own places: the countdown starts, and until it is over it can be cancelled."""
    passing = Passing(body.form_key, body.colour, body.speakers_confirmed, body.sms)
    spoken = spoken_for(path.warning_id, passing)
    with work() as session:
        rules = runtime().get(Rules)
        found = deciding.take(session, actor(), path.warning_id, passing, spoken, rules=rules, now=now())
        return finish(session, AlertOut.of(found), 201)


@bp.post("/warnings/<uuid:warning_id>/dismiss", responses=answers(BulletinOut, 403, 404, 409))
@permission_required(Permission.EMERGENCY)
@once
def dismiss_warning(path: BulletinPath, body: DismissIn) -> Response:
    """Leave it, and say why."""
    with work() as session:
        found = deciding.dismiss(session, actor(), path.warning_id, reason=body.reason, now=now())
        return finish(session, BulletinOut.of(found, listing.own_codes(actor(), found)))


@bp.post("/warnings/<uuid:warning_id>/split", responses=answers(BulletinOut, 403, 404, 409))
@permission_required(Permission.EMERGENCY)
@once
def split_warning(path: BulletinPath) -> Response:
    """Say that it is another event than the others it was put with."""
    with work() as session:
        found = deciding.split(session, actor(), path.warning_id, now=now())
        return finish(session, BulletinOut.of(found, listing.own_codes(actor(), found)))


def spoken_for(warning_id: UUID, passing: Passing) -> Spoken:
    """Make the recording before anything is written; nothing is made when it may not go out like this."""
    rules = runtime().get(Rules)
    with reading() as session:
        if alerts.armed_before(session, actor(), passing.form_key) is not None:
            return Spoken(None, "")
        bulletin = deciding.get(session, actor(), warning_id)
        deciding.require_waiting(session, actor(), bulletin, now=now())
        wish = deciding.wish_of(session, actor(), bulletin, passing)
        alerts.check(session, actor(), wish, rules=rules, now=now())
    if alerts.hushed(passing.colour, rules, now()):
        return Spoken(None, "")
    return speak(runtime().get(Studio), wish.words.speech, passing.colour)


def answer_for(received: Received) -> Response:
    """Return what a program is told about a document it handed in."""
    if received.refused or received.document is None:
        return _problem(received)
    shown = [BulletinOut.of(one, one.regions) for one in received.bulletins]
    handed = Handed(
        document_id=received.document.id,
        again=received.again,
        verdicts=received.verdicts,
        remarks=_remarks(received.findings),
        warnings=shown,
    )
    return say(handed, 201)


def _source(query: HandIn, door: Door) -> Source:
    paths = actor().paths(Permission.DELIVER_WARNINGS)
    if query.region is not None:
        with reading() as session:
            paths = (regions.get_region(session, actor(), query.region, Permission.DELIVER_WARNINGS).path,)
    if len(paths) != 1:
        raise BadInput("bulletin_region_needed", field="region")
    return Source(door, paths[0], actor().name)


def _remarks(findings: Iterable[Finding]) -> list[Remark]:
    return [
        Remark(
            stage=f.stage.value,
            code=f.code,
            detail=sentence(f.code, language(), **f.params),
            element=f.element,
            line=f.line,
            warning=f.warning,
        )
        for f in list(findings)[:MOST_SAID]
    ]


def _problem(received: Received) -> Response:
    wrong = [finding for finding in received.findings if not finding.warning]
    first = wrong[0]
    status = STATUS_OF.get(first.code, 422)
    return problem(
        status,
        first.code,
        sentence(first.code, language(), **first.params),
        errors=[
            {"field": f.element, "code": f.code, "detail": sentence(f.code, language(), **f.params)}
            for f in wrong[:MOST_SAID]
        ],
        more={
            "verdicts": received.verdicts,
            "remarks": [remark.model_dump() for remark in _remarks(received.findings)],
        },
    )
