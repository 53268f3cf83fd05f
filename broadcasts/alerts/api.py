"""Emergencies, for programs: look ahead, start the countdown, confirm, cancel, stop, take back."""

from uuid import UUID

from flask import Response
from pydantic import Field, StrictBool, StrictInt

from broadcasts.alerts import confirming, ending, service
from broadcasts.alerts.asking import ask
from broadcasts.alerts.desk import Desk, audience_of
from broadcasts.alerts.hazards import Hazard, hazard, hazards
from broadcasts.alerts.models import Alert, AlertState, Authority
from broadcasts.alerts.voice import Warmer, speak
from broadcasts.alerts.wishes import Spoken, Wish
from broadcasts.audience.selection import Audience
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Act, Colour, Mode
from broadcasts.pumps import Pumps
from broadcasts.studio import Studio
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound
from hub.core.runtime import runtime
from hub.web.api import Input, Output, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, reading, urgent_work

bp = room("alerts", "Emergencies: approved words, a countdown, every loudspeaker at full volume.")


class Said(Output):
    """The approved words of one colour; `{place}` stands where the place will be."""

    colour: Colour
    speech: str
    sms: str


class HazardOut(Output):
    """One kind of emergency."""

    key: str
    name: str
    name_en: str
    words: list[Said]

    @classmethod
    def of(cls, found: Hazard) -> "HazardOut":
        """Return a hazard for showing."""
        words = [Said(colour=colour, speech=w.speech, sms=w.sms) for colour, w in found.words.items()]
        return cls(key=found.key, name=found.name, name_en=found.name_en, words=words)


class Hazards(Output):
    """Every kind of emergency there are approved words for."""

    items: list[HazardOut]


class AlertWish(Input):
    """What has happened, how grave it is, and where."""

    hazard: str = Field(max_length=20, description="the `key` of a hazard")
    colour: Colour
    regions: list[RegionCode] = Field(min_length=1, max_length=500, description="counties, townships or villages")
    sms: StrictBool = Field(True, description="whether it goes to telephones too")


class AlertIn(AlertWish):
    """An emergency, confirmed."""

    speakers_confirmed: StrictInt = Field(
        ge=0, description="how many loudspeakers will sound, as the preview says; another number sends nothing"
    )
    form_key: str = Field(
        min_length=8, max_length=40, pattern=r"^[!-~]+$", description="a word of your own; sent twice it arms once"
    )


class AlertPreview(Output):
    """What would be said, and whom it would reach."""

    title: str
    place: str
    speech: str
    sms_text: str
    speakers: int = Field(description="to be sent back as `speakers_confirmed`")
    offline: int
    phones: int
    hushed: bool = Field(description="it is quiet and only red and orange wake people: no loudspeaker sounds")


class AlertOut(Output):
    """An emergency and how far it has come."""

    id: UUID
    state: AlertState
    act: Act = Field(description="an alert, an update of one, its correction, or its all-clear")
    follows_id: UUID | None = Field(description="the emergency that this one updates, corrects or ends")
    incident_id: UUID | None
    authority: Authority | None = Field(description="by what right it sounds; null while it waits for a second person")
    hazard: str
    colour: Colour
    title: str
    text: str
    sms_text: str
    regions: list[str]
    sms: bool
    speakers_confirmed: int
    audio_ms: int
    engine: str = Field(description="who speaks; empty = nobody, the text messages go alone")
    hushed: bool = Field(description="it was quiet and not red or orange: the text messages go alone")
    armed_at: int
    armed_by: str
    confirmed_by: str = Field(description="the second person, where one was needed")
    fires_at: int
    fires_in_ms: int = Field(description="what is left of the countdown; 0 when it is over")
    fired_at: int | None
    expires_at: int
    ended_at: int | None
    ended_by: str
    broadcast_id: UUID | None = Field(description="its broadcast, once it is fired")

    @classmethod
    def of(cls, a: Alert) -> "AlertOut":
        """Return an alert for showing."""
        audience = Audience.from_json(a.audience)
        left = ms(a.fires_at) - ms(now()) if a.state is AlertState.ARMED else 0
        return cls(
            id=a.id,
            state=a.state,
            act=a.act,
            follows_id=a.follows_id,
            incident_id=a.incident_id,
            authority=a.authority if a.state is not AlertState.PROPOSED else None,
            hazard=a.hazard,
            colour=a.colour,
            title=a.title,
            text=a.text,
            sms_text=a.sms_text,
            regions=list(audience.regions),
            sms=audience.sms,
            speakers_confirmed=a.speakers_confirmed,
            audio_ms=a.audio_ms,
            engine=a.engine,
            hushed=not audience.speakers,
            armed_at=ms(a.armed_at),
            armed_by=a.armed_by_name,
            confirmed_by=a.confirmed_by_name,
            fires_at=ms(a.fires_at),
            fires_in_ms=max(0, left),
            fired_at=ms_or_none(a.fired_at),
            expires_at=ms(a.expires_at),
            ended_at=ms_or_none(a.ended_at),
            ended_by=a.ended_by_name,
            broadcast_id=a.broadcast_id,
        )


