"""Look at feeds when their time has come. No session is open while the network is asked."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.bulletins import deciding, intake
from broadcasts.bulletins.fetching import Ask, Fetch, Got, fetch
from broadcasts.bulletins.intake import Source
from broadcasts.bulletins.models import Door, Feed
from broadcasts.cap.feeds import FEED_LIMITS, Entry, entries
from broadcasts.cap.limits import Limits
from broadcasts.cap.opening import Unreadable
from hub.core.clock import Clock
from hub.core.db import Sessions

REST_S: Final = 5.0
MOST_A_ROUND: Final = 40
"""Documents fetched in one look at a feed; what is left comes with the next, a minute later."""
LONGEST_WAIT: Final = timedelta(hours=1)
_SLACK = timedelta(minutes=10)


class FeedReader:
    """Looks at one feed a step."""

    def __init__(
        self,
        sessions: Sessions,
        clock: Clock,
        *,
        most_bytes: int,
        fetch: Fetch = fetch,
        proposed: Callable[[], None] = lambda: None,
        kept: timedelta = timedelta(days=30),
    ) -> None:
        """`kept`: so long a refused document may be read."""
        self._sessions, self._clock, self._fetch, self._proposed = sessions, clock, fetch, proposed
        self._most, self._kept = most_bytes, kept

    def step(self) -> float:
        """Look at the feed whose time came first; return the seconds to rest."""
        now = self._clock()
        with self._sessions.begin() as session:
            deciding.lapse(session, now=now)
            deciding.reopen(session, now=now)
            intake.purge(session, older_than=now - self._kept)
            feed = _claim(session, now)
        if feed is None:
            return REST_S
        got = self._fetch(Ask(feed.url, _host(feed), FEED_LIMITS.size, feed.etag, feed.modified))
        if got.code or got.data is None:
            self._note(feed.id, got, result=got.code or "feed_unchanged", worked=not got.code)
            return 0.0
        try:
            offered = entries(got.data, feed.url)
        except Unreadable as error:
            params = {**error.finding.params, "line": error.finding.line}
            self._note(feed.id, got, result=error.finding.code, worked=False, params=params)
            return 0.0
        self._take(feed, got, offered)
        return 0.0

    def _take(self, feed: Feed, got: Got, offered: Sequence[Entry]) -> None:
        fresh = [entry for entry in offered if feed.seen.get(_name(entry)) != _mark(entry)]
        seen = {_name(entry): _mark(entry) for entry in offered if entry not in fresh}
        counts: dict[str, int] = {"new": 0, "taken": 0, "refused": 0, "failed": 0}
        for entry in fresh[:MOST_A_ROUND]:
            outcome = self._one(feed, entry)
            counts[outcome] += 1
            counts["new"] += 1
            if outcome != "failed":
                seen[_name(entry)] = _mark(entry)
        unfinished = len(fresh) > MOST_A_ROUND or counts["failed"]
        kept = Got(data=b"", status=200) if unfinished else got  # asked again whole: something of it is missing
        result = "feed_documents_away" if counts["failed"] else "feed_read"
        self._note(feed.id, kept, result=result, worked=True, params=counts, seen=seen, soon=bool(unfinished))
        if counts["taken"]:
            self._proposed()

    def _one(self, feed: Feed, entry: Entry) -> str:
        data = entry.document
        if not data:
            got = self._fetch(Ask(entry.address, _host(feed), self._most))
            if got.code or got.data is None:
                return "refused" if got.status in (404, 410) or got.code == "feed_address_inside" else "failed"
            data = got.data
        source = Source(Door.FEED, feed.home_path, feed.name, feed_id=feed.id, only_known=feed.only_known)
        with self._sessions.begin() as session:
            found = intake.receive_cap(session, source, data, now=self._clock(), limits=Limits(size=self._most))
        return "refused" if found.refused else "taken"

    def _note(
        self,
        feed_id: UUID,
        got: Got,
        *,
        result: str,
        worked: bool,
        params: Mapping[str, object] | None = None,
        seen: dict[str, str] | None = None,
        soon: bool = False,
    ) -> None:
        now = self._clock()
        with self._sessions.begin() as session:
            feed = session.get(Feed, feed_id)
            if feed is None:  # dropped meanwhile
                return
            feed.looked_at, feed.result = now, result
            feed.result_params = {**(params or {}), "status": got.status}
            feed.failures = 0 if worked else feed.failures + 1
            if worked:
                feed.worked_at = now
            if got.status == 200 and worked:
                feed.etag, feed.modified = got.etag, got.modified
            if seen is not None:
                feed.seen = seen
            feed.next_at = now + (timedelta(minutes=1) if soon else pause(feed))


def pause(feed: Feed) -> timedelta:
    """Return how long to wait: longer with every failure in a row, an hour at most."""
    usual = timedelta(minutes=feed.minutes)
    longer: timedelta = usual * (1 << min(feed.failures, 10))
    return max(usual, min(LONGEST_WAIT, longer))


def _claim(session: Session, now: datetime) -> Feed | None:
    """Take the feed that is due; another hub that looks at the same second takes none."""
    due = session.scalar(select(Feed).where(Feed.active, Feed.next_at <= now).order_by(Feed.next_at).limit(1))
    if due is None:
        return None
    won = session.scalar(
        update(Feed)
        .where(Feed.id == due.id, Feed.next_at == due.next_at)
        .values(next_at=now + _SLACK)
        .returning(Feed.id)
        .execution_options(synchronize_session=False)
    )
    return due if won is not None else None


def _host(feed: Feed) -> str:
    return urlsplit(feed.url).hostname or ""


def _name(entry: Entry) -> str:
    return (entry.id or entry.address)[:300]


def _mark(entry: Entry) -> str:
    return f"{entry.updated} {len(entry.document)}"
