"""Write, hear, submit and approve announcements."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.announcements import (
    choosing,
    desk,
    forms,
    handing_in,
    listing,
    picking,
    repeating,
    service,
    telephones,
    text_forms,
    wording,
)
from broadcasts.announcements.forms import Form
from broadcasts.announcements.listing import TABS, Looking
from broadcasts.announcements.preparing import Preparer
from broadcasts.announcements.sounding import as_spoken, record, sounding
from broadcasts.announcements.timing import Timetable
from broadcasts.approvals import queue
from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.queue import Queue
from broadcasts.delivery.rules import Rules
from broadcasts.lexicon.book import WordBook
from broadcasts.playback import recording
from broadcasts.pumps import Pumps
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.wording.objecting import objected, offers
from broadcasts.speech.engine import SpeechFailed
from broadcasts.speech.library import Rendering
from broadcasts.studio import Studio
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError, NotAllowed, Problems, WrongState
from hub.core.runtime import Runtime, runtime
from hub.residents.phones import PhoneSafe
from hub.web.errors import is_fragment
from hub.web.guards import permission_required, signed_in
from hub.web.i18n import clock, language
from hub.web.menu import Entry, Menu, lazy_gettext
from hub.web.paging import place_in_address
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, visitor, work

bp = Blueprint("announcements", __name__)
ROOM = "announcements"
PAGES = "broadcasts/announcements"
UNSEEN = "-"
"""Stands for the content an approver saw when the form does not say which; it equals no hash."""


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
    menu = runtime.get(Menu)
    menu.add(
        Entry(
            key="compose",
            label=lazy_gettext("发广播"),
            icon="plus",
            endpoint="announcements.compose",
            permission=Permission.COMPOSE,
            group=0,
            position=1,
            primary="compose",
        )
    )
    menu.add(
        Entry(
            key="approvals",
            label=lazy_gettext("待审批"),
            icon="checks",
            endpoint="announcements.approvals",
            permission=Permission.APPROVE,
            group=1,
            position=2,
            badge=queue.badge,
        )
    )
    menu.add(
        Entry(
            key="written",
            label=lazy_gettext("我写的广播"),
            icon="edit",
            endpoint="announcements.written",
            permission=Permission.COMPOSE,
            group=1,
            position=4,
        )
    )


@bp.get("/compose")
@permission_required(Permission.COMPOSE)
def compose() -> ResponseReturnValue:
    """Show an empty form, or one with a ready-made text, a copy, or a time taken from the timetable."""
    rules, person = runtime().get(Rules), actor()
    with reading() as session:
        form = forms.fresh(request.args, person, choosing.only_village(session, person), now=now(), quiet=rules.quiet)
        if copied := forms.as_id(request.args.get("copy", "")):
            original = service.as_draft(listing.copyable(session, person, copied))
            form = forms.copied(original, form, person, rules.zone)
        if again := forms.as_id(request.args.get("silent_of", "")):
            form = repeating.form_for(session, person, form, again, rules.zone)
        if wanted := forms.as_id(request.args.get("material", "")):
            form = picking.put_in(session, person, form, wanted, day=_today())
    return show_form(_looked_up(form))


@bp.get("/compose/<uuid:announcement_id>")
@permission_required(Permission.COMPOSE)
def edit(announcement_id: UUID) -> ResponseReturnValue:
    """Show one's own draft, or something returned or waiting, to be changed."""
    with reading() as session:
        found = listing.editable(session, actor(), announcement_id)
    if found.state in (State.APPROVED, State.WITHDRAWN):
        return redirect(url_for("announcements.detail", announcement_id=found.id))
    return show_form(_looked_up(forms.from_draft(found.id, service.as_draft(found), runtime().get(Rules).zone)))


@bp.post("/compose")
@permission_required(Permission.COMPOSE)
def hand_over() -> ResponseReturnValue:
    """Keep the draft, or submit it."""
    form = read_form()
    try:
        return _submit(form) if request.form.get("do") == "submit" else _keep(form)
    except SpeechFailed as failure:
        return show_form(form, errors={"": _why(failure)}, status=503)
    except (BadInput, WrongState) as error:
        return show_form(form, errors=errors_of(error), status=error.status)


@bp.post("/compose/ready")
@permission_required(Permission.COMPOSE)
def take_ready() -> ResponseReturnValue:
    """Show the form again with a ready-made text, or something of the library, in it."""
    form, wanted = read_form(), request.form.get("ready", "")
    material_id = forms.as_id(wanted)
    if material_id is None:
        return show_form(forms.taken(form, wanted))
    try:
        with reading() as session:
            return show_form(picking.put_in(session, actor(), form, material_id, day=_today()))
    except BadInput as error:
        return show_form(form, errors={"": explain(error, language())}, status=error.status)


