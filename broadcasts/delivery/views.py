"""The overview, the record of broadcasts, one broadcast as it goes out, and the sound that loudspeakers fetch."""

from uuid import UUID

from flask import (
    Blueprint,
    abort,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from broadcasts.delivery import progress, records, service
from broadcasts.delivery.desk import Approvals, Countdowns, Upcoming
from broadcasts.delivery.forms import before, show
from broadcasts.delivery.overview import Sources, overview
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.sound import ReleasedSound
from hub.core.actor import Permission
from hub.core.errors import WrongState
from hub.core.runtime import Runtime, runtime
from hub.speakers.station import Station
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("delivery", __name__)
ENOUGH = 286
"""The status with which htmx stops to ask again."""
YEAR_S = 31_536_000


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
    for key, label, icon, endpoint, position in (
        ("overview", lazy_gettext("总览"), "home", "delivery.home", 1),
        ("broadcasts", lazy_gettext("播发记录"), "broadcast", "delivery.every", 5),
    ):
        entry = Entry(
            key=key, label=label, icon=icon, endpoint=endpoint, permission=Permission.SEE, group=1, position=position
        )
        runtime.get(Menu).add(entry)


@bp.get("/", endpoint="overview")
@permission_required(Permission.SEE)
def home() -> ResponseReturnValue:
    """Show how things stand."""
    with reading() as session:
        entries = records.on_air(session, actor(), now=now())
        seen = overview(session, actor(), _sources(), rules=runtime().get(Rules), now=now())
    return render_template("broadcasts/delivery/overview.html", entries=entries, seen=seen, **_words())


@bp.get("/overview/on-air")
@permission_required(Permission.SEE)
def on_air() -> ResponseReturnValue:
    """Show what goes out now."""
    with reading() as session:
        entries = records.on_air(session, actor(), now=now())
    return _fresh(render_template("broadcasts/delivery/_on_air.html", entries=entries, **_words()))


@bp.get("/overview/news")
@permission_required(Permission.SEE)
def news() -> ResponseReturnValue:
    """Show the rest of the overview as it is now."""
    with reading() as session:
        seen = overview(session, actor(), _sources(), rules=runtime().get(Rules), now=now())
    return _fresh(render_template("broadcasts/delivery/_news.html", seen=seen, **_words()))


@bp.get("/broadcasts")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List what went out, newest first."""
    wanted, older_than = show(request.args), before(request.args)
    with reading() as session:
        page = records.page(session, actor(), show=wanted, before=older_than, now=now())
    return render_template(
        "broadcasts/delivery/every.html", page=page, wanted=wanted, paged=older_than is not None, **_words()
    )


@bp.get("/broadcasts/<uuid:broadcast_id>")
@permission_required(Permission.SEE)
def broadcast(broadcast_id: UUID) -> ResponseReturnValue:
    """Show one broadcast: as it goes out, and what became of it afterwards."""
    given = _progress(broadcast_id)
    peaks = runtime().get(ReleasedSound).peaks(given["p"].broadcast.audio_sha256)
    return render_template("broadcasts/delivery/broadcast.html", peaks=peaks, **given, **_words())


@bp.get("/broadcasts/<uuid:broadcast_id>/progress")
@permission_required(Permission.SEE)
def broadcast_progress(broadcast_id: UUID) -> ResponseReturnValue:
    """Show what has changed."""
    given = _progress(broadcast_id)
    html = render_template("broadcasts/delivery/_progress.html", fragment=True, **given, **_words())
    return _fresh(html) if given["p"].live else (html, ENOUGH)


@bp.post("/broadcasts/<uuid:broadcast_id>/stop")
@permission_required(Permission.STOP)
def stop(broadcast_id: UUID) -> ResponseReturnValue:
    """Silence it. Pressing twice, or too late, does no harm."""
    try:
        with work() as session:
            service.stop(session, actor(), broadcast_id, now=now())
    except WrongState as error:
        flash(explain(error, language()), "warn")
    else:
        runtime().get(Pumps).kick()
        flash(gettext("已经叫停。喇叭收到就不响了，没发的短信不发了。"), "ok")
    return redirect(url_for("delivery.broadcast", broadcast_id=broadcast_id))
