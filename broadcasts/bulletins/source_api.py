"""Where official warnings come from, for programs: feeds that are looked at, and senders that are known."""

from typing import Any
from uuid import UUID

from flask import Response
from pydantic import Field, StrictBool, StrictInt

from broadcasts.bulletins import sources
from broadcasts.bulletins.models import Feed, TrustedSender
from broadcasts.bulletins.sources import FeedForm, SenderForm
from broadcasts.pumps import Pumps
from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.regions.tree import codes_in
from hub.web.api import Input, Output, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.idempotency import finish, once
from hub.web.words import sentence
from hub.web.work import actor, now, reading, work

bp = room("sources", "Where official warnings come from: feeds that are looked at, senders that are known.")
arranges = permission_required(Permission.EDIT_ACCOUNTS)


class FeedIn(Input):
    """A feed to look at."""

    name: str = Field(min_length=1, max_length=sources.LONGEST_NAME)
    url: str = Field(min_length=1, max_length=sources.LONGEST_ADDRESS, description="an Atom or RSS feed")
    region: RegionCode = Field(description="whose people decide about what comes by it")
    minutes: StrictInt = Field(
        2, ge=sources.FEWEST_MINUTES, le=sources.MOST_MINUTES, description="how often it is looked at"
    )
    only_known: StrictBool = Field(True, description="whether only documents of known senders are taken from it")


class FeedOut(Output):
    """A feed, and what happened the last time."""

    id: UUID
    name: str
    url: str
    region: str
    minutes: int
    only_known: bool
    active: bool
    looked_at: int | None
    worked_at: int | None = Field(description="when it last answered as a feed should")
    next_at: int | None = Field(description="when it is looked at next; null while it is paused")
    result: str = Field(description="code of what happened the last time; empty before the first look")
    detail: str = Field(description="the same for people")
    failures: int = Field(description="how often it has failed in a row")

    @classmethod
    def of(cls, feed: Feed) -> "FeedOut":
        """Return a feed for showing."""
        params: dict[str, Any] = feed.result_params
        return cls(
            id=feed.id,
            name=feed.name,
            url=feed.url,
            region=codes_in(feed.home_path)[-1],
            minutes=feed.minutes,
            only_known=feed.only_known,
            active=feed.active,
            looked_at=ms_or_none(feed.looked_at),
            worked_at=ms_or_none(feed.worked_at),
            next_at=ms(feed.next_at) if feed.active else None,
            result=feed.result,
            detail=sentence(feed.result, language(), **params) if feed.result else "",
            failures=feed.failures,
        )


class FeedsOut(Output):
    """The feeds the account may arrange."""

    items: list[FeedOut]


class FeedPath(Input):
    """Which feed."""

    feed_id: UUID


class SenderIn(Input):
    """A sender to be known. One that is known already is changed."""

    sender: str = Field(
        min_length=1, max_length=sources.LONGEST_SENDER, description="`sender` of its documents, to the letter"
    )
    name: str = Field(min_length=1, max_length=sources.LONGEST_NAME, description="what loudspeakers call it")
    region: RegionCode = Field(description="the part of the tree it may speak to")
    certificate: str = Field("", max_length=20_000, description="PEM; what its signatures are checked by")
    needs_signature: StrictBool = Field(False, description="refuse whatever is not signed by exactly that certificate")


class SenderOut(Output):
    """A sender that is known."""

    id: UUID
    sender: str
    name: str
    region: str
    has_certificate: bool
    needs_signature: bool
    since: int

    @classmethod
    def of(cls, found: TrustedSender) -> "SenderOut":
        """Return a sender for showing."""
        return cls(
            id=found.id,
            sender=found.sender,
            name=found.name,
            region=codes_in(found.home_path)[-1],
            has_certificate=bool(found.certificate),
            needs_signature=found.needs_signature,
            since=ms(found.at),
        )


class SendersOut(Output):
    """The senders the account may change."""

    items: list[SenderOut]


class SenderPath(Input):
    """Which sender."""

    sender_id: UUID


