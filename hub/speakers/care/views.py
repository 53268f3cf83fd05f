"""Looking after loudspeakers: what needs somebody, the night's round, repairs, the daily summary, the map."""

from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime, runtime
from hub.regions import service as regions
from hub.speakers.care import attention, geography, mending, patrol, repairs, rounds
from hub.speakers.care.digest import digest
from hub.speakers.care.forms import alarm_ids, back, days
from hub.speakers.clarity import NOTHING, ClarityMap
from hub.speakers.settings import CareSettings
from hub.web.errors import is_fragment, mistakes
from hub.web.guards import permission_required
from hub.web.work import actor, now, reading, work

bp = Blueprint("care", __name__)


def add_to_menu(runtime: Runtime) -> None:
    """Add nothing: these pages are reached from the list of loudspeakers."""


# ---- alarms


@bp.get("/speakers/alarms")
@permission_required(Permission.SEE)
def alarms_page() -> ResponseReturnValue:
    """Show what needs somebody, and apart from it what somebody knows of or has put off."""
    every = "all" in request.args
    with reading() as session:
        page = attention.page(session, actor(), now=now(), most=None if every else attention.SHOWN)
        mended = repairs.in_repair(session, [line.speaker_id for line in page.shown if line.speaker_id])
    return render_template(
        "hub/care/alarms.html",
        page=page,
        mended=mended,
        now=now(),
        may_edit=_may_edit(),
        connected=rounds.connected(runtime()),
    )


@bp.post("/speakers/alarms/acknowledge")
@permission_required(Permission.EDIT_SPEAKERS)
def acknowledge() -> ResponseReturnValue:
    """Note that somebody knows."""
    with work() as session:
        attention.acknowledge(session, actor(), alarm_ids(request.form), now=now())
    flash(gettext("记下了，修好以前不再提醒。"), "ok")
    return redirect(back(request.form, url_for("care.alarms_page")))


@bp.post("/speakers/alarms/snooze")
@permission_required(Permission.EDIT_SPEAKERS)
def snooze() -> ResponseReturnValue:
    """Put it off for some days."""
    wanted = days(request.form)
    with work() as session:
        attention.snooze(session, actor(), alarm_ids(request.form), wanted, now=now(), zone=runtime().zone)
    words = ngettext("先不提醒，%(num)s 天后的早上 8 点再说。", "先不提醒，%(num)s 天后的早上 8 点再说。", wanted)
    flash(gettext("先不提醒，明天早上 8 点再说。") if wanted == 1 else words, "ok")
    return redirect(back(request.form, url_for("care.alarms_page")))


# ---- the night's round


@bp.get("/speakers/patrol")
@permission_required(Permission.SEE)
def patrol_page() -> ResponseReturnValue:
    """Show who passed, who failed and why, who did not answer; the list alone when a page asks for fresh news."""
    with reading() as session:
        page = rounds.page(
            session, actor(), region=request.args.get("region", ""), every="all" in request.args, now=now()
        )
    name = "hub/care/_patrol.html" if is_fragment() else "hub/care/patrol.html"
    at = runtime().config.section(CareSettings).self_test_at
    answer = make_response(render_template(name, page=page, at=at, may_edit=_may_edit()))
    answer.add_etag()
    return answer.make_conditional(request)


@bp.post("/speakers/patrol")
@permission_required(Permission.EDIT_SPEAKERS)
def patrol_now() -> ResponseReturnValue:
    """Test a region now."""
    region = request.form.get("region", "")
    if not region:
        raise BadInput("region_missing", field="region")
    with work() as session:
        number = patrol.want(session, actor(), region=region, now=now())
    rounds.kick(runtime())
    flash(ngettext("%(num)s 只开始自检，不出声。", "%(num)s 只开始自检，不出声。", number), "ok")
    return redirect(url_for("care.patrol_page", region=region))


# ---- repairs


@bp.get("/speakers/repairs")
@permission_required(Permission.SEE)
def repairs_page() -> ResponseReturnValue:
    """Show open orders by township, and what was done lately."""
    with reading() as session:
        page = mending.page(session, actor())
    return render_template("hub/care/repairs.html", page=page, now=now())


@bp.get("/speakers/repairs/<uuid:repair_id>")
@permission_required(Permission.SEE)
def repair_page(repair_id: UUID) -> ResponseReturnValue:
    """Show one."""
    return _repair_page(repair_id, {})


@bp.post("/speakers/repairs/<uuid:repair_id>/take")
@permission_required(Permission.EDIT_SPEAKERS)
def take(repair_id: UUID) -> ResponseReturnValue:
    """Take it over."""
    with work() as session:
        repairs.take(session, actor(), repair_id, now=now())
    flash(gettext("接下了。"), "ok")
    return redirect(url_for("care.repair_page", repair_id=repair_id))


@bp.post("/speakers/repairs/<uuid:repair_id>/done")
@permission_required(Permission.EDIT_SPEAKERS)
def done(repair_id: UUID) -> ResponseReturnValue:
    """Close it with what was done."""
    outcome = request.form.get("outcome", "")
    try:
        with work() as session:
            repairs.finish(session, actor(), repair_id, outcome, now=now())
    except BadInput as error:
        return _repair_page(repair_id, mistakes(error), outcome), 422
    flash(gettext("修好了，报修单关了。"), "ok")
    return redirect(url_for("care.repair_page", repair_id=repair_id))


def _repair_page(repair_id: UUID, errors: dict[str, str], outcome: str = "") -> str:
    with reading() as session:
        repair, speaker, place = mending.one(session, actor(), repair_id)
    may_edit = actor().may(Permission.EDIT_SPEAKERS, speaker.region_path)
    return render_template(
        "hub/care/repair.html",
        repair=repair,
        speaker=speaker,
        place=place,
        errors=errors,
        outcome=outcome,
        may_edit=may_edit,
    )


# ---- summary and map


@bp.get("/speakers/digest")
@permission_required(Permission.SEE)
def digest_page() -> ResponseReturnValue:
    """Show how every township's loudspeakers stand."""
    at = runtime().config.section(CareSettings).digest_at
    with reading() as session:
        found = digest(session, actor(), now=now(), zone=runtime().zone, at=at)
    return render_template("hub/care/digest.html", digest=found, now=now())


@bp.get("/speakers/map")
@permission_required(Permission.SEE)
def map_page() -> ResponseReturnValue:
    """Show villages and loudspeakers as a picture, and the same as a list."""
    code = request.args.get("region", "")
    with reading() as session:
        path = regions.get_region(session, actor(), code).path if code else None
        picture = geography.picture(session, actor(), path=path)
        choices = rounds.choices(session, actor())
        clarity = runtime().find(ClarityMap)
        clear = clarity.by_village(session, actor(), now()) if clarity else {}
    return render_template(
        "hub/care/map.html",
        picture=picture,
        region=code,
        regions=choices,
        clear=clear,
        unknown=NOTHING,
        answers_at=clarity.address if clarity else None,
        heard=clarity is not None and request.args.get("show") == "heard",
    )


def _may_edit() -> bool:
    return actor().may_somewhere(Permission.EDIT_SPEAKERS)
