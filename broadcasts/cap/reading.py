"""From a tree that passed the first two verdicts to a value."""

from lxml import etree

from broadcasts.cap import values
from broadcasts.cap.document import (
    DEFAULT_LANGUAGE,
    Area,
    CapAlert,
    Info,
    MsgType,
    Named,
    Resource,
    Scope,
    Status,
)
from broadcasts.cap.tree import SPACE, child, children, raw, text


def read(root: etree._Element) -> CapAlert:
    """Return the alert. ValueError when it holds what the first two verdicts would have refused."""
    return CapAlert(
        identifier=raw(child(root, "identifier")),
        sender=raw(child(root, "sender")),
        sent=values.moment(text(root, "sent")),
        status=Status(text(root, "status")),
        msg_type=MsgType(text(root, "msgType")),
        scope=Scope(text(root, "scope")),
        source=text(root, "source"),
        restriction=text(root, "restriction"),
        addresses=values.quoted_list(text(root, "addresses")),
        codes=_all(root, "code"),
        note=text(root, "note"),
        references=values.references(text(root, "references")),
        incidents=values.quoted_list(text(root, "incidents")),
        infos=tuple(_info(item) for item in children(root, "info")),
    )


def _all(above: etree._Element, name: str) -> tuple[str, ...]:
    return tuple(raw(item).strip(SPACE) for item in children(above, name))


def _named(above: etree._Element, name: str) -> tuple[Named, ...]:
    return tuple(Named(text(item, "valueName"), text(item, "value")) for item in children(above, name))


def _info(info: etree._Element) -> Info:
    moments = {
        name: values.moment(text(info, name)) if child(info, name) is not None else None
        for name in ("effective", "onset", "expires")
    }
    return Info(
        event=text(info, "event"),
        urgency=text(info, "urgency"),
        severity=text(info, "severity"),
        certainty=text(info, "certainty"),
        categories=_all(info, "category"),
        language=text(info, "language") or DEFAULT_LANGUAGE,
        responses=_all(info, "responseType"),
        audience=text(info, "audience"),
        event_codes=_named(info, "eventCode"),
        effective=moments["effective"],
        onset=moments["onset"],
        expires=moments["expires"],
        sender_name=text(info, "senderName"),
        headline=text(info, "headline"),
        description=text(info, "description"),
        instruction=text(info, "instruction"),
        web=text(info, "web"),
        contact=text(info, "contact"),
        parameters=_named(info, "parameter"),
        resources=tuple(_resource(item) for item in children(info, "resource")),
        areas=tuple(_area(item) for item in children(info, "area")),
    )


def _resource(resource: etree._Element) -> Resource:
    size = text(resource, "size")
    return Resource(
        desc=text(resource, "resourceDesc"),
        mime_type=text(resource, "mimeType"),
        size=int(size) if size else None,
        uri=text(resource, "uri"),
        deref_uri=text(resource, "derefUri"),
        digest=text(resource, "digest"),
    )


def _area(area: etree._Element) -> Area:
    low, high = text(area, "altitude"), text(area, "ceiling")
    return Area(
        desc=text(area, "areaDesc"),
        polygons=tuple(values.polygon(raw(item)) for item in children(area, "polygon")),
        circles=tuple(values.circle(raw(item)) for item in children(area, "circle")),
        geocodes=_named(area, "geocode"),
        altitude=float(low) if low else None,
        ceiling=float(high) if high else None,
    )