@bp.get("/warnings/feeds", responses=answers(FeedsOut, 403))
@arranges
def list_feeds() -> Response:
    """List feeds with what happened the last time."""
    with reading() as session:
        return say(FeedsOut(items=[FeedOut.of(feed) for feed in sources.feeds(session, actor())]))


@bp.post("/warnings/feeds", responses=answers(FeedOut, 403, 404, 409, status=201))
@arranges
@once
def add_feed(body: FeedIn) -> Response:
    """Look at a feed from now on, for the first time at once."""
    form = FeedForm(body.name, body.url, body.region, body.minutes, body.only_known)
    with work() as session:
        answer = finish(session, FeedOut.of(sources.add_feed(session, actor(), form, now=now())), 201)
    runtime().get(Pumps).kick()
    return answer


@bp.get("/warnings/feeds/<uuid:feed_id>", responses=answers(FeedOut, 403, 404))
@arranges
def get_feed(path: FeedPath) -> Response:
    """Return one feed with what happened the last time."""
    with reading() as session:
        return say(FeedOut.of(sources.get_feed(session, actor(), path.feed_id)))


@bp.post("/warnings/feeds/<uuid:feed_id>/test", responses=answers(FeedOut, 403, 404, 409))
@arranges
@once
def test_feed(path: FeedPath) -> Response:
    """Look at it at once, as if for the first time; what came of it stands in `result` some seconds later."""
    with work() as session:
        answer = finish(session, FeedOut.of(sources.look_now(session, actor(), path.feed_id, now=now())))
    runtime().get(Pumps).kick()
    return answer


@bp.post("/warnings/feeds/<uuid:feed_id>/pause", responses=answers(FeedOut, 403, 404, 409))
@arranges
@once
def pause_feed(path: FeedPath) -> Response:
    """Look at it no more, until it is resumed."""
    with work() as session:
        found = sources.switch_feed(session, actor(), path.feed_id, active=False, now=now())
        return finish(session, FeedOut.of(found))


@bp.post("/warnings/feeds/<uuid:feed_id>/resume", responses=answers(FeedOut, 403, 404, 409))
@arranges
@once
def resume_feed(path: FeedPath) -> Response:
    """Look at it again, at once."""
    with work() as session:
        found = sources.switch_feed(session, actor(), path.feed_id, active=True, now=now())
        answer = finish(session, FeedOut.of(found))
    runtime().get(Pumps).kick()
    return answer


@bp.delete("/warnings/feeds/<uuid:feed_id>", responses=answers(FeedsOut, 403, 404))
@arranges
def remove_feed(path: FeedPath) -> Response:
    """Forget a feed. What came by it stays."""
    with work() as session:
        sources.drop_feed(session, actor(), path.feed_id, now=now())
        session.flush()
        return say(FeedsOut(items=[FeedOut.of(feed) for feed in sources.feeds(session, actor())]))


@bp.get("/warnings/senders", responses=answers(SendersOut, 403))
@arranges
def list_senders() -> Response:
    """List the senders that are known."""
    with reading() as session:
        return say(SendersOut(items=[SenderOut.of(found) for found in sources.senders(session, actor())]))


@bp.post("/warnings/senders", responses=answers(SenderOut, 403, 404, 409, status=201))
@arranges
@once
def trust_sender(body: SenderIn) -> Response:
    """Know a sender from now on, or change what is known of it."""
    form = SenderForm(body.sender, body.name, body.region, body.certificate, body.needs_signature)
    with work() as session:
        return finish(session, SenderOut.of(sources.trust(session, actor(), form, now=now())), 201)


@bp.delete("/warnings/senders/<uuid:sender_id>", responses=answers(SendersOut, 403, 404))
@arranges
def distrust_sender(path: SenderPath) -> Response:
    """Know a sender no more."""
    with work() as session:
        sources.distrust(session, actor(), path.sender_id, now=now())
        session.flush()
        return say(SendersOut(items=[SenderOut.of(found) for found in sources.senders(session, actor())]))
