"""标签: which there are, rename, merge, take away."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.residents import tagging
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.mistakes import fields_named
from hub.web.work import actor, now, reading, work

bp = Blueprint("tags", __name__)
edit = permission_required(Permission.EDIT_RESIDENTS)


@bp.get("/residents/tags")
@permission_required(Permission.SEE_RESIDENTS)
def every() -> ResponseReturnValue:
    """List them with how many people carry each."""
    return _page({})


@bp.post("/residents/tags/rename")
@edit
def rename() -> ResponseReturnValue:
    """Call one otherwise; a name that is there already makes them one."""
    tag, new = request.form.get("tag", ""), request.form.get("new", "")
    try:
        with fields_named(lambda field: "new" if field == "tags" else field), work() as session:
            people = tagging.rename(session, actor(), tag, new, now=now())
    except BadInput as error:
        return _page(mistakes(error), tag), 422
    text = ngettext(
        "改好了，%(num)s 个人的标签换成了“%(new)s”。",
        "改好了，%(num)s 个人的标签换成了“%(new)s”。",
        people,
        new=new.strip(),
    )
    flash(text, "ok")
    return redirect(url_for("residents.tags.every"))


@bp.post("/residents/tags/remove")
@edit
def remove() -> ResponseReturnValue:
    """Take one from everybody."""
    tag = request.form.get("tag", "")
    with work() as session:
        people = tagging.remove(session, actor(), tag, now=now())
    flash(
        ngettext("从 %(num)s 个人身上拿掉了“%(tag)s”。", "从 %(num)s 个人身上拿掉了“%(tag)s”。", people, tag=tag), "ok"
    )
    return redirect(url_for("residents.tags.every"))


def _page(errors: dict[str, str], wrong: str = "") -> str:
    with reading() as session:
        tags = tagging.every(session, actor())
    return render_template(
        "hub/residents/tags.html", tags=tags, errors=errors, wrong=wrong, typed=request.form.get("new", "")
    )