@bp.post("/compose/preview")
@permission_required(Permission.COMPOSE)
def preview() -> ResponseReturnValue:
    """Answer the parts of the page that tell what will happen; the whole page to a browser without JS."""
    form = read_form()
    if not is_fragment():
        return show_form(form)
    runtime().get(Preparer).want(form.id, form.draft)
    return render_template(f"{PAGES}/_preview.html", **_context(form))


@bp.post("/compose/listen")
@permission_required(Permission.COMPOSE)
def listen() -> ResponseReturnValue:
    """Make the recording and answer the player. A failure is said, in the player's place, with status 200 for htmx."""
    form = read_form()
    problems = [p for p in form.problems(now=now(), zone=runtime().zone) if p.field in ("text", "material")]
    if problems:
        return _listened(form, failure=explain(problems[0], language()), status=422)
    try:
        made = record(runtime().get(Studio), form.draft)
    except SpeechFailed as failure:
        return _listened(form, failure=_why(failure), status=503)
    return _listened(form, made=made)


@bp.post("/compose/mend")
@permission_required(Permission.COMPOSE)
def mend() -> ResponseReturnValue:
    """Show the form again with one of the proposals below the text applied."""
    form = read_form()
    found = wording.findings_of(runtime().get(Studio), form.draft)
    return show_form(forms.mended(form, wording.pressed(form.draft.text, request.form.get("mend", ""), found)))


@bp.post("/compose/autosave")
def autosave() -> ResponseReturnValue:
    """Keep what was typed so far; what waits for approval is not taken back by a stray key."""
    if visitor() is None:
        return jsonify(note=sentence("sign_in_needed", language())), 401
    form = read_form()
    try:
        with work() as session:
            handing_in.keep_open(session, actor(), form.id, form.draft, now=now())
    except HubError as error:
        return jsonify(note=explain(error, language())), error.status
    return jsonify(time=clock(now()), url=url_for("announcements.edit", announcement_id=form.id))


@bp.get("/compose/audio/<sha256>.mp3")
@signed_in
def audio(sha256: str) -> ResponseReturnValue:
    """Answer a recording, whole or in part, to whoever writes or approves."""
    if not listing.may_hear(actor()):
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    return recording(sha256)


@bp.get("/announcements")
@permission_required(Permission.COMPOSE)
def written() -> ResponseReturnValue:
    """List what one has written."""
    tab = request.args.get("tab", "all")
    tab = tab if tab in TABS else "all"
    after = place_in_address(request.args.get("after", ""))
    with reading() as session:
        page = listing.written(session, actor(), tab, after)
    return render_template(f"{PAGES}/written.html", page=page, tab=tab, later=after is not None)


@bp.get("/announcements/<uuid:announcement_id>")
@signed_in
def detail(announcement_id: UUID) -> ResponseReturnValue:
    """Show one announcement with everything that happened to it."""
    with reading() as session:
        found = listing.detail(session, actor(), announcement_id, _looking())
    engine = found.announcement.engine
    spoken_by = runtime().get(Studio).library.info(engine) if engine else None
    return render_template(f"{PAGES}/detail.html", page=found, progress=_progress_url, spoken_by=spoken_by)


@bp.post("/announcements/<uuid:announcement_id>/withdraw")
@signed_in
def withdraw(announcement_id: UUID) -> ResponseReturnValue:
    """Take it back for good."""
    with work() as session:
        service.withdraw(session, actor(), announcement_id, timetable=runtime().get(Timetable), now=now())
    flash(gettext("撤下来了，不会再播。"), "ok")
    return redirect(url_for("announcements.detail", announcement_id=announcement_id))


@bp.get("/approvals")
@permission_required(Permission.APPROVE)
def approvals() -> ResponseReturnValue:
    """List what waits for approval, the most pressing first."""
    return approvals_page()


@bp.post("/approvals/<uuid:announcement_id>/approve")
@permission_required(Permission.APPROVE)
def approve(announcement_id: UUID) -> ResponseReturnValue:
    """Let it go out as it was seen."""
    seen = request.form.get("seen_hash") or UNSEEN
    try:
        with work() as session:
            step = request.form.get("seen_step", type=int)
            broadcast = handing_in.approve_as_seen(session, actor(), announcement_id, _looking(), seen, step)
            more = handing_in.waits_for_more(session, announcement_id)
    except (BadInput, WrongState) as error:
        return approvals_page({str(announcement_id): explain(error, language())}, status=409)
    if more:
        flash(gettext("通过了，交给下一个人审。"), "ok")
        return redirect(url_for("announcements.approvals"))
    runtime().get(Pumps).kick()
    flash(gettext("通过了，正在送到喇叭。") if broadcast else gettext("通过了，到时间就播。"), "ok")
    return redirect((_progress_url(broadcast.id) if broadcast else "") or url_for("announcements.approvals"))


