"""Help: the staff manual in the browser, and the way to the section about the page one came from."""

from flask import Blueprint, redirect, render_template, send_from_directory, url_for
from flask.typing import ResponseReturnValue

from hub.core.errors import NotFound
from hub.web.guards import signed_in
from hub.web.manual import PICTURES, chapter_about, chapters

bp = Blueprint("help", __name__, url_prefix="/help")
YEAR_S = 31_536_000


@bp.get("")
@signed_in
def start() -> ResponseReturnValue:
    """Show what there is."""
    return redirect(url_for("help.chapter", key="start"))


@bp.get("/<key>")
@signed_in
def chapter(key: str) -> ResponseReturnValue:
    """Show a chapter."""
    found = chapters().get(key)
    if found is None:
        raise NotFound("http_404")
    return render_template("hub/web/help.html", chapter=found, chapters=chapters())


@bp.get("/about/<page>")
@signed_in
def about(page: str) -> ResponseReturnValue:
    """Lead to the section about a line of the menu; to the beginning where there is none."""
    found = chapter_about(page)
    if found is None:
        return redirect(url_for("help.start"))
    return redirect(url_for("help.chapter", key=found.key, _anchor=page))


@bp.get("/pictures/<name>")
@signed_in
def picture(name: str) -> ResponseReturnValue:
    """Answer a picture of the manual."""
    return send_from_directory(PICTURES, name, mimetype="image/webp", max_age=YEAR_S)
