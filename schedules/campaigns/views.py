"""专题宣传: campaigns, what they add, what they have reached."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from broadcasts.announcements import choosing
from broadcasts.announcements.timing import Timetable
from broadcasts.delivery.rules import Rules
from broadcasts.playback import recording
from broadcasts.speech.engine import SpeechFailed
from broadcasts.studio import Studio
from broadcasts.texts import shelf
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound, WrongState
from hub.core.runtime import Runtime, runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work
from schedules.campaigns import forms, handing_in, listing, service
from schedules.campaigns.drafting import as_draft
from schedules.campaigns.forms import Typed
from schedules.campaigns.listing import Outlook, Tab
from schedules.campaigns.models import Campaign, CampaignState
from schedules.campaigns.outlook import Desk

bp = Blueprint("campaigns", __name__)
PAGES = "schedules/campaigns"


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="campaigns",
            label=lazy_gettext("专题宣传"),
            icon="flag",
            endpoint="campaigns.every",
            permission=Permission.SEE,
            group=1,
            position=6,
        )
    )


@bp.get("/campaigns")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List campaigns: those that run, wait, are one's own, are over."""
    tab = request.args.get("tab", "")
    chosen = Tab(tab) if tab in set(Tab) else Tab.NOW
    with reading() as session:
        rows = listing.rows(session, actor(), chosen, today=today())
        waiting = service.count_waiting(session, actor())
    may_write = actor().may_somewhere(Permission.COMPOSE)
    return render_template(f"{PAGES}/every.html", rows=rows, tab=chosen, waiting=waiting, may_write=may_write)


@bp.get("/campaigns/new")
@permission_required(Permission.COMPOSE)
def new() -> ResponseReturnValue:
    """Show an empty form, or one with ready texts in it."""
    with reading() as session:
        regions = choosing.only_village(session, actor())
    return _form(forms.fresh(regions, today=today(), keys=request.args.getlist("text")))


@bp.post("/campaigns")
@permission_required(Permission.COMPOSE)
def add() -> ResponseReturnValue:
    """Keep a new campaign, hand it in, or only count what it would add."""
    return _take(forms.typed(request.form, actor()), None)


@bp.get("/campaigns/<uuid:campaign_id>")
@permission_required(Permission.SEE)
def detail(campaign_id: UUID) -> ResponseReturnValue:
    """Show one campaign."""
    return _detail(campaign_id)


@bp.get("/campaigns/<uuid:campaign_id>/edit")
@permission_required(Permission.COMPOSE)
def edit(campaign_id: UUID) -> ResponseReturnValue:
    """Show one's own campaign to be changed."""
    with reading() as session:
        campaign = service.own_seen(session, actor(), campaign_id)
        typed = forms.of(as_draft(campaign))
    return _form(typed, campaign)


@bp.post("/campaigns/<uuid:campaign_id>/edit")
@permission_required(Permission.COMPOSE)
def change(campaign_id: UUID) -> ResponseReturnValue:
    """Keep changes, hand it in, or only count."""
    with reading() as session:
        campaign = service.own_seen(session, actor(), campaign_id)
    return _take(forms.typed(request.form, actor()), campaign)


@bp.get("/campaigns/<uuid:campaign_id>/audio/<uuid:text_id>")
@permission_required(Permission.SEE)
def audio(campaign_id: UUID, text_id: UUID) -> ResponseReturnValue:
    """Answer the recording of one text to whoever may see the campaign."""
    with reading() as session:
        campaign = service.get(session, actor(), campaign_id)
        digest = next((text.audio_sha256 for text in campaign.texts if text.id == text_id), "")
    return recording(digest)


@bp.post("/campaigns/<uuid:campaign_id>/submit")
@permission_required(Permission.COMPOSE)
def submit(campaign_id: UUID) -> ResponseReturnValue:
    """Hand in what was kept."""
    try:
        handing_in.hand_in(runtime(), actor(), campaign_id, desk=desk(), now=now())
    except SpeechFailed as failure:
        return _detail(campaign_id, refused=why(failure), status=503)
    except (BadInput, NotFound, WrongState) as error:
        words = " ".join(mistakes(error).values()) if isinstance(error, BadInput) else explain(error, language())
        return _detail(campaign_id, refused=words, status=error.status)
    flash(gettext("交上去了，别人通过了就开始播。"), "ok")
    return redirect(url_for("campaigns.detail", campaign_id=campaign_id))


@bp.post("/campaigns/<uuid:campaign_id>/approve")
@permission_required(Permission.APPROVE)
def approve(campaign_id: UUID) -> ResponseReturnValue:
    """Let it run as it was seen."""
    seen = request.form.get("seen_hash") or "-"
    try:
        step = request.form.get("seen_step", type=int)
        studio = runtime().get(Studio)
        with work() as session:
            found = handing_in.approve_as_seen(
                session, studio, actor(), campaign_id, seen, seen_step=step, desk=desk(), now=now()
            )
    except WrongState as error:
        return _detail(campaign_id, refused=explain(error, language()), status=error.status)
    running = found.state is CampaignState.RUNNING
    flash(gettext("通过了，已经排进节目单。") if running else gettext("你这一审过了，等下一个人审。"), "ok")
    return redirect(url_for("campaigns.detail", campaign_id=campaign_id))