class AlertSeen(Input):
    """What the second person has read."""

    speakers_confirmed: StrictInt = Field(
        ge=0, description="how many loudspeakers will sound now, as the emergency says; another number sends nothing"
    )


class Alerts(Output):
    """Emergencies in countdown or on air."""

    items: list[AlertOut]


class AlertPath(Input):
    """Which emergency."""

    alert_id: UUID


@bp.get("/hazards", responses=answers(Hazards))
def list_hazards() -> Response:
    """List the kinds of emergency with their approved words."""
    return say(Hazards(items=[HazardOut.of(found) for found in hazards().values()]))


@bp.post("/alerts/preview", responses=answers(AlertPreview, 403, 404))
@permission_required(Permission.EMERGENCY)
def preview_alert(body: AlertWish) -> Response:
    """Say what would be said and whom it would reach. Sends nothing."""
    with reading() as session:
        laid = _laid(
            ask(
                session,
                actor(),
                kind=body.hazard,
                colour=body.colour,
                codes=body.regions,
                sms=body.sms,
                hushed=_hushed(body),
            )
        )
    runtime().get(Warmer).want(laid.speech, body.colour)
    return say(laid)


@bp.post("/alerts", responses=answers(AlertOut, 403, 404, 409, 503, status=201))
@permission_required(Permission.EMERGENCY)
@once
def arm_alert(body: AlertIn) -> Response:
    """Start the countdown. After it every loudspeaker sounds; until then it can be cancelled."""
    runtime().get(Pumps).make_way()
    wish = _wish(body)
    if isinstance(wish, Alert):
        with urgent_work() as session:
            return finish(session, AlertOut.of(wish), 201)
    silent = service.hushed(wish.colour, runtime().get(Rules), now())
    spoken = Spoken(None, "") if silent else speak(runtime().get(Studio), wish.words.speech, wish.colour)
    with urgent_work() as session:
        found = service.arm(session, actor(), wish, spoken, rules=runtime().get(Rules), now=now())
        return finish(session, AlertOut.of(found), 201)


@bp.get("/alerts", responses=answers(Alerts))
def list_alerts() -> Response:
    """List emergencies in countdown or on air."""
    with reading() as session:
        return say(Alerts(items=[AlertOut.of(found) for found in service.live(session, actor())]))


@bp.get("/alerts/<uuid:alert_id>", responses=answers(AlertOut, 404))
def get_alert(path: AlertPath) -> Response:
    """Return one emergency and what is left of its countdown."""
    with reading() as session:
        return say(AlertOut.of(_live(service.get(session, actor(), path.alert_id))))


@bp.post("/alerts/<uuid:alert_id>/cancel", responses=answers(AlertOut, 403, 404, 409))
@once
def cancel_alert(path: AlertPath) -> Response:
    """Call it off in the countdown; nothing has been sent then. Too late is a 409: stop it instead."""
    with urgent_work() as session:
        return finish(session, AlertOut.of(service.cancel(session, actor(), path.alert_id, now=now())))


@bp.post("/alerts/<uuid:alert_id>/stop", responses=answers(AlertOut, 403, 404, 409))
@once
def stop_alert(path: AlertPath) -> Response:
    """Silence it, in the countdown or on air. Twice is once."""
    with urgent_work() as session:
        answer = finish(session, AlertOut.of(service.stop(session, actor(), path.alert_id, now=now())))
    runtime().get(Pumps).kick()
    return answer


