"""Other forms of what goes out: an Atom feed of the documents, and the message (EBM) of Chinese broadcast platforms."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from lxml import etree

from broadcasts.alerts.models import Alert
from broadcasts.bulletins.events import kinds
from broadcasts.bulletins.models import Notice
from broadcasts.cap.building import serialise
from broadcasts.cap.document import MsgType
from broadcasts.kinds import Colour
from hub.regions.tree import codes_in

ATOM: Final = "http://www.w3.org/2005/Atom"


def atom(notices: Sequence[Notice], *, base_url: str, title: str, now: datetime) -> bytes:
    """Return them as an Atom feed, each with the address of its document."""
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})  # type: ignore[dict-item]
    updated = max((one.sent for one in notices), default=now)
    _add(root, "id", f"{base_url}/cap/feed.atom")
    _add(root, "title", title or "Cunxiang")
    _add(root, "updated", _rfc3339(updated))
    _add(root, "link", "", rel="self", href=f"{base_url}/cap/feed.atom")
    author = etree.SubElement(root, f"{{{ATOM}}}author")
    _add(author, "name", title or "Cunxiang")
    for one in notices:
        entry = etree.SubElement(root, f"{{{ATOM}}}entry")
        _add(entry, "id", f"urn:uuid:{one.id}")
        _add(entry, "title", one.title)
        _add(entry, "updated", _rfc3339(one.sent))
        _add(entry, "summary", f"{one.purpose} {one.status}")
        _add(entry, "link", "", href=f"{base_url}/cap/{one.id}.xml", type="application/cap+xml")
    return serialise(root)


def _add(above: etree._Element, name: str, text: str, **attributes: str) -> None:
    item = etree.SubElement(above, f"{{{ATOM}}}{name}", attributes)
    item.text = text or None


def _rfc3339(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


EBM_LEVELS: Final = {Colour.RED: "1", Colour.ORANGE: "2", Colour.YELLOW: "3", Colour.BLUE: "4"}
UNVERIFIED: Final = "Made from a published list of fields; never tried against a platform."


def ebm(row: Notice, alert: Alert, zone: ZoneInfo) -> bytes:
    """Return the message in the fields that Chinese emergency-broadcast platforms use. Unverified, and says so."""
    resource = f"4{codes_in(row.home_path)[0]}0314010101"
    number = int(row.id.hex[-4:], 16) % 10_000
    codes = [code for kind in kinds().values() if alert.hazard in (kind.hazard, kind.key) for code in kind.codes]
    root = etree.Element("EBM")
    root.append(etree.Comment(UNVERIFIED))
    _put(root, "EBMVersion", "1.0")
    _put(root, "EBMID", f"{resource}{row.sent.astimezone(zone):%Y%m%d}{number:04d}")
    basic = etree.SubElement(root, "MsgBasicInfo")
    _put(basic, "MsgType", "2" if row.purpose == MsgType.CANCEL.value else "1")
    _put(basic, "SenderName", alert.issuer or row.sender)
    _put(basic, "SenderCode", resource)
    _put(basic, "SendTime", _local(row.sent, zone))
    _put(basic, "EventType", codes[0] if codes else "00000")
    _put(basic, "Severity", EBM_LEVELS[alert.colour])
    _put(basic, "StartTime", _local(row.sent, zone))
    _put(basic, "EndTime", _local(row.ends, zone))
    content = etree.SubElement(root, "MsgContent")
    _put(content, "LanguageCode", "zho")
    _put(content, "MsgTitle", row.title)
    _put(content, "MsgDesc", alert.text)
    _put(content, "AreaCode", ",".join(code[:12] for code in row.regions))
    return serialise(root)


def _put(above: etree._Element, name: str, text: str) -> None:
    etree.SubElement(above, name).text = text


def _local(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