@bp.post("/campaigns/<uuid:campaign_id>/return")
@permission_required(Permission.APPROVE)
def give_back(campaign_id: UUID) -> ResponseReturnValue:
    """Return it to its author with a reason."""
    try:
        with work() as session:
            service.give_back(session, actor(), campaign_id, request.form.get("reason", ""), now=now())
    except (BadInput, NotFound, WrongState) as error:
        return _detail(campaign_id, refused=explain(error, language()), status=error.status)
    flash(gettext("退回去了，作者能看到原因。"), "ok")
    return redirect(url_for("campaigns.every", tab="waiting"))


@bp.post("/campaigns/<uuid:campaign_id>/pause")
@permission_required(Permission.SEE)
def pause(campaign_id: UUID) -> ResponseReturnValue:
    """Hold it back for a while."""
    return _do(campaign_id, "pause", gettext("先停下了，后面的都不播。"))


@bp.post("/campaigns/<uuid:campaign_id>/resume")
@permission_required(Permission.SEE)
def resume(campaign_id: UUID) -> ResponseReturnValue:
    """Let it go on."""
    return _do(campaign_id, "resume", gettext("接着播了。"))


@bp.post("/campaigns/<uuid:campaign_id>/stop")
@permission_required(Permission.SEE)
def stop(campaign_id: UUID) -> ResponseReturnValue:
    """End it for good."""
    return _do(campaign_id, "stop", gettext("不播了。正在响的这一遍要到首页去停。"))


@bp.post("/campaigns/<uuid:campaign_id>/copy")
@permission_required(Permission.COMPOSE)
def copy(campaign_id: UUID) -> ResponseReturnValue:
    """Start a new draft with the same words."""
    with work() as session:
        made = service.copy(session, actor(), campaign_id, now=now())
    return redirect(url_for("campaigns.edit", campaign_id=made.id))


def desk() -> Desk:
    """Return the county's rules and the timetable's door."""
    return Desk(runtime().get(Rules), runtime().get(Timetable))


def today() -> date:
    """Return the local day."""
    return now().astimezone(runtime().zone).date()


def why(failure: SpeechFailed) -> str:
    """Return why nothing could be spoken, in words."""
    return sentence("speech_failed", language(), why=gettext(failure.msgid, **failure.values))


def _take(typed: Typed, campaign: Campaign | None) -> ResponseReturnValue:
    wanted = request.form.get("do", "save")
    if wanted.startswith("add:"):
        return _form(forms.with_ready(typed, wanted.removeprefix("add:")), campaign)
    if wanted == "count":
        return _form(typed, campaign, errors=mistakes_of(typed))
    kept = campaign
    try:
        typed.raise_mistakes()
        if wanted == "submit":
            handing_in.require_complete(runtime(), typed.draft, desk=desk(), now=now())
        with work() as session:
            kept = handing_in.keep(session, actor(), campaign.id if campaign else None, typed.draft, now=now())
        if wanted == "submit":
            handing_in.hand_in(runtime(), actor(), kept.id, desk=desk(), now=now())
    except SpeechFailed as failure:
        return _form(typed, kept, errors={"": why(failure)}, status=503)
    except (BadInput, NotFound, WrongState) as error:
        found = mistakes(error) if isinstance(error, BadInput) else {"": explain(error, language())}
        return _form(typed, kept, errors=found, status=error.status)
    flash(gettext("交上去了，别人通过了就开始播。") if wanted == "submit" else gettext("存好了。"), "ok")
    return redirect(url_for("campaigns.detail", campaign_id=kept.id))


def mistakes_of(typed: Typed) -> Mapping[str, str]:
    """Return what could not be understood, in words."""
    return {problem.field: explain(problem, language()) for problem in typed.mistakes}


def _form(
    typed: Typed, campaign: Campaign | None = None, *, errors: Mapping[str, str] | None = None, status: int = 200
) -> ResponseReturnValue:
    with reading() as session:
        offered = listing.choice(session, actor(), typed.draft)
        outlook = listing.outlook(session, runtime().get(Studio), typed.draft, desk(), now(), kept=None)
    return render_template(
        f"{PAGES}/form.html",
        typed=typed,
        campaign=campaign,
        offered=offered,
        outlook=outlook,
        short=_short(outlook),
        shelves=shelf.shelves(),
        errors=errors or {},
    ), status


def _detail(campaign_id: UUID, *, refused: str = "", status: int = 200) -> ResponseReturnValue:
    with reading() as session:
        page = listing.detail(session, actor(), campaign_id, runtime().get(Studio), desk=desk(), now=now())
    return render_template(
        f"{PAGES}/detail.html", page=page, short=_short(page.outlook), refused=refused, zone=runtime().zone
    ), status


def _short(outlook: Outlook | None) -> str:
    """Return in words why it would be heard less often than wanted, and what to do; '' when it would not."""
    return explain(outlook.short, language()) if outlook is not None and outlook.short else ""


def _do(campaign_id: UUID, verb: str, said: str) -> ResponseReturnValue:
    verbs = {"pause": service.pause, "resume": service.resume, "stop": service.stop}
    try:
        with work() as session:
            verbs[verb](session, actor(), campaign_id, desk=desk(), now=now())
        flash(said, "ok")
    except WrongState as error:
        flash(explain(error, language()), "warn")
    return redirect(url_for("campaigns.detail", campaign_id=campaign_id))
