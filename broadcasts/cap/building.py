"""From a value to a document, in the order the schema wants. What XML cannot hold (control characters) is left out."""

import re
from collections.abc import Iterable
from typing import Final

from lxml import etree

from broadcasts.cap import values
from broadcasts.cap.document import Area, CapAlert, Circle, Info, Named, Resource, Ring
from broadcasts.cap.opening import CAP_NS

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INFO_TEXTS: Final = ("sender_name", "headline", "description", "instruction", "web", "contact")


def build(alert: CapAlert) -> etree._Element:
    """Return the document as a tree."""
    root = etree.Element(f"{{{CAP_NS}}}alert", nsmap={None: CAP_NS})  # type: ignore[dict-item]
    _add(root, "identifier", alert.identifier)
    _add(root, "sender", alert.sender)
    _add(root, "sent", values.written(alert.sent))
    _add(root, "status", alert.status.value)
    _add(root, "msgType", alert.msg_type.value)
    _maybe(root, "source", alert.source)
    _add(root, "scope", alert.scope.value)
    _maybe(root, "restriction", alert.restriction)
    _maybe(root, "addresses", values.quoted(alert.addresses))
    _each(root, "code", alert.codes)
    _maybe(root, "note", alert.note)
    named = (f"{r.sender},{r.identifier},{values.written(r.sent)}" for r in alert.references)
    _maybe(root, "references", " ".join(named))
    _maybe(root, "incidents", values.quoted(alert.incidents))
    for info in alert.infos:
        _info(root, info)
    return root


def serialise(root: etree._Element) -> bytes:
    """Return the document in UTF-8 with its declaration."""
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))


def _add(above: etree._Element, name: str, text: str) -> etree._Element:
    item = etree.SubElement(above, f"{{{CAP_NS}}}{name}")
    item.text = _FORBIDDEN.sub("", text)
    return item


def _maybe(above: etree._Element, name: str, text: str) -> None:
    if text:
        _add(above, name, text)


def _each(above: etree._Element, name: str, texts: Iterable[str]) -> None:
    for text in texts:
        _add(above, name, text)


def _named(above: etree._Element, name: str, pairs: Iterable[Named]) -> None:
    for pair in pairs:
        item = etree.SubElement(above, f"{{{CAP_NS}}}{name}")
        _add(item, "valueName", pair.name)
        _add(item, "value", pair.value)


def _info(root: etree._Element, info: Info) -> None:
    item = etree.SubElement(root, f"{{{CAP_NS}}}info")
    _add(item, "language", info.language)
    _each(item, "category", info.categories)
    _add(item, "event", info.event)
    _each(item, "responseType", info.responses)
    _add(item, "urgency", info.urgency)
    _add(item, "severity", info.severity)
    _add(item, "certainty", info.certainty)
    _maybe(item, "audience", info.audience)
    _named(item, "eventCode", info.event_codes)
    for name in ("effective", "onset", "expires"):
        at = getattr(info, name)
        if at is not None:
            _add(item, name, values.written(at))
    for name in _INFO_TEXTS:
        _maybe(item, "senderName" if name == "sender_name" else name, getattr(info, name))
    _named(item, "parameter", info.parameters)
    for resource in info.resources:
        _resource(item, resource)
    for area in info.areas:
        _area(item, area)


def _resource(info: etree._Element, resource: Resource) -> None:
    item = etree.SubElement(info, f"{{{CAP_NS}}}resource")
    _add(item, "resourceDesc", resource.desc)
    _add(item, "mimeType", resource.mime_type)
    _maybe(item, "size", "" if resource.size is None else str(resource.size))
    _maybe(item, "uri", resource.uri)
    _maybe(item, "derefUri", resource.deref_uri)
    _maybe(item, "digest", resource.digest)


def _area(info: etree._Element, area: Area) -> None:
    item = etree.SubElement(info, f"{{{CAP_NS}}}area")
    _add(item, "areaDesc", area.desc)
    _each(item, "polygon", (_ring(ring) for ring in area.polygons))
    _each(item, "circle", (_circle(circle) for circle in area.circles))
    _named(item, "geocode", area.geocodes)
    for name, height in (("altitude", area.altitude), ("ceiling", area.ceiling)):
        if height is not None:
            _add(item, name, _plain(height))


def _ring(ring: Ring) -> str:
    return " ".join(f"{_plain(lat)},{_plain(lon)}" for lat, lon in ring)


def _circle(circle: Circle) -> str:
    return f"{_plain(circle.lat)},{_plain(circle.lon)} {_plain(circle.km)}"


def _plain(number: float) -> str:
    """Return a number without an exponent, to the last digit that tells it from its neighbours."""
    text = repr(number)
    return text if "e" not in text else f"{number:.15f}".rstrip("0").rstrip(".")
