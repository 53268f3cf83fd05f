"""The second verdict: what the standard's words ask of `info`, `resource` and `area`."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree

from broadcasts.cap import values
from broadcasts.cap.findings import Finding, Stage
from broadcasts.cap.tree import SPACE, child, children, line_of, raw, text, where, words

_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:[ \t]*;.*)?")
_DOTTED = re.compile(r"(?:[A-Za-z]\.){2,}[A-Za-z]?")
_SHA1 = re.compile(r"[0-9A-Fa-f]{40}")
FEWEST_POINTS = 4
FARTHEST_KM = 20_038.0
"""Half of the way around the earth."""


def _at(element: etree._Element, code: str, *, warning: bool = False, **params: str) -> Finding:
    return Finding(Stage.PROSE, code, where(element), line_of(element), warning=warning, params=params)


def of_info(info: etree._Element, sent: datetime | None, *, final: bool) -> Iterator[Finding]:
    """Return what is wrong with one block. `final`: the document calls something off, and may name a time gone by."""
    yield from _filled(info, "event")
    yield from _times(info, sent, final=final)
    web = child(info, "web")
    if web is not None and raw(web).strip(SPACE) and not _absolute(raw(web)):
        yield _at(web, "cap_address_relative", warning=True)
    for name in ("eventCode", "parameter"):
        for pair in children(info, name):
            yield from _pair(pair)
    for resource in children(info, "resource"):
        yield from _resource(resource)
    for area in children(info, "area"):
        yield from _area(area)


def _filled(above: etree._Element, *names: str) -> Iterator[Finding]:
    """Look for what has to be there and is, but says nothing."""
    for name in names:
        found = child(above, name)
        if found is not None and not raw(found).strip():
            yield _at(found, "cap_says_nothing", warning=True, name=name)


def _times(info: etree._Element, sent: datetime | None, *, final: bool) -> Iterator[Finding]:
    ends = child(info, "expires")
    if ends is None:
        return
    end = _moment(raw(ends))
    begin = _moment(text(info, "effective")) or sent
    onset = _moment(text(info, "onset"))
    if end is None:
        return
    if (sent is not None and end < sent) or (begin is not None and end < begin):
        yield _at(ends, "cap_expires_before_sent", warning=final)
    elif onset is not None and end < onset:
        yield _at(ends, "cap_expires_before_onset", warning=True)


def _moment(given: str) -> datetime | None:
    try:
        return values.moment(given.strip(SPACE))
    except ValueError:
        return None


def _pair(pair: etree._Element) -> Iterator[Finding]:
    name = child(pair, "valueName")
    if name is None:
        return
    if not raw(name).strip():
        yield _at(name, "cap_says_nothing", warning=True, name="valueName")
    elif _DOTTED.fullmatch(raw(name).strip()):
        yield _at(name, "cap_acronym_dotted", warning=True)


def _absolute(address: str) -> bool:
    try:
        return bool(urlsplit(address.strip(SPACE)).scheme)
    except ValueError:
        return False


def _resource(resource: etree._Element) -> Iterator[Finding]:
    yield from _filled(resource, "resourceDesc")
    mime, uri = child(resource, "mimeType"), child(resource, "uri")
    inside, digest = child(resource, "derefUri"), child(resource, "digest")
    if mime is not None and not _MIME.fullmatch(raw(mime).strip(SPACE)):
        yield _at(mime, "cap_mime_type", warning=True)
    if uri is not None and inside is None and not _absolute(raw(uri)):
        yield _at(uri, "cap_address_relative", warning=True)
    size = child(resource, "size")
    if size is not None and raw(size).strip(SPACE).startswith("-"):
        yield _at(size, "cap_size_negative", warning=True)
    yield from _enclosed(inside, digest)


def _enclosed(inside: etree._Element | None, digest: etree._Element | None) -> Iterator[Finding]:
    said = raw(digest).strip(SPACE)
    if digest is not None and said and not _SHA1.fullmatch(said):
        yield _at(digest, "cap_digest_malformed", warning=True)
    if inside is None:
        return
    try:
        content = base64.b64decode("".join(words(raw(inside))), validate=True)
    except (binascii.Error, ValueError):
        yield _at(inside, "cap_deref_no_base64")
        return
    if digest is not None and _SHA1.fullmatch(said) and hashlib.sha1(content).hexdigest() != said.lower():  # noqa: S324
        yield _at(digest, "cap_digest_differs")


def _area(area: etree._Element) -> Iterator[Finding]:
    yield from _filled(area, "areaDesc")
    for polygon in children(area, "polygon"):
        yield from _polygon(polygon)
    for circle in children(area, "circle"):
        yield from _circle(circle)
    for geocode in children(area, "geocode"):
        yield from _pair(geocode)
    yield from _heights(area)


def _polygon(polygon: etree._Element) -> Iterator[Finding]:
    try:
        points = values.polygon(raw(polygon))
    except ValueError as error:
        yield _at(polygon, "cap_polygon_malformed", given=str(error)[:60])
        return
    if len(points) < FEWEST_POINTS:
        yield _at(polygon, "cap_polygon_too_few", points=str(len(points)))
    elif points[0] != points[-1]:
        yield _at(polygon, "cap_polygon_open")
    if not all(values.on_earth(*point) for point in points):
        yield _at(polygon, "cap_not_on_earth")


def _circle(circle: etree._Element) -> Iterator[Finding]:
    try:
        found = values.circle(raw(circle))
    except ValueError:
        yield _at(circle, "cap_circle_malformed", given=raw(circle)[:60])
        return
    if not values.on_earth(found.lat, found.lon):
        yield _at(circle, "cap_not_on_earth")
    if not 0 <= found.km <= FARTHEST_KM:
        yield _at(circle, "cap_circle_radius")


def _heights(area: etree._Element) -> Iterator[Finding]:
    low, high = child(area, "altitude"), child(area, "ceiling")
    if high is not None and low is None:
        yield _at(high, "cap_ceiling_alone")
    if high is None or low is None:
        return
    try:
        if float(raw(low)) > float(raw(high)):
            yield _at(high, "cap_ceiling_below")
    except ValueError:
        return  # the schema says that these are no numbers
