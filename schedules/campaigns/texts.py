"""范文: texts that come with the program: look through them, fill in the blanks, broadcast them or keep them."""

from collections.abc import Mapping
from contextlib import suppress

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.announcements import service as announcements
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.models import When
from broadcasts.audience.selection import Audience
from broadcasts.materials import service as materials
from broadcasts.materials.starting import as_material
from broadcasts.texts import filling, shelf
from broadcasts.texts.filling import Filled
from broadcasts.texts.shelf import Text
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound
from hub.core.runtime import runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.work import actor, now, work
from schedules.campaigns.views import PAGES, today

bp = Blueprint("texts", __name__)


@bp.get("/texts")
@permission_required(Permission.SEE)
def shelves() -> ResponseReturnValue:
    """Show one shelf, the first by default."""
    every = shelf.shelves()
    chosen = next((s for s in every if s.key == request.args.get("shelf")), every[0])
    return render_template(f"{PAGES}/texts.html", shelves=every, chosen=chosen, may_write=_may_write())


@bp.get("/texts/<key>")
@permission_required(Permission.SEE)
def one(key: str) -> ResponseReturnValue:
    """Show one text and what has to be filled in."""
    return _one(_text(key), {}, {})


@bp.post("/texts/<key>")
@permission_required(Permission.COMPOSE)
def use(key: str) -> ResponseReturnValue:
    """Fill it in, and start an announcement with it or keep it in the library."""
    text = _text(key)
    values = {blank.name: request.form.get(filling.field_of(blank), "") for blank in text.blanks}
    try:
        filled = filling.fill(text, values, today=today())
    except BadInput as error:
        return _one(text, values, mistakes(error), error.status)
    return _keep(text, filled) if request.form.get("do") == "keep" else _broadcast(text, filled)


def _broadcast(text: Text, filled: Filled) -> ResponseReturnValue:
    draft = Draft(
        title=filled.title,
        text=filled.text,
        sms_text=filled.sms,
        theme=text.theme,
        audience=Audience(()),
        when=When.ONCE,
    )
    with work() as session:
        written = announcements.create(session, actor(), draft, now=now())
    return redirect(url_for("announcements.edit", announcement_id=written.id))


def _keep(text: Text, filled: Filled) -> ResponseReturnValue:
    with work() as session:
        kept = materials.create(session, actor(), as_material(text, filled), now=now(), to_check=bool(text.check))
    flash(gettext("放进内容库了，改好再提交审批。"), "ok")
    return redirect(url_for("materials.edit", material_id=kept.id))


def _text(key: str) -> Text:
    text = shelf.find(key)
    if text is None:
        raise NotFound("text_unknown")
    return text


def _one(text: Text, values: Mapping[str, str], errors: Mapping[str, str], status: int = 200) -> ResponseReturnValue:
    shown = filling.sampled(text)
    if all(values.get(blank.name) for blank in text.blanks):
        with suppress(BadInput):
            shown = filling.fill(text, values, today=now().astimezone(runtime().zone).date())
    return render_template(
        f"{PAGES}/text.html", text=text, shown=shown, values=values, errors=errors, may_write=_may_write()
    ), status


def _may_write() -> bool:
    return actor().may_somewhere(Permission.COMPOSE)