def read_form() -> Form:
    """Return the compose form of this request, with what it names looked up."""
    form = _looked_up(forms.from_request(request.form, actor(), runtime().zone, _today()))
    if not form.values.numbers.strip():
        return form
    with work() as session:
        return telephones.typed_in(session, form, safe=runtime().get(PhoneSafe), now=now())


def _looked_up(form: Form) -> Form:
    if not form.values.origin and form.values.what != forms.RECORDING:
        return form
    with reading() as session:
        return picking.looked_up(session, actor(), form, day=_today())


def _today() -> date:
    return now().astimezone(runtime().zone).date()


def _keep(form: Form) -> ResponseReturnValue:
    form.raise_mistakes()
    with work() as session:
        handing_in.keep(session, actor(), form.id, form.draft, now=now())
    flash(gettext("草稿存好了。"), "ok")
    return redirect(url_for("announcements.edit", announcement_id=form.id))


def _submit(form: Form) -> ResponseReturnValue:
    rules = runtime().get(Rules)
    if problems := form.problems(now=now(), zone=rules.zone):
        raise Problems(problems)
    if unfit := wording.unfit(form.draft, runtime().get(WordBook).watched()):
        raise Problems(unfit)
    telephones.require_carried(runtime().get(SmsProvider), form.draft, rules.sms)
    # The recording takes seconds and is made before any session is open.
    spoken = as_spoken(record(runtime().get(Studio), form.draft)) if form.draft.speaks else None
    with work() as session:
        handing_in.hand_in(session, actor(), form.id, form.draft, spoken, rules=rules, now=now())
    flash(gettext("交上去了，别人审批通过就会播。"), "ok")
    return redirect(url_for("announcements.detail", announcement_id=form.id))


def _context(form: Form, made: Rendering | None = None) -> dict[str, Any]:
    studio = runtime().get(Studio)
    sound = sounding(studio, form.draft, made)
    with reading() as session:
        page = desk.show(
            session,
            actor(),
            form,
            sound,
            rules=runtime().get(Rules),
            timetable=runtime().get(Timetable),
            now=now(),
        )
        ready_texts = text_forms.offered(session, form, [one.name for one in runtime().get(SmsProvider).gateways])
    stands_in = studio.speaker(sound.recording.stands_in) if sound.recording and sound.recording.stands_in else None
    speaking = studio.speaking(form.draft.language)
    texting, provider, settings = page.outlook.texting, runtime().get(SmsProvider), runtime().get(Rules).sms
    text = form.draft.message if texting else ""
    return {
        "page": page,
        "text_forms": ready_texts,
        "speaking": speaking,
        "languages": studio.languages(),
        "stands_in": stands_in,
        "objected": objected(provider, text, settings, language()),
        "offers": offers(provider, text, texting.people if texting else 0, settings),
    }


def show_form(
    form: Form, *, errors: Mapping[str, str] | None = None, made: Rendering | None = None, status: int = 200
) -> ResponseReturnValue:
    """Answer the compose page."""
    return render_template(f"{PAGES}/compose.html", errors=errors or {}, **_context(form, made)), status


def _listened(
    form: Form, *, made: Rendering | None = None, failure: str = "", status: int = 200
) -> ResponseReturnValue:
    if not is_fragment():
        return show_form(form, errors={"text": failure} if failure else {}, made=made, status=status)
    return render_template(f"{PAGES}/_listened.html", failure=failure, **_context(form, made))


def approvals_page(refused: Mapping[str, str] | None = None, *, status: int = 200) -> ResponseReturnValue:
    """Return what waits for approval, with what was just refused."""
    with reading() as session:
        cards = listing.cards(session, actor(), _looking())
        others = queue.for_me(session, actor(), runtime().get(Queue), beside=ROOM)
    return render_template(
        f"{PAGES}/approvals.html",
        cards=cards,
        others=others,
        refused=refused or {},
        progress=_progress_url,
    ), status


def _looking() -> Looking:
    hub = runtime()
    return Looking(studio=hub.get(Studio), rules=hub.get(Rules), timetable=hub.get(Timetable), now=now())


def errors_of(error: HubError) -> dict[str, str]:
    """Return what is wrong by the inputs of the form."""
    found: dict[str, str] = {}
    for item in error.problems if isinstance(error, Problems) else (error,):
        field = forms.in_form(item) if isinstance(item, BadInput) else ""
        found.setdefault(field, explain(item, language()))
    return found


def _why(failure: SpeechFailed) -> str:
    return sentence("speech_failed", language(), why=gettext(failure.msgid, **failure.values))


def _progress_url(broadcast_id: UUID) -> str:
    shown = "delivery.broadcast" in current_app.view_functions
    return url_for("delivery.broadcast", broadcast_id=broadcast_id) if shown else ""
