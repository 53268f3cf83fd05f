"""The pages of plans: look, write, hand in, sign, send back, withdraw."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.alerts.hazards import colour, hazard
from broadcasts.alerts.plans import listing, service, starting
from broadcasts.alerts.plans.service import PlanDraft
from broadcasts.alerts.plans.starting import usual_words
from broadcasts.alerts.plans.words import TEXTS, PlanWords
from broadcasts.delivery.rules import Rules
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.wording.objecting import Objected, carried_by_nobody, objected
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime, runtime
from hub.regions import service as regions
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, Part, lazy_gettext
from hub.web.mistakes import fields_named
from hub.web.words import explain
from hub.web.work import actor, now, reading, work

bp = Blueprint("plans", __name__)
PAGES = "broadcasts/alerts/plans"


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="plans",
            label=lazy_gettext("预案"),
            icon="shield",
            endpoint="plans.every",
            permission=Permission.SEE,
            group=4,
            position=2,
            part=Part.PLANS,
            about=lazy_gettext("应急时说什么、哪些村响，平时先定好"),
        )
    )


@bp.get("/plans")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List the plans of a place."""
    with reading() as session:
        board = listing.board(session, actor(), request.args.get("home", ""))
    may_write = actor().may_somewhere(Permission.COMPOSE)
    return render_template(f"{PAGES}/every.html", board=board, may_write=may_write)


@bp.post("/plans/usual")
@permission_required(Permission.COMPOSE)
def begin() -> ResponseReturnValue:
    """Hand in a plan for everything that has none, in the hub's own words."""
    home = request.form.get("home", "")
    with work() as session:
        regions.get_region(session, actor(), home, Permission.COMPOSE)
        begun = starting.begin(session, actor(), home, signature=_signature(), now=now())
    flash(gettext("交上去 %(n)s 条，等两个人签字。", n=len(begun)), "ok")
    return redirect(url_for("plans.every", home=home))


@bp.get("/plans/edit")
@permission_required(Permission.COMPOSE)
def edit() -> ResponseReturnValue:
    """Show the six texts of a hazard and colour, as they are or as the hub would say them."""
    home, kind, level = request.args.get("home", ""), request.args.get("hazard", ""), request.args.get("colour", "")
    words = usual_words(hazard(kind), colour(level))
    area: tuple[str, ...] = (home,)
    with reading() as session:
        regions.get_region(session, actor(), home, Permission.COMPOSE)
        found = listing.find(session, home, kind, colour(level))
        if found is not None:
            words, area = service.words_of(found), tuple(found.regions)
    return _form(PlanDraft(home, kind, colour(level), words, area))


@bp.post("/plans")
@permission_required(Permission.COMPOSE)
def write() -> ResponseReturnValue:
    """Keep the texts, and hand them in if asked."""
    draft = _draft()
    try:
        with fields_named(_of_the_form), work() as session:
            version = service.write(session, actor(), draft, now=now())
            if request.form.get("do") == "hand_in":
                service.hand_in(session, actor(), version.plan_id, signature=_signature(), now=now())
    except BadInput as error:
        return _form(draft, errors=mistakes(error)), error.status
    return redirect(url_for("plans.one", plan_id=version.plan_id))


@bp.get("/plans/<uuid:plan_id>")
@permission_required(Permission.SEE)
def one(plan_id: UUID) -> ResponseReturnValue:
    """Show one plan with who signed it."""
    with reading() as session:
        page = listing.page(session, actor(), plan_id)
    return render_template(f"{PAGES}/one.html", page=page, uncarried=_uncarried(page.words, page.home))


@bp.post("/plans/<uuid:plan_id>/<any(hand_in, sign, send_back, withdraw, drop):deed>")
@permission_required(Permission.SEE)
def act(plan_id: UUID, deed: str) -> ResponseReturnValue:
    """Hand in, sign, send back, withdraw, or forget a change."""
    try:
        with work() as session:
            match deed:
                case "hand_in":
                    service.hand_in(session, actor(), plan_id, signature=_signature(), now=now())
                case "sign":
                    service.sign(session, actor(), plan_id, request.form.get("seen", ""), now=now())
                case "send_back":
                    service.send_back(session, actor(), plan_id, request.form.get("reason", ""), now=now())
                case "withdraw":
                    service.withdraw(session, actor(), plan_id, request.form.get("reason", ""), now=now())
                case _:
                    service.drop_changes(session, actor(), plan_id, now=now())
    except NotFound:
        raise
    except (BadInput, WrongState, NotAllowed) as error:
        flash(_words(error), "bad")
    return redirect(url_for("plans.one", plan_id=plan_id))


def _of_the_form(field: str) -> str:
    """Return what an input is called here: where it sounds is the area."""
    return "area" if field == "region" else field


def _words(error: HubError) -> str:
    return explain(error, language())


def _draft() -> PlanDraft:
    form = request.form
    words = PlanWords(*(form.get(name, "").replace("\r\n", "\n").strip() for name in TEXTS))
    area = tuple(dict.fromkeys(form.getlist("area")))
    return PlanDraft(form.get("home", ""), form.get("hazard", ""), colour(form.get("colour", "")), words, area)


def _form(draft: PlanDraft, *, errors: dict[str, str] | None = None) -> str:
    with reading() as session:
        tree = listing.tree(session, actor(), draft.home, draft.area)
        in_force = listing.find(session, draft.home, draft.hazard, draft.colour)
        home_name = regions.names(session, {draft.home}).get(draft.home, "")
    return render_template(
        f"{PAGES}/edit.html",
        draft=draft,
        kind=hazard(draft.hazard),
        tree=tree,
        latest=in_force,
        home_name=home_name,
        uncarried=_uncarried(draft.words, home_name),
        errors=errors or {},
    )


def _uncarried(words: PlanWords, place: str) -> dict[str, list[Objected]]:
    """Return the text messages that no provider would carry, by their names, with what stands against them."""
    provider, settings = runtime().get(SmsProvider), runtime().get(Rules).sms
    filled = {name: getattr(words, name).replace("{place}", place) for name in TEXTS if name.endswith("sms")}
    return {
        name: objected(provider, text, settings, language())
        for name, text in filled.items()
        if text.strip() and carried_by_nobody(provider, text, settings)
    }


def _signature() -> str:
    return runtime().get(Rules).sms.signature
