"""Feeds are looked at with a real server: only when something changed, never inside, longer apart when it fails."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from builders import the_actor
from caplab import COUNTY, NOW, document
from conftest import SetClock
from sqlalchemy import select

from broadcasts.bulletins import sources
from broadcasts.bulletins.fetching import Ask, allowed, fetch
from broadcasts.bulletins.models import Bulletin, Feed
from broadcasts.bulletins.polling import LONGEST_WAIT, FeedReader
from broadcasts.bulletins.sources import FeedForm
from hub.core.runtime import Runtime

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>t</title><updated>2026-11-23T02:00:00Z</updated>
{entries}</feed>"""
ENTRY = """<entry><id>{name}</id><title>x</title><updated>{updated}</updated>
<link href="/{name}.cap" type="application/cap+xml"/><link href="/{name}.html" type="text/html"/></entry>"""


class Site:
    """A web site of a weather station."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.status = 200
        self.asked: list[str] = []
        self.address = ""


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            data = found.files.get(self.path)
            tag = f'"{hash(data)}"'
            if found.status != 200 or data is None:
                self.send_response(found.status if found.status != 200 else 404)
                self.end_headers()
            elif self.headers.get("If-None-Match") == tag:
                self.send_response(304)
                self.end_headers()
            else:
                self.send_response(200)
                self.send_header("ETag", tag)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def arranged(runtime: Runtime, site: Site) -> FeedReader:
    with runtime.sessions.begin() as session:
        form = FeedForm("市气象台", f"{site.address}/feed", COUNTY, minutes=2, only_known=False)
        sources.add_feed(session, the_actor(session, "county"), form, now=NOW)
    return FeedReader(runtime.sessions, runtime.clock, most_bytes=2_000_000)


def the_feed(runtime: Runtime) -> Feed:
    with runtime.sessions.read() as session:
        return session.scalars(select(Feed)).one()


def test_a_feed_is_read_once_for_each_change(runtime: Runtime, site: Site, clock: SetClock) -> None:
    entries = "".join(ENTRY.format(name=name, updated="1") for name in ("a", "gone"))
    site.files = {"/feed": ATOM.format(entries=entries).encode(), "/a.cap": document(identifier="a")}
    reader = arranged(runtime, site)
    assert reader.step() == 0.0
    assert the_feed(runtime).result == "feed_read"
    assert site.asked == ["/feed", "/a.cap", "/gone.cap"]
    assert reader.step() > 0, "its time has not come again"
    clock.now += timedelta(minutes=3)
    reader.step()
    assert the_feed(runtime).result == "feed_unchanged"
    site.files["/feed"] = ATOM.format(entries=ENTRY.format(name="b", updated="1")).encode()
    site.files["/b.cap"] = document(identifier="b")
    clock.now += timedelta(minutes=3)
    reader.step()
    assert site.asked[3:] == ["/feed", "/feed", "/b.cap"]
    with runtime.sessions.read() as session:
        assert sorted(session.scalars(select(Bulletin.identifier))) == ["a", "b"]


def test_a_feed_that_fails_is_asked_less_and_less(runtime: Runtime, site: Site, clock: SetClock) -> None:
    reader = arranged(runtime, site)
    site.status = 500
    waits = []
    for _ in range(8):
        clock.now = the_feed(runtime).next_at
        reader.step()
        waits.append(the_feed(runtime).next_at - clock.now)
    assert waits[:3] == [timedelta(minutes=4), timedelta(minutes=8), timedelta(minutes=16)]
    assert waits[-1] == LONGEST_WAIT
    feed = the_feed(runtime)
    assert (feed.result, feed.failures, feed.result_params["status"]) == ("feed_refused", 8, 500)
    site.status, site.files = 200, {"/feed": ATOM.format(entries="").encode()}
    clock.now = feed.next_at
    reader.step()
    assert the_feed(runtime).failures == 0


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<html/>", "feed_no_feed"),
        (b"<!DOCTYPE x><feed/>", "xml_doctype"),
        (b"nothing", "xml_not_well_formed"),
        (b"x" * 5_000_000, "feed_too_large"),
    ],
)
def test_what_is_no_feed_is_said(runtime: Runtime, site: Site, data: bytes, code: str) -> None:
    site.files = {"/feed": data}
    arranged(runtime, site).step()
    assert the_feed(runtime).result == code


def test_rss_and_documents_inside_a_feed(runtime: Runtime, site: Site) -> None:
    inside = document(identifier="inside").decode().partition("\n")[2]
    item = "<item><guid>1</guid><link>/r.cap</link></item>"
    site.files = {
        "/feed": f'<rss version="2.0"><channel>{item}<item><guid>2</guid>{inside}</item></channel></rss>'.encode(),
        "/r.cap": document(identifier="rss"),
    }
    arranged(runtime, site).step()
    with runtime.sessions.read() as session:
        assert sorted(session.scalars(select(Bulletin.identifier))) == ["inside", "rss"]


def test_a_feed_leads_nobody_into_the_inner_network(site: Site) -> None:
    assert allowed("http://feed.example/a", "feed.example")
    for inner in (
        "http://127.0.0.1:1/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://[::1]/",
        "file:///etc/passwd",
    ):
        assert not allowed(inner, "feed.example"), inner
    assert fetch(Ask(f"{site.address}/x", "feed.example", 1000)).code == "feed_address_inside"
    assert site.asked == []


def test_nobody_at_home() -> None:
    assert fetch(Ask("http://127.0.0.1:9/", "127.0.0.1", 1000)).code == "feed_away"
