"""全部静音: choose a region, read what it means, silence it, and see who has confirmed it."""

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.delivery import muting
from broadcasts.pumps import Pumps
from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.web.guards import permission_required
from hub.web.work import actor, now, reading, work

bp = Blueprint("muting", __name__)
PAGES = "broadcasts/delivery"
ENOUGH = 286


def address(region: str) -> str:
    """Return where a region is silenced."""
    return url_for("muting.ask", region=region)


@bp.get("/silence")
@permission_required(Permission.STOP)
def ask() -> ResponseReturnValue:
    """Show what would fall silent; nothing happens yet."""
    with reading() as session:
        areas = muting.areas(session, actor())
        wanted = request.args.get("region") or (areas[0].code if areas else "")
        found = muting.look(session, actor(), wanted)
        done = muting.latest(session, actor(), now=now())
    return render_template(
        f"{PAGES}/silence.html", areas=areas, found=found, done=done, moving=muting.is_moving(done, now())
    )


@bp.get("/silence/latest")
@permission_required(Permission.STOP)
def latest() -> ResponseReturnValue:
    """Show who has confirmed the latest ones."""
    with reading() as session:
        done = muting.latest(session, actor(), now=now())
    moving = muting.is_moving(done, now())
    answer = make_response(render_template(f"{PAGES}/_silences.html", done=done, moving=moving))
    if not moving:
        answer.status_code = ENOUGH
        return answer
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.add_etag()
    return answer.make_conditional(request)


@bp.post("/silence")
@permission_required(Permission.STOP)
def silence() -> ResponseReturnValue:
    """Silence the region. Pressing twice does no harm."""
    code = request.form.get("region", "")
    with work() as session:
        muting.silence(session, actor(), code, now=now())
    runtime().get(Pumps).kick()
    flash(gettext("已经叫停：收到就不响了，没连上的一连上就停。"), "ok")
    return redirect(url_for("muting.ask", region=code))
