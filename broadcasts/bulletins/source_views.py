"""Where warnings come from: feeds with their last result, and senders the hub knows."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from broadcasts.bulletins import sources
from broadcasts.bulletins.sources import FeedForm, SenderForm
from broadcasts.pumps import Pumps
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.regions.tree import Level
from hub.web.errors import mistakes
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.words import sentence
from hub.web.work import actor, now, reading, work

bp = Blueprint("sources", __name__, url_prefix="/warnings/sources")
PLACES = frozenset({Level.COUNTY, Level.TOWNSHIP})


@bp.get("/")
@permission_required(Permission.EDIT_ACCOUNTS)
def every() -> ResponseReturnValue:
    """Show both lists and the forms to add to them."""
    return _page({}, {})


@bp.post("/feeds")
@permission_required(Permission.EDIT_ACCOUNTS)
def add_feed() -> ResponseReturnValue:
    """Look at a feed from now on."""

    def add(session: Session) -> None:
        sources.add_feed(session, actor(), _feed(), now=now())

    return _done(add, gettext("加上了，马上看第一次。"))


@bp.post("/feeds/<uuid:feed_id>/look")
@permission_required(Permission.EDIT_ACCOUNTS)
def look(feed_id: UUID) -> ResponseReturnValue:
    """Look at a feed at once."""
    said = gettext("马上去看，等几秒刷新。")
    return _done(lambda session: sources.look_now(session, actor(), feed_id, now=now()), said)


@bp.post("/feeds/<uuid:feed_id>/switch")
@permission_required(Permission.EDIT_ACCOUNTS)
def switch(feed_id: UUID) -> ResponseReturnValue:
    """Look at a feed, or no more."""
    active = request.form.get("active") == "1"
    said = gettext("开始看了。") if active else gettext("停了，不再看。")
    return _done(lambda session: sources.switch_feed(session, actor(), feed_id, active=active, now=now()), said)


@bp.post("/feeds/<uuid:feed_id>/drop")
@permission_required(Permission.EDIT_ACCOUNTS)
def drop(feed_id: UUID) -> ResponseReturnValue:
    """Forget a feed."""
    return _done(lambda session: sources.drop_feed(session, actor(), feed_id, now=now()), gettext("删掉了。"))


@bp.post("/senders")
@permission_required(Permission.EDIT_ACCOUNTS)
def trust() -> ResponseReturnValue:
    """Know a sender from now on, or change what is known of it."""

    def know(session: Session) -> None:
        sources.trust(session, actor(), _sender(), now=now())

    return _done(know, gettext("记下了。"))


@bp.post("/senders/<uuid:sender_id>/drop")
@permission_required(Permission.EDIT_ACCOUNTS)
def distrust(sender_id: UUID) -> ResponseReturnValue:
    """Know a sender no more."""
    said = gettext("不再信任这个单位。")
    return _done(lambda session: sources.distrust(session, actor(), sender_id, now=now()), said)


def _done(deed: Callable[[Session], object], said: str) -> ResponseReturnValue:
    try:
        with work() as session:
            deed(session)
    except BadInput as error:
        return _page(mistakes(error), request.form.to_dict()), error.status
    runtime().get(Pumps).kick()
    flash(said, "ok")
    return redirect(url_for("sources.every"))


def _feed() -> FeedForm:
    minutes = request.form.get("minutes", "")
    if not (minutes.isdecimal() and len(minutes) <= 4):
        raise BadInput("number_malformed", field="minutes")
    return FeedForm(
        name=request.form.get("name", ""),
        url=request.form.get("url", ""),
        region=request.form.get("region", ""),
        minutes=int(minutes),
        only_known=request.form.get("only_known") == "1",
    )


def _sender() -> SenderForm:
    return SenderForm(
        sender=request.form.get("sender", ""),
        name=request.form.get("name", ""),
        region=request.form.get("region", ""),
        certificate=request.form.get("certificate", ""),
        needs_signature=request.form.get("needs_signature") == "1",
    )


def _page(errors: dict[str, str], given: dict[str, str]) -> str:
    with reading() as session:
        feeds = sources.feeds(session, actor())
        senders = sources.senders(session, actor())
        places = regions.choices(session, actor(), Permission.EDIT_ACCOUNTS, levels=PLACES)
    return render_template(
        "broadcasts/bulletins/sources.html",
        feeds=feeds,
        senders=senders,
        places=places,
        errors=errors,
        given=given,
        say=lambda code, params: sentence(code, language(), **params),
    )
