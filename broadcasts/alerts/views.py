"""The emergency desk: choose, confirm by number, count down, watch, stop."""

from uuid import UUID, uuid4

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcasts.alerts import forms, progress, service
from broadcasts.alerts.desk import Desk, audience_of, lay_out
from broadcasts.alerts.forms import Choice, Confirmation
from broadcasts.alerts.hazards import hazard, hazards
from broadcasts.alerts.progress import Going, Phase
from broadcasts.alerts.service import Spoken, Wish
from broadcasts.alerts.voice import Warmer, speak
from broadcasts.delivery.rules import Rules
from broadcasts.pumps import Pumps
from broadcasts.sms.provider import SmsProvider
from broadcasts.studio import LAST_RESORT, Studio
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime, runtime
from hub.web.errors import is_fragment
from hub.web.guards import permission_required, signed_in, urgent
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("alerts", __name__)
urgent(bp)
SOUNDING_S, QUIET_S = 2, 10
"""How often the page asks while loudspeakers sound, and when only late ones may still come back."""


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="emergency",
            label=lazy_gettext("应急播发"),
            icon="urgent",
            endpoint="alerts.desk",
            permission=Permission.EMERGENCY,
            group=0,
            position=2,
            primary="emergency",
        )
    )


@bp.get("/emergency")
@permission_required(Permission.EMERGENCY)
def desk() -> ResponseReturnValue:
    """Show what can be chosen, and what would be said to whom; htmx gets only what changed."""
    laid = _laid(forms.choice(request.args))
    if laid.words is not None:
        runtime().get(Warmer).want(laid.words.speech, laid.choice.colour)
    steady = "Mobi" not in request.user_agent.string  # on a phone the keyboard would cover what has to be read
    typing = laid.ready and steady and (not is_fragment() or forms.pressed(request.args))
    return _desk_page(laid, focus=typing)


@bp.post("/emergency")
@permission_required(Permission.EMERGENCY)
def arm() -> ResponseReturnValue:
    """Start the countdown if everything is as it was shown; else show the page again, with nothing sent."""
    given = forms.choice(request.form)
    try:
        alert_id = _arm(forms.confirmation(request.form))
    except (NotAllowed, NotFound):
        raise
    except HubError as error:
        laid = _laid(given)
        field = error.field if isinstance(error, BadInput) else "speakers"
        return _desk_page(laid, errors={field: explain(error, language())}), error.status
    return redirect(url_for("alerts.show", alert_id=alert_id))


def _arm(given: Confirmation) -> UUID:
    with reading() as session:
        before = service.armed_before(session, actor(), given.form_key)
        if before is not None:
            return before.id
    wish = _wish(_laid(given.choice), given)
    with reading() as session:
        service.check(session, actor(), wish, rules=runtime().get(Rules), now=now())
    silent = service.hushed(wish.colour, runtime().get(Rules), now())
    spoken = Spoken(None, "") if silent else speak(runtime().get(Studio), wish.words.speech, wish.colour)
    with work() as session:
        return service.arm(session, actor(), wish, spoken, rules=runtime().get(Rules), now=now()).id


def _laid(choice: Choice) -> Desk:
    hushed = service.hushed(choice.colour, runtime().get(Rules), now())
    with reading() as session:
        return lay_out(session, actor(), choice, hushed=hushed)


def _wish(laid: Desk, given: Confirmation) -> Wish:
    kind = hazard(given.choice.hazard)
    audience = audience_of(laid)
    words = kind.words[given.choice.colour].at(laid.place)
    return Wish(given.form_key, kind, given.choice.colour, words, audience, given.typed)


@bp.get("/emergency/<uuid:alert_id>")
@signed_in
def show(alert_id: UUID) -> ResponseReturnValue:
    """Show the countdown, and afterwards how far it is."""
    with reading() as session:
        going = progress.of(session, actor(), alert_id, now=now())
    return render_template("broadcasts/alerts/alert.html", **_view(going))


@bp.get("/emergency/<uuid:alert_id>/progress")
@signed_in
def show_progress(alert_id: UUID) -> ResponseReturnValue:
    """Answer the page that asks again; when it has become another page, let it load anew."""
    with reading() as session:
        going = progress.of(session, actor(), alert_id, now=now())
    if request.args.get("phase") != going.phase:
        return Response(status=200, headers={"HX-Refresh": "true", "Cache-Control": "no-store"})
    answer = make_response(render_template("broadcasts/alerts/_progress.html", **_view(going)))
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.add_etag()
    return answer.make_conditional(request)


@bp.post("/emergency/<uuid:alert_id>/cancel")
@signed_in
def cancel(alert_id: UUID) -> ResponseReturnValue:
    """Call it off in the countdown; too late is said on the page where it can be stopped."""
    try:
        with work() as session:
            service.cancel(session, actor(), alert_id, now=now())
    except WrongState as late:
        flash(explain(late, language()), "bad")
    return redirect(url_for("alerts.show", alert_id=alert_id))


@bp.post("/emergency/<uuid:alert_id>/stop")
@signed_in
def stop(alert_id: UUID) -> ResponseReturnValue:
    """Silence it, at one press."""
    with work() as session:
        service.stop(session, actor(), alert_id, now=now())
    runtime().get(Pumps).kick()
    return redirect(url_for("alerts.show", alert_id=alert_id))


def _desk_page(laid: Desk, *, errors: dict[str, str] | None = None, focus: bool = False) -> str:
    template = "broadcasts/alerts/_desk.html" if is_fragment() and not errors else "broadcasts/alerts/desk.html"
    return render_template(
        template,
        desk=laid,
        hazards=hazards().values(),
        errors=errors or {},
        focus=focus,
        form_key=str(uuid4()),
        simulated=runtime().get(SmsProvider).gateway.caps.simulated,
    )


def _view(going: Going) -> dict[str, object]:
    normal = runtime().get(Studio).alarm("", colour=going.alert.colour, repeats=1).voice.engine
    busy = going.phase is not Phase.SOUNDING or going.sounding or going.heard + going.offline < going.meant
    return {
        "going": going,
        "alert": going.alert,
        "seconds": SOUNDING_S if busy else QUIET_S,
        "voice": _voice(going.alert.engine, normal) if going.alert.audience["speakers"] else "hushed",
        "may_emergency": actor().may_somewhere(Permission.EMERGENCY),
        "again_url": _address(going.choice),
        "simulated": runtime().get(SmsProvider).gateway.caps.simulated,
    }


def _voice(engine: str, normal: str) -> str:
    """Return what is to be said about the voice; empty when the normal one spoke."""
    if not engine:
        return "none"
    if engine == LAST_RESORT:
        return "tone"
    return "" if engine == normal else "other"


def _address(choice: Choice) -> str:
    """Return where the desk stands with this choice made."""
    return url_for(
        "alerts.desk",
        hazard=choice.hazard,
        colour=choice.colour.value,
        area=choice.area,
        village=choice.villages,
        sms="1" if choice.sms else "0",
    )
