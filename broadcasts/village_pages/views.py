"""The page of a village for everybody: what was said lately, to be read and heard again, and a form for what is wrong.

No cookie is set and none is asked for, so that the answer is the same for all and may be kept; for the same reason
there is no CSRF token: the form can do no more than what anybody may do from anywhere.
"""

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale

from broadcasts.delivery.sound import ReleasedSound
from broadcasts.feedback.forms import identifier, kind_of
from broadcasts.feedback.kinds import ComplaintKind
from broadcasts.feedback.settings import FeedbackSettings
from broadcasts.village_pages import said, service
from broadcasts.village_pages.limits import VillageFormsPerMinute, VillagePagesPerMinute
from broadcasts.village_pages.said import Item
from broadcasts.village_pages.service import Form
from hub.core.errors import BadInput, TooMany
from hub.core.runtime import runtime
from hub.residents.phones import PhoneSafe
from hub.web.api import client
from hub.web.guards import csrf
from hub.web.i18n import LOCALES
from hub.web.words import explain
from hub.web.work import now, reading, work

bp = Blueprint("village_page", __name__)
FRESH_S = 20
LARGEST_FORM = 8 * 1024


@bp.get("/v/<token>")
def look(token: str) -> ResponseReturnValue:
    """Show what was said in the village lately. May be kept for a moment; what has not changed is not sent twice."""
    runtime().get(VillagePagesPerMinute).take(client(), now())
    answer = make_response(_page(token, thanks=request.args.get("sent", "")))
    answer.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
    answer.add_etag()
    return _for_nobody_to_list(answer).make_conditional(request)


@bp.post("/v/<token>")
def send(token: str) -> ResponseReturnValue:
    """Take what somebody says about a broadcast."""
    request.max_content_length = LARGEST_FORM
    runtime().get(VillageFormsPerMinute).take(client(), now())
    form = request.form
    try:
        with work() as session:
            village = service.find(session, token)
            offered = [item.id for item in said.shown(session, village.path, now=now()).all]
            given = Form(
                kind=kind_of(form),
                text=form.get("text", ""),
                phone=form.get("phone", ""),
                broadcast_id=identifier(form.get("broadcast", "")),
                trap=bool(form.get("website", "")),
            )
            kept = service.take_in(
                session,
                village,
                given,
                offered=offered,
                safe=runtime().get(PhoneSafe),
                settings=runtime().config.section(FeedbackSettings),
                now=now(),
            )
            urgent = kept is not None and kept.urgent
    except (BadInput, TooMany) as error:
        page = _page(token, typed=form.to_dict(), wrong=explain(error, _language()))
        return _for_nobody_to_list(make_response(page, error.status))
    english = "en" if _language() == "en" else None
    where = url_for("village_page.look", token=token, sent="danger" if urgent else "ok", lang=english)
    return _for_nobody_to_list(make_response(redirect(where, 303)))


csrf.exempt(send)


def _for_nobody_to_list(answer: Response) -> Response:
    answer.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _language() -> str:
    """Return `zh` or `en` by the address alone: cookies would make one page into several."""
    return "en" if request.values.get("lang") == "en" else "zh"


def _page(token: str, *, thanks: str = "", typed: dict[str, str] | None = None, wrong: str = "") -> str:
    with reading() as session:
        village = service.find(session, token)
        found = said.shown(session, village.path, now=now())
    given: dict[str, Any] = {
        "token": token,
        "village": village,
        "active": [(item, _at(item.at), _sound(item)) for item in found.active],
        "items": [(item, _at(item.at), _sound(item)) for item in found.items],
        "kinds": list(ComplaintKind),
        "days": said.LASTS.days,
        "thanks": thanks,
        "typed": typed or {},
        "wrong": wrong,
        "spoken": _language(),
    }
    with force_locale(LOCALES[_language()]):
        return render_template("broadcasts/village_pages/page.html", **given)


def _sound(item: Item) -> str:
    """Return the address of the recording, while there is one."""
    there = item.audio and runtime().get(ReleasedSound).path(item.audio)
    return url_for("delivery.sound", digest=item.audio) if there else ""


def _at(moment: datetime) -> tuple[str, str, int, int]:
    """Return which day it was (`today`, `yesterday` or nothing), the time, month and day."""
    zone = runtime().zone
    local, today = moment.astimezone(zone), now().astimezone(zone).date()
    day = {today: "today", today - timedelta(days=1): "yesterday"}.get(local.date(), "")
    return day, f"{local:%H:%M}", local.month, local.day
