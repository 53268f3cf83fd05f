"""What the pages of emergencies and of drills have in common: the desk, one alert, and what is pressed there."""

from dataclasses import replace
from uuid import UUID, uuid4

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcasts.alerts import confirming, ending, forms, progress, service
from broadcasts.alerts.desk import Desk, audience_of, lay_out
from broadcasts.alerts.forms import Choice, Confirmation
from broadcasts.alerts.hazards import hazard, hazards
from broadcasts.alerts.models import Alert
from broadcasts.alerts.progress import Going, Phase
from broadcasts.alerts.voice import Warmer, speak
from broadcasts.alerts.wishes import Spoken, Wish
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Act, Mode
from broadcasts.pumps import Pumps
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.wording.objecting import Objected, carried_by_nobody, objected
from broadcasts.studio import LAST_RESORT, Studio
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, WrongState
from hub.core.runtime import runtime
from hub.web.errors import is_fragment, mistakes
from hub.web.i18n import language
from hub.web.words import explain
from hub.web.work import actor, now, reading, urgent_work

SOUNDING_S, QUIET_S, WAITING_S = 2, 10, 3
"""How often the page asks while loudspeakers sound, when only late ones may still come back, and while it waits."""
ROOM = {Mode.LIVE: "alerts", Mode.DRILL: "drills"}


def desk(mode: Mode) -> ResponseReturnValue:
    """Show what can be chosen, and what would be said to whom; htmx gets only what changed."""
    laid = laid_out(forms.choice(request.args), mode)
    if laid.words is not None:
        runtime().get(Warmer).want_all(laid.words, laid.choice.colour, mode=mode)
    steady = "Mobi" not in request.user_agent.string  # on a phone the keyboard would cover what has to be read
    typing = laid.ready and steady and (not is_fragment() or forms.pressed(request.args))
    return _desk_page(laid, focus=typing)


def arm(mode: Mode) -> ResponseReturnValue:
    """Start the countdown if everything is as it was shown; else show the page again, with nothing sent."""
    given = forms.choice(request.form)
    try:
        alert_id = _arm(forms.confirmation(request.form), mode)
    except (NotAllowed, NotFound):
        raise
    except HubError as error:
        field = mistakes(error) if isinstance(error, BadInput) else {"speakers": explain(error, language())}
        wrong = isinstance(error, WrongState) and error.code == "alert_reach_differs"
        return _desk_page(laid_out(given, mode), errors=field, more=1 if wrong else 0), error.status
    return redirect(url_for(f"{ROOM[mode]}.show", alert_id=alert_id))


def _arm(given: Confirmation, mode: Mode) -> UUID:
    with reading() as session:
        before = service.armed_before(session, actor(), given.form_key)
        if before is not None:
            return before.id
    runtime().get(Pumps).make_way()
    wish = wish_of(laid_out(given.choice, mode), given)
    with reading() as session:
        service.check(session, actor(), wish, rules=_rules(), now=now())
    silent = service.hushed(wish.colour, _rules(), now())
    studio = runtime().get(Studio)
    spoken = Spoken(None, "") if silent else speak(studio, wish.words.speech, wish.colour, mode=mode)
    with urgent_work() as session:
        return service.arm(session, actor(), wish, spoken, rules=_rules(), now=now()).id


def laid_out(choice: Choice, mode: Mode) -> Desk:
    """Return the desk with that choice made."""
    hushed = service.hushed(choice.colour, _rules(), now())
    with reading() as session:
        return lay_out(session, actor(), choice, hushed=hushed, mode=mode)


