"""Where official warnings come from: feeds that are looked at, and senders that are known."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.bulletins.models import Feed, TrustedSender
from broadcasts.cap.signatures import certificate_name
from broadcasts.cap.values import NAME
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotFound
from hub.regions import service as regions

LONGEST_NAME: Final = 60
LONGEST_SENDER: Final = 200
LONGEST_ADDRESS: Final = 1000
FEWEST_MINUTES, MOST_MINUTES = 1, 1440
_ADDRESS = re.compile(r"https?://[^\s/?#@]+(?::\d{1,5})?(?:[/?#]\S*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SenderForm:
    """What is typed about a sender."""

    sender: str
    name: str
    region: str
    certificate: str = ""
    needs_signature: bool = False


@dataclass(frozen=True, slots=True)
class FeedForm:
    """What is typed about a feed."""

    name: str
    url: str
    region: str
    minutes: int = 2
    only_known: bool = True


def trust(session: Session, actor: Actor, form: SenderForm, *, now: datetime) -> TrustedSender:
    """Know a sender from now on, or change what is known of it."""
    path = _path(session, actor, form.region)
    sender, name = form.sender.strip(), form.name.strip()
    if not NAME.fullmatch(sender) or len(sender) > LONGEST_SENDER:
        raise BadInput("source_sender_malformed", field="sender")
    _named(name)
    certificate = form.certificate.strip()
    if certificate:
        try:
            certificate_name(certificate)
        except ValueError:
            raise BadInput("source_certificate_malformed", field="certificate") from None
    elif form.needs_signature:
        raise BadInput("source_certificate_missing", field="certificate")
    found = session.scalar(select(TrustedSender).where(TrustedSender.sender == sender))
    if found is None:
        found = TrustedSender(sender=sender, name=name, home_path=path, at=now)
        session.add(found)
    else:
        actor.require(Permission.EDIT_ACCOUNTS, found.home_path)
    found.name, found.home_path, found.at, found.by_name = name, path, now, actor.name[:60]
    found.certificate, found.needs_signature = certificate, form.needs_signature
    session.flush()
    _record(session, actor, "source.trust", found, now=now)
    return found


def distrust(session: Session, actor: Actor, sender_id: UUID, *, now: datetime) -> None:
    """Know a sender no more."""
    found = session.get(TrustedSender, sender_id)
    if found is None or not actor.may(Permission.EDIT_ACCOUNTS, found.home_path):
        raise NotFound("source_unknown")
    session.delete(found)
    _record(session, actor, "source.distrust", found, now=now)


def senders(session: Session, actor: Actor) -> Sequence[TrustedSender]:
    """Return the senders the actor may change."""
    rows = session.scalars(select(TrustedSender).order_by(TrustedSender.name))
    return [row for row in rows if actor.may(Permission.EDIT_ACCOUNTS, row.home_path)]


def add_feed(session: Session, actor: Actor, form: FeedForm, *, now: datetime) -> Feed:
    """Look at a feed from now on."""
    path = _path(session, actor, form.region)
    name, url = form.name.strip(), form.url.strip()
    _named(name)
    if not usable(url):
        raise BadInput("source_address_malformed", field="url")
    if not FEWEST_MINUTES <= form.minutes <= MOST_MINUTES:
        raise BadInput("source_minutes_range", field="minutes", least=FEWEST_MINUTES, most=MOST_MINUTES)
    if session.scalar(select(Feed.id).where(Feed.url == url)) is not None:
        raise BadInput("source_feed_twice", field="url")
    feed = Feed(
        name=name,
        url=url,
        home_path=path,
        minutes=form.minutes,
        only_known=form.only_known,
        next_at=now,
        by_name=actor.name[:60],
        made_at=now,
    )
    session.add(feed)
    session.flush()
    _record(session, actor, "source.feed_add", feed, now=now)
    return feed


def usable(url: str) -> bool:
    """Return whether a feed may lie there. A name and password in it would stand in lists: it is refused."""
    if len(url) > LONGEST_ADDRESS or not url.isascii() or not _ADDRESS.fullmatch(url):
        return False
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def switch_feed(session: Session, actor: Actor, feed_id: UUID, *, active: bool, now: datetime) -> Feed:
    """Look at a feed, or no more."""
    feed = get_feed(session, actor, feed_id)
    feed.active, feed.next_at, feed.failures = active, now, 0
    _record(session, actor, "source.feed_switch", feed, now=now)
    return feed


def drop_feed(session: Session, actor: Actor, feed_id: UUID, *, now: datetime) -> None:
    """Forget a feed. What came by it stays."""
    feed = get_feed(session, actor, feed_id)
    session.delete(feed)
    _record(session, actor, "source.feed_drop", feed, now=now)


def look_now(session: Session, actor: Actor, feed_id: UUID, *, now: datetime) -> Feed:
    """Look at a feed at once, and as if for the first time."""
    feed = get_feed(session, actor, feed_id)
    feed.next_at, feed.etag, feed.modified, feed.seen = now, "", "", {}
    return feed


def get_feed(session: Session, actor: Actor, feed_id: UUID) -> Feed:
    """Return a feed the actor may change; to a stranger it does not exist."""
    feed = session.get(Feed, feed_id)
    if feed is None or not actor.may(Permission.EDIT_ACCOUNTS, feed.home_path):
        raise NotFound("source_unknown")
    return feed


def feeds(session: Session, actor: Actor) -> Sequence[Feed]:
    """Return the feeds the actor may change."""
    rows = session.scalars(select(Feed).order_by(Feed.name))
    return [row for row in rows if actor.may(Permission.EDIT_ACCOUNTS, row.home_path)]


def _path(session: Session, actor: Actor, code: str) -> str:
    if not code:
        raise BadInput("source_region_missing", field="region")
    return regions.get_region(session, actor, code, Permission.EDIT_ACCOUNTS).path


def _named(name: str) -> None:
    if not name or len(name) > LONGEST_NAME:
        raise BadInput("source_name_missing", field="name", most=LONGEST_NAME)


def _record(session: Session, actor: Actor, deed: str, of: TrustedSender | Feed, *, now: datetime) -> None:
    kind = "feed" if isinstance(of, Feed) else "sender"
    log.record(session, actor, deed, f"{kind}:{of.id}", of.home_path, now, name=of.name)
