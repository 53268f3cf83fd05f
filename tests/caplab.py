"""CAP documents made by hand, each with one thing right or wrong, and what it takes to hand them in."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from lxml import etree
from sqlalchemy.orm import Session

from broadcasts.bulletins import intake
from broadcasts.bulletins.intake import Received, Source
from broadcasts.bulletins.models import Door
from broadcasts.cap import values
from broadcasts.cap.opening import CAP_NS
from hub.regions.tree import path_of

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
COUNTY, NORTH, BRIDGE, HILL, FERRY = "990101000000", "990101001000", "990101001001", "990101001002", "990101002001"
SENDER = "qxt@weather.example"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def at(minutes: float = 0) -> str:
    """Return a moment around NOW as CAP writes it."""
    return values.written((NOW + timedelta(minutes=minutes)).astimezone(UTC))


def geocode(code: str, name: str = "CPEAS Geographic Code") -> str:
    return f"<geocode><valueName>{name}</valueName><value>{code}</value></geocode>"


def area(*inside: str, desc: str = "北镇") -> str:
    return f"<area><areaDesc>{desc}</areaDesc>{''.join(inside)}</area>"


def info(areas: str = "", **given: str) -> str:
    """Return one block; a name given as empty is left out."""
    fields = {
        "language": "zh-CN",
        "category": "Met",
        "event": "暴雨",
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Likely",
        "expires": at(180),
        "senderName": "县气象台",
        "headline": "县气象台发布暴雨橙色预警",
        "description": "预计未来三小时北镇降雨超过五十毫米。",
        "instruction": "沿河的村民不要下河。",
    } | given
    order = (
        *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience"),
        *("eventCode", "effective", "onset", "expires", "senderName", "headline", "description", "instruction"),
        *("web", "contact", "parameter", "resource"),
    )
    raw = {"eventCode", "parameter", "resource"}
    inside = "\n".join(
        fields[name] if name in raw else f"<{name}>{fields[name]}</{name}>" for name in order if fields.get(name)
    )
    return f"<info>\n{inside}\n{areas or area(geocode(NORTH))}\n</info>"


def document(*infos: str, **given: str) -> bytes:
    """Return a document; a name given as empty is left out, `extra` goes to its end."""
    fields = {
        "identifier": "9901-1",
        "sender": SENDER,
        "sent": at(-1),
        "status": "Actual",
        "msgType": "Alert",
        "scope": "Public",
    } | given
    order = (
        *("identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses"),
        *("code", "note", "references", "incidents"),
    )
    empty = {name for name, value in fields.items() if value == "<empty/>"}
    lines = [
        f"<{name}/>" if name in empty else f"<{name}>{fields[name]}</{name}>" for name in order if fields.get(name)
    ]
    blocks = infos or (info(),)
    body = "\n".join([*lines, *(block for block in blocks if block)])
    return f'{HEAD}<alert xmlns="{CAP_NS}">\n{body}\n{fields.get("extra", "")}</alert>'.encode()


def reference(identifier: str = "9901-1", sender: str = SENDER, sent: str = "") -> str:
    return f"{sender},{identifier},{sent or at(-1)}"


def hand_in(
    session: Session,
    data: bytes,
    *,
    place: str = COUNTY,
    door: Door = Door.PUSH,
    only_known: bool = False,
    now: datetime = NOW,
) -> Received:
    """Let a document in by a key for that place."""
    source = Source(door, path_of(place), "气象台的程序", only_known=only_known)
    return intake.receive_cap(session, source, data, now=now)


def codes(received: Received, *, warnings: bool = False) -> list[str]:
    """Return what speaks against a document."""
    return [f.code for f in received.findings if f.warning == warnings]


def national(**given: Any) -> dict[str, Any]:
    """Return a message of the national platform."""
    return {
        "id": "99010141600000_20261123095900",
        "sender": "试县气象台",
        "sendTime": "2026-11-23 09:59:00",
        "eventType": "11B03",
        "eventName": "暴雨",
        "severity": "橙色",
        "msgType": "首发",
        "areaCodes": NORTH,
        "headline": "试县气象台发布暴雨橙色预警[II级/严重]",
        "description": "预计未来三小时北镇有大暴雨。",
        "instruction": "不要下河。",
    } | given


def hand_in_national(session: Session, message: dict[str, Any], *, now: datetime = NOW) -> Received:
    source = Source(Door.NATIONAL, path_of(COUNTY), "省平台")
    return intake.receive_national(session, source, message, json.dumps(message).encode(), now=now)


def with_comment(data: bytes, text: str) -> bytes:
    """Return a document with a comment in it."""
    root = etree.fromstring(data)
    root.insert(0, etree.Comment(text))
    return bytes(etree.tostring(root))