def wish_of(laid: Desk, given: Confirmation) -> Wish:
    """Return what was confirmed. Changed words are somebody's own, and so is a warning that is passed on."""
    audience = audience_of(laid)
    if laid.words is None:
        raise BadInput("no_region_chosen", field="area")
    words = laid.words
    own = False
    if laid.mode is Mode.LIVE:
        words = replace(words, speech=given.speech or words.speech, sms=given.sms_text or words.sms)
        own = words != laid.words or bool(given.issuer or given.issuer_ref)
    return Wish(
        given.form_key,
        hazard(given.choice.hazard),
        given.choice.colour,
        words,
        audience,
        given.typed,
        own_words=own,
        place=laid.place,
        issuer=given.issuer,
        issuer_ref=given.issuer_ref,
        mode=laid.mode,
        follows=given.follows,
        opened_at=given.opened_at,
        mistyped=given.mistyped,
    )


def show(alert_id: UUID, mode: Mode) -> ResponseReturnValue:
    """Show the countdown, and afterwards how far it is."""
    return _alert_page(alert_id, mode)


def show_progress(alert_id: UUID, mode: Mode) -> ResponseReturnValue:
    """Answer the page that asks again; when it has become another page, let it load anew."""
    going = _going(alert_id, mode)
    if request.args.get("phase") != going.phase:
        return Response(status=200, headers={"HX-Refresh": "true", "Cache-Control": "no-store"})
    answer = make_response(render_template("broadcasts/alerts/_progress.html", **_view(going)))
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.add_etag()
    return answer.make_conditional(request)


def cancel(alert_id: UUID, mode: Mode) -> ResponseReturnValue:
    """Call it off in the countdown; too late is said on the page where it can be stopped."""
    _going(alert_id, mode)
    try:
        with urgent_work() as session:
            service.cancel(session, actor(), alert_id, now=now())
    except WrongState as late:
        flash(explain(late, language()), "bad")
    return redirect(url_for(f"{ROOM[mode]}.show", alert_id=alert_id))


def stop(alert_id: UUID, mode: Mode) -> ResponseReturnValue:
    """Silence it, at one press."""
    _going(alert_id, mode)
    runtime().get(Pumps).make_way()
    with urgent_work() as session:
        service.stop(session, actor(), alert_id, now=now())
    runtime().get(Pumps).kick()
    return redirect(url_for(f"{ROOM[mode]}.show", alert_id=alert_id))


def end(alert_id: UUID, mode: Mode, act: Act) -> ResponseReturnValue:
    """Take it back, or say that it is over: stop it and tell exactly those who heard it."""
    runtime().get(Pumps).make_way()
    alert = _going(alert_id, mode).alert
    spoken = speak(runtime().get(Studio), ending.said_by(alert, act), alert.colour, mode=mode, act=act)
    try:
        with urgent_work() as session:
            said = ending.end(session, actor(), alert_id, act, spoken, rules=_rules(), now=now())
    except WrongState as error:
        flash(explain(error, language()), "bad")
        return redirect(url_for(f"{ROOM[mode]}.show", alert_id=alert_id))
    runtime().get(Pumps).kick()
    return redirect(url_for(f"{ROOM[mode]}.show", alert_id=said.id))


def confirm(alert_id: UUID, *, alone: bool) -> ResponseReturnValue:
    """Stand by somebody else's words, or go alone with one's own: the countdown begins."""
    runtime().get(Pumps).make_way()
    alert = _going(alert_id, Mode.LIVE).alert
    try:
        typed = forms.typed_number(request.form)
        silent = service.hushed(alert.colour, _rules(), now())
        spoken = Spoken(None, "") if silent else speak(runtime().get(Studio), alert.text, alert.colour)
        with urgent_work() as session:
            if alone:
                reason = request.form.get("reason", "")
                confirming.go_alone(
                    session, actor(), alert_id, spoken, typed=typed, reason=reason, rules=_rules(), now=now()
                )
            else:
                confirming.confirm(session, actor(), alert_id, spoken, typed=typed, rules=_rules(), now=now())
    except (BadInput, WrongState) as error:
        field = error.field if isinstance(error, BadInput) else "speakers"
        return _alert_page(alert_id, Mode.LIVE, errors={field: explain(error, language())}), error.status
    return redirect(url_for("alerts.show", alert_id=alert_id))


