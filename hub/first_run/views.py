"""The first run's pages: the way in for the very first person, the list of steps, and the test that sounds."""

from collections.abc import Mapping

from flask import Blueprint, Flask, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from hub.accounts import passwords, signing_in
from hub.accounts import views as account_pages
from hub.core.actor import Permission
from hub.core.errors import BadInput, HubError
from hub.core.runtime import Runtime, runtime
from hub.first_run import opening, sounding, steps
from hub.first_run.models import Said
from hub.first_run.opening import Opening
from hub.first_run.steps import WHOLE, FirstSteps
from hub.regions import service as regions
from hub.speakers import showing
from hub.speakers.care import asking
from hub.speakers.care.models import Deed
from hub.web.errors import is_fragment, mistakes
from hub.web.guards import never_held, permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, Part
from hub.web.words import explain
from hub.web.work import actor, now, reading, visitor, work

bp = Blueprint("first_run", __name__)
lead = permission_required(Permission.EDIT_ACCOUNTS)
PAGES = "hub/first_run"
FIELDS = ("code", "county_code", "county_name", "name", "login")


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line behind 设置."""
    runtime.get(Menu).add(
        Entry(
            key="first-run",
            label=lazy_gettext("第一次设置"),
            icon="check",
            endpoint="first_run.steps_page",
            permission=Permission.EDIT_ACCOUNTS,
            group=4,
            position=1,
            part=Part.UNIT,
            about=lazy_gettext("新装好时照着做一遍"),
        )
    )


def install(app: Flask) -> None:
    """Let pages ask whether the guide is still open for whoever looks."""
    app.jinja_env.globals["first_run_open"] = _is_open


# ---- the very first person


@bp.get("/first-run/begin")
@never_held
def begin() -> ResponseReturnValue:
    """Ask for the code of the console, the county and the first account."""
    if not _untouched():
        return redirect(url_for("accounts.sign_in"))
    return _begin_page({}, {})


@bp.post("/first-run/begin")
@never_held
def do_begin() -> ResponseReturnValue:
    """Make county and account, and let the person in."""
    given = {name: request.form.get(name, "") for name in FIELDS}
    password = request.form.get("password", "")
    if password != request.form.get("again", ""):
        return _begin_page(given, mistakes(BadInput("passwords_differ", field="again"))), 422
    door = account_pages.door(given["login"])
    wish = Opening(**given, password=password)
    with work() as session:
        made = opening.begin(session, wish, runtime().secrets, door=door, now=now())
        entered = made if isinstance(made, HubError) else signing_in.let_in(session, made, door, False, now())
    if isinstance(entered, HubError):
        found = mistakes(entered) if isinstance(entered, BadInput) else {"": explain(entered, language())}
        return _begin_page(given, found), entered.status
    flash(gettext("县和你的账号建好了。以后用 %(login)s 登录。", login=given["login"].strip()), "ok")
    return account_pages.enter(entered, url_for("first_run.steps_page"))


def _begin_page(given: Mapping[str, str], errors: Mapping[str, str]) -> str:
    return render_template(f"{PAGES}/begin.html", given=given, errors=errors, least=passwords.SHORTEST)


# ---- the steps


@bp.get("/first-run")
@lead
def steps_page() -> ResponseReturnValue:
    """Show what is done and what comes next."""
    with reading() as session:
        if not regions.roots(session):
            return _county_page("", {})
        found = steps.standing(session, actor(), _steps())
        closed = not steps.is_open(session, actor())
    following = next((one for one in found if one.state == "open"), None)
    return render_template(f"{PAGES}/steps.html", standing=found, following=following, closed=closed)


@bp.post("/first-run/county")
@lead
def add_county() -> ResponseReturnValue:
    """Make the county of an administrator who came by the command line."""
    name = request.form.get("name", "")
    try:
        with work() as session:
            opening.add_county(session, actor(), name, now=now())
    except BadInput as error:
        return _county_page(name, mistakes(error)), 422
    return redirect(url_for("first_run.steps_page"))


def _county_page(name: str, errors: Mapping[str, str]) -> str:
    return render_template(f"{PAGES}/county.html", name=name, errors=errors)


@bp.post("/first-run/<key>")
@lead
def say(key: str) -> ResponseReturnValue:
    """Leave a step out, tick it off, or take that back."""
    wish = request.form.get("said", "")
    said = Said(wish) if wish in set(Said) else None
    with work() as session:
        steps.say(session, actor(), _steps(), key, said, now=now())
    if key == WHOLE and said is not None:
        flash(gettext("引导收起来了。要看还在 设置 → 第一次设置。"), "ok")
        return redirect(url_for("delivery.overview"))
    return redirect(url_for("first_run.steps_page"))


# ---- one loudspeaker sounds


@bp.get("/first-run/test")
@lead
def test() -> ResponseReturnValue:
    """Choose one loudspeaker and let it sound; then show what it says."""
    return _test_page(request.args.get("speaker", ""), {})


@bp.post("/first-run/test")
@lead
def do_test() -> ResponseReturnValue:
    """Ask the chosen one to sound."""
    speaker_id = request.form.get("speaker", "")
    if not speaker_id:
        return _test_page("", mistakes(BadInput("first_test_speaker", field="speaker")), 422)
    try:
        asking.ask(runtime(), actor(), speaker_id, Deed.SOUND)
    except HubError as error:
        return _test_page("", {"": explain(error, language())}, error.status)
    return redirect(url_for("first_run.test", speaker=speaker_id))


def _test_page(speaker_id: str, errors: Mapping[str, str], status: int = 200) -> ResponseReturnValue:
    with reading() as session:
        steps.standing(session, actor(), FirstSteps())  # who may not lead the first run sees nothing of it
        state = showing.state(session, actor(), speaker_id, now=now()) if speaker_id else None
        online = sounding.online_speakers(session, actor())
        free = asking.sound_allowed_at(runtime(), now())
    if is_fragment():
        answer = make_response(render_template(f"{PAGES}/_sounding.html", state=state))
        answer.add_etag()
        return answer.make_conditional(request)
    page = render_template(
        f"{PAGES}/test.html",
        state=state,
        online=online,
        errors=errors,
        free_at=None if free is not None and free <= now() else free,
        never=free is None,
    )
    return page, status


def _steps() -> FirstSteps:
    return runtime().get(FirstSteps)


def _untouched() -> bool:
    with reading() as session:
        return opening.is_untouched(session)


def _is_open() -> bool:
    person = visitor()
    if person is None:
        return False
    with reading() as session:
        return steps.is_open(session, person.actor)
