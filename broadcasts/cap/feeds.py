"""Atom and RSS: which documents a feed offers. A feed is measured as carefully as a document."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from lxml import etree

from broadcasts.cap.limits import Limits
from broadcasts.cap.opening import CAP_NS, Unreadable, open_document
from broadcasts.cap.tree import SPACE, local

ATOM_NS: Final = "http://www.w3.org/2005/Atom"
CAP_TYPES: Final = ("application/cap+xml", "application/common-alerting-protocol+xml")
XML_TYPES: Final = (*CAP_TYPES, "application/xml", "text/xml")
FEED_LIMITS: Final = Limits(size=4_000_000)
MOST_ENTRIES = 200
LONGEST_ADDRESS = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One document that a feed offers: inside the feed itself, or at an address."""

    id: str
    updated: str
    address: str = ""
    document: bytes = b""


def entries(data: bytes, base: str) -> tuple[Entry, ...]:
    """Return what a feed offers, at most MOST_ENTRIES, the first ones of the feed. Raises Unreadable."""
    root = open_document(data, FEED_LIMITS).root
    name, namespace = local(root), etree.QName(root).namespace
    if namespace == ATOM_NS and name == "feed":
        items = root.iterchildren(f"{{{ATOM_NS}}}entry")
        found = [_of_atom(item, base) for item in items]
    elif name in ("rss", "RDF"):
        found = [_of_rss(item, base) for item in root.iter() if local(item) == "item"]
    elif name == "alert":
        found = [Entry("", "", base, bytes(etree.tostring(root)))]
    else:
        raise Unreadable("feed_no_feed", 1, found=name[:40])
    return tuple(entry for entry in found if entry is not None)[:MOST_ENTRIES]


def _of_atom(item: etree._Element, base: str) -> Entry | None:
    links = list(item.iterchildren(f"{{{ATOM_NS}}}link"))
    content = next(item.iterchildren(f"{{{ATOM_NS}}}content"), None)
    links += [content] if content is not None and content.get("src") else []
    address = _best([(str(x.get("href") or x.get("src") or ""), str(x.get("type") or ""), _rel(x)) for x in links])
    updated = _text(item, f"{{{ATOM_NS}}}updated")
    return _entry(item, _text(item, f"{{{ATOM_NS}}}id"), updated, address, base)


def _rel(link: etree._Element) -> str:
    return str(link.get("rel") or "alternate") if local(link) == "link" else "alternate"


def _of_rss(item: etree._Element, base: str) -> Entry | None:
    inside = {local(x): (x.text or "").strip(SPACE) for x in item.iterchildren() if x.tag != f"{{{CAP_NS}}}alert"}
    enclosures = [x for x in item.iterchildren() if local(x) == "enclosure"]
    offered = [(str(x.get("url") or ""), str(x.get("type") or ""), "enclosure") for x in enclosures]
    offered.append((inside.get("link", ""), "", "alternate"))
    updated = inside.get("pubDate") or inside.get("date") or ""
    return _entry(item, inside.get("guid", ""), updated, _best(offered), base)


def _best(offered: list[tuple[str, str, str]]) -> str:
    """Return the address that most looks like a CAP document."""

    def rank(one: tuple[str, str, str]) -> int:
        address, kind, rel = one
        kind = kind.partition(";")[0].strip().lower()
        if kind in CAP_TYPES:
            return 0
        if kind in XML_TYPES:
            return 1
        if urlsplit(address).path.lower().endswith((".xml", ".cap")):
            return 2
        return 3 if not kind and rel in ("alternate", "enclosure") else 9

    fitting = [one for one in offered if one[0] and rank(one) < 9 and one[2] in ("alternate", "enclosure", "related")]
    return min(fitting, key=rank)[0] if fitting else ""


def _entry(item: etree._Element, name: str, updated: str, address: str, base: str) -> Entry | None:
    inside = next(item.iter(f"{{{CAP_NS}}}alert"), None)
    if inside is not None:
        alone = etree.ElementTree(inside)
        return Entry(name[:300], updated[:60], "", bytes(etree.tostring(alone, encoding="UTF-8", with_tail=False)))
    if not address:
        return None
    try:
        whole = urljoin(base, address)
        scheme = urlsplit(whole).scheme
    except ValueError:
        return None
    if scheme not in ("http", "https") or len(whole) > LONGEST_ADDRESS:
        return None
    return Entry((name or whole)[:300], updated[:60], whole)


def _text(item: etree._Element, name: str) -> str:
    found = next(item.iterchildren(name), None)
    return (found.text or "").strip(SPACE) if found is not None else ""
