"""The overview, the record of broadcasts, one broadcast as it goes out, and the sound that loudspeakers fetch."""

from collections.abc import Callable, Hashable
from typing import Any
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

from broadcasts.delivery import overview as board
from broadcasts.delivery import progress, records, service
from broadcasts.delivery.desk import Approvals, Complaining, Countdowns, Echoes, Pressings, Upcoming
from broadcasts.delivery.forms import before, show
from broadcasts.delivery.glances import Glances
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.sound import ReleasedSound
from broadcasts.pumps import Pumps
from hub.core.actor import Permission
from hub.core.errors import WrongState
from hub.core.runtime import Runtime, runtime
from hub.speakers.station import Station
from hub.web.ending import to_the_end
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu
from hub.web.words import explain, sentence
from hub.web.work import actor, now, reading, urgent_work

bp = Blueprint("delivery", __name__)
ENOUGH = 286
"""The status with which htmx stops to ask again."""
YEAR_S = 31_536_000


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's lines into the menu."""
    for key, label, icon, endpoint, position in (
        ("overview", lazy_gettext("总览"), "home", "delivery.overview", 1),
        ("broadcasts", lazy_gettext("播发记录"), "broadcast", "delivery.every", 5),
    ):
        runtime.get(Menu).add(
            Entry(
                key=key,
                label=label,
                icon=icon,
                endpoint=endpoint,
                permission=Permission.SEE,
                group=1,
                position=position,
            )
        )


@bp.get("/")
@permission_required(Permission.SEE)
def overview() -> ResponseReturnValue:
    """Show how things stand."""
    with reading() as session:
        entries = records.on_air(session, actor(), now=now())
    return render_template("broadcasts/delivery/overview.html", entries=entries, seen=_seen(), **_common())


@bp.get("/overview/on-air")
@permission_required(Permission.SEE)
def on_air() -> ResponseReturnValue:
    """Show what goes out now."""

    def told() -> str:
        with reading() as session:
            entries = records.on_air(session, actor(), now=now())
        return render_template("broadcasts/delivery/_on_air.html", entries=entries, **_common())

    return _fresh(_glance("on air", _rights(), told))


@bp.get("/overview/news")
@permission_required(Permission.SEE)
def news() -> ResponseReturnValue:
    """Show the rest of the overview as it is now."""

    def told() -> str:
        return render_template("broadcasts/delivery/_news.html", seen=_seen(), **_common())

    person = actor()
    return _fresh(_glance("news", (person.id, person.scopes), told))