@bp.post("/alerts/<uuid:alert_id>/confirm", responses=answers(AlertOut, 403, 404, 409, 503))
@permission_required(Permission.EMERGENCY)
@once
def confirm_alert(path: AlertPath, body: AlertSeen) -> Response:
    """Stand by what somebody else has proposed: the countdown starts. Never one's own."""
    runtime().get(Pumps).make_way()
    with reading() as session:
        alert = _live(service.get(session, actor(), path.alert_id))
        service.require(actor(), Permission.EMERGENCY, alert)
    silent = service.hushed(alert.colour, runtime().get(Rules), now())
    spoken = Spoken(None, "") if silent else speak(runtime().get(Studio), alert.text, alert.colour)
    typed, rules = body.speakers_confirmed, runtime().get(Rules)
    with urgent_work() as session:
        found = confirming.confirm(session, actor(), path.alert_id, spoken, typed=typed, rules=rules, now=now())
        return finish(session, AlertOut.of(found))


@bp.post("/alerts/<uuid:alert_id>/take-back", responses=answers(AlertOut, 403, 404, 409, 503, status=201))
@once
def take_back_alert(path: AlertPath) -> Response:
    """Stop it and say the prepared correction, at once, to exactly those who heard it or may have. Twice is once."""
    return _ended(path.alert_id, Act.CORRECTION)


@bp.post("/alerts/<uuid:alert_id>/all-clear", responses=answers(AlertOut, 403, 404, 409, 503, status=201))
@once
def clear_alert(path: AlertPath) -> Response:
    """Stop it and say the prepared all-clear to those who heard it or may have. Twice is once."""
    return _ended(path.alert_id, Act.ALL_CLEAR)


def _ended(alert_id: UUID, act: Act) -> Response:
    runtime().get(Pumps).make_way()
    with reading() as session:
        alert = _live(service.get(session, actor(), alert_id))
        service.require(actor(), Permission.STOP, alert)
    words = ending.said_by(alert, act)
    spoken = speak(runtime().get(Studio), words, alert.colour, act=act) if words else Spoken(None, "")
    with urgent_work() as session:
        said = ending.end(session, actor(), alert_id, act, spoken, rules=runtime().get(Rules), now=now())
        answer = finish(session, AlertOut.of(said), 201)
    runtime().get(Pumps).kick()
    return answer


def _live(alert: Alert) -> Alert:
    """Return an emergency; drills have pages of their own and are not to be found here."""
    if alert.mode is not Mode.LIVE:
        raise NotFound("alert_unknown")
    return alert


def _wish(body: AlertIn) -> Wish | Alert:
    """Return what is to be armed, or what this form key armed before."""
    with reading() as session:
        before = service.armed_before(session, actor(), body.form_key)
        if before is not None:
            return before
        laid = ask(
            session,
            actor(),
            kind=body.hazard,
            colour=body.colour,
            codes=body.regions,
            sms=body.sms,
            hushed=_hushed(body),
        )
        wish = _confirmed(body, laid)
        service.check(session, actor(), wish, rules=runtime().get(Rules), now=now())
        return wish


def _confirmed(body: AlertIn, laid: Desk) -> Wish:
    audience = audience_of(laid)
    if laid.words is None:
        raise BadInput("alert_needs_villages", field="regions")
    kind, words = hazard(body.hazard), laid.words
    return Wish(body.form_key, kind, body.colour, words, audience, body.speakers_confirmed, place=laid.place)


def _hushed(body: AlertWish) -> bool:
    return service.hushed(body.colour, runtime().get(Rules), now())


def _laid(desk: Desk) -> AlertPreview:
    return AlertPreview(
        title=desk.title,
        place=desk.place,
        speech=desk.words.speech if desk.words else "",
        sms_text=desk.words.sms if desk.words else "",
        speakers=desk.reached.speakers,
        offline=desk.reached.offline,
        phones=desk.reached.phones if desk.choice.sms else 0,
        hushed=desk.hushed,
    )