def _alert_page(alert_id: UUID, mode: Mode, *, errors: dict[str, str] | None = None) -> str:
    going = _going(alert_id, mode)
    return render_template("broadcasts/alerts/alert.html", errors=errors or {}, **_view(going))


def _going(alert_id: UUID, mode: Mode) -> Going:
    """Return how far it is; a drill is not to be found among emergencies, nor the other way round."""
    with reading() as session:
        going = progress.of(session, actor(), alert_id, rules=_rules(), now=now())
    if going.alert.mode is not mode:
        raise NotFound("alert_unknown")
    return going


def _desk_page(laid: Desk, *, errors: dict[str, str] | None = None, focus: bool = False, more: int = 0) -> str:
    template = "broadcasts/alerts/_desk.html" if is_fragment() and not errors else "broadcasts/alerts/desk.html"
    typed = request.form if errors else None
    waiting: list[tuple[Alert, str]] = []
    if laid.mode is Mode.LIVE and not is_fragment():
        with reading() as session:
            waiting = progress.going_on(session, actor())
    return render_template(
        template,
        desk=laid,
        hazards=hazards().values(),
        errors=errors or {},
        focus=focus,
        form_key=str(uuid4()),
        simulated=runtime().get(SmsProvider).gateway.caps.simulated,
        typed=typed,
        opened=_opened(),
        mistyped=forms.mistyped(request.values) + more,
        waiting=waiting,
        against=_against(laid, typed.get("sms_text", "") if typed else ""),
        **frame_of(laid.mode),
    )


def _against(laid: Desk, typed: str) -> list[Objected]:
    """Return why no provider would carry the text message; nothing as long as one of them would."""
    if laid.mode is Mode.DRILL or laid.words is None or not laid.choice.sms:
        return []
    provider, settings, text = runtime().get(SmsProvider), _rules().sms, typed or laid.words.sms
    return objected(provider, text, settings, language()) if carried_by_nobody(provider, text, settings) else []


def _opened() -> int:
    before = forms.opened(request.values)
    return round((before or now()).timestamp())


def frame_of(mode: Mode) -> dict[str, object]:
    """Return what a template needs to know about where it stands: two rooms that share their pages."""
    drill = mode is Mode.DRILL
    return {"drill": drill, "room": ROOM[mode], "frame": "layout/drill.html" if drill else "layout/emergency.html"}


def _view(going: Going) -> dict[str, object]:
    mode, alert = going.alert.mode, going.alert
    normal = runtime().get(Studio).alarm("", colour=alert.colour, repeats=1).voice.engine
    busy = going.phase is not Phase.SOUNDING or going.sounding or going.heard + going.offline < going.meant
    return {
        "going": going,
        "alert": alert,
        "seconds": WAITING_S if going.phase is Phase.WAITING else SOUNDING_S if busy else QUIET_S,
        "voice": _voice(alert, normal) if alert.audience["speakers"] else "hushed",
        "may_emergency": actor().may_somewhere(service.permission_for(mode)),
        "mine": actor().id == alert.armed_by,
        "again_url": _address(going.choice, mode, alert.id),
        "simulated": runtime().get(SmsProvider).gateway.caps.simulated,
        "now": now(),
        **frame_of(mode),
    }


def _voice(alert: Alert, normal: str) -> str:
    """Return what is to be said about the voice; empty when the normal one spoke."""
    if not alert.audio_sha256:
        return "none"
    if alert.engine == LAST_RESORT:
        return "tone"
    return "" if alert.engine == normal else "other"


def _address(choice: Choice, mode: Mode, follows: UUID) -> str:
    """Return where the desk stands with this choice made."""
    return url_for(
        f"{ROOM[mode]}.desk",
        hazard=choice.hazard,
        colour=choice.colour.value,
        area=choice.area,
        village=choice.villages,
        sms="1" if choice.sms else "0",
        follows=str(follows),
    )


def _rules() -> Rules:
    return runtime().get(Rules)