@bp.get("/broadcasts")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List what went out, newest first."""
    wanted, start = show(request.args), before(request.args)
    with reading() as session:
        page = records.page(session, actor(), show=wanted, before=start, now=now())
    return render_template("broadcasts/delivery/every.html", page=page, wanted=wanted, paged=start, **_common())


@bp.get("/broadcasts/<uuid:broadcast_id>")
@permission_required(Permission.SEE)
def broadcast(broadcast_id: UUID) -> ResponseReturnValue:
    """Show one broadcast: as it goes out, and what became of it afterwards."""
    given = _progress(broadcast_id)
    peaks = runtime().get(ReleasedSound).peaks(given["p"].broadcast.audio_sha256)
    echoes = runtime().find(Echoes)
    with reading() as session:
        echo = echoes.of(session, actor(), broadcast_id) if echoes else None
    return render_template("broadcasts/delivery/broadcast.html", peaks=peaks, echo=echo, **given, **_common())


@bp.get("/broadcasts/<uuid:broadcast_id>/progress")
@permission_required(Permission.SEE)
def broadcast_progress(broadcast_id: UUID) -> ResponseReturnValue:
    """Show what has changed."""
    given = _progress(broadcast_id)
    html = render_template("broadcasts/delivery/_news_of_one.html", **given, **_common())
    return _fresh(html) if given["p"].live else (html, ENOUGH)


@bp.post("/broadcasts/<uuid:broadcast_id>/stop")
@permission_required(Permission.STOP)
def stop(broadcast_id: UUID) -> ResponseReturnValue:
    """Silence it. Pressing twice, or too late, does no harm."""
    try:
        with urgent_work() as session:
            service.stop(session, actor(), broadcast_id, now=now())
        runtime().get(Pumps).kick()
        flash(gettext("已经叫停：喇叭收到就不响了，还没发的短信不发了。"), "ok")
    except WrongState as error:
        flash(explain(error, language()), "warn")
    return redirect(url_for("delivery.broadcast", broadcast_id=broadcast_id))


@bp.get("/broadcasts/<uuid:broadcast_id>/audio")
@permission_required(Permission.SEE)
def broadcast_audio(broadcast_id: UUID) -> ResponseReturnValue:
    """Lead to the recording that was sent."""
    with reading() as session:
        digest = service.get(session, actor(), broadcast_id).audio_sha256
    return redirect(url_for("delivery.sound", digest=digest)) if digest else abort(404)


@bp.get("/a/<string(length=64):digest>.mp3")
@to_the_end
def sound(digest: str) -> ResponseReturnValue:
    """Hand out a released recording to anybody who knows its hash: it is what everybody hears anyway."""
    path = runtime().get(ReleasedSound).path(digest)
    if path is None:
        abort(404)
    answer = send_file(path, mimetype="audio/mpeg", conditional=True, etag=digest, max_age=YEAR_S)
    answer.cache_control.public = True
    answer.cache_control.no_cache = None
    answer.cache_control.immutable = True
    return answer


def _seen() -> board.Overview:
    hub = runtime()
    station = hub.find(Station)
    sources = board.Sources(
        connected=station is not None and station.connected,
        approvals=hub.find(Approvals),
        countdowns=hub.find(Countdowns),
        pressings=hub.find(Pressings),
        upcoming=hub.find(Upcoming),
        complaining=hub.find(Complaining),
    )
    with reading() as session:
        return board.overview(session, actor(), sources, rules=hub.get(Rules), now=now())


def _progress(broadcast_id: UUID) -> dict[str, Any]:
    desk = runtime().find(Approvals)
    with reading() as session:
        found = service.get(session, actor(), broadcast_id)
        return {
            "p": progress.of(session, actor(), found, now=now(), village=request.args.get("village", "")),
            "places": records.places_of(session, [found.audience["regions"]])[0],
            "author": desk.author(session, found.announcement_id) if desk and found.announcement_id else "",
        }


def _glance(what: str, whom: Hashable, make: Callable[[], str]) -> str:
    """Return what those who are told the same are told at the moment, however many pages of theirs ask."""
    return runtime().get(Glances).of((what, whom, language()), make, now=now())


def _rights() -> Hashable:
    """Return all that what is on air depends on: a whole office sees, and may stop, the same."""
    person = actor()
    rights = (Permission.SEE, Permission.STOP, Permission.EMERGENCY)
    return tuple(frozenset(person.paths(right)) for right in rights)


def _fresh(html: str) -> ResponseReturnValue:
    """Answer a page that asks again and again; what has not changed is not sent twice."""
    answer = make_response(html)
    # The browser may keep it, or it would have nothing to compare with, but must ask every time.
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.add_etag()
    return answer.make_conditional(request)


def _common() -> dict[str, Any]:
    return {
        "now": now(),
        "to": _to,
        "texts_page": _texts_page,
        "may_watch": actor().may_somewhere(Permission.EMERGENCY),
        "may_silence": actor().may_somewhere(Permission.STOP),
        "daily_minutes": runtime().get(Rules).daily_minutes,
        "explain_code": lambda code: sentence(code, language()),
    }


def _to(endpoint: str, **values: object) -> str:
    """Return the address of a page of another room, or nothing when that room is not plugged in."""
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else ""  # type: ignore[arg-type]


def _texts_page(broadcast_id: UUID) -> str:
    """Return the address of the text messages of a broadcast, for those who may see residents."""
    if not actor().may_somewhere(Permission.SEE_RESIDENTS):
        return ""
    return _to("sms.show_run", broadcast_id=broadcast_id) or _to("sms.run", broadcast_id=broadcast_id)
