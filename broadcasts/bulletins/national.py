"""The second way in: JSON as national and provincial early-warning platforms (12379) pass warnings on.

There is no public specification of it; names of fields are those seen in published messages, each under all of its
spellings. What is read becomes the same value as a CAP document, and is judged by the same rules. A sample:

    {"id": "43010041600000_20260601120000", "sender": "长沙市气象台", "sendTime": "2026-06-01 12:00:00",
     "eventType": "11B03", "eventName": "暴雨", "severity": "橙色", "msgType": "首发", "areaCodes": "430100000000",
     "headline": "长沙市气象台发布暴雨橙色预警", "description": "…", "instruction": "…"}
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from broadcasts.bulletins.events import SEVERITY_OF, colour_named
from broadcasts.cap.document import Area, CapAlert, Info, MsgType, Named, Reference, Scope, Status
from broadcasts.cap.findings import Finding, Stage
from broadcasts.kinds import Colour

BEIJING: Final = timezone(timedelta(hours=8))
GEOCODE: Final = "CPEAS Geographic Code"
EVENT_CODE: Final = "12379 eventType"
LONGEST_TEXT: Final = 20_000
MOST_ITEMS: Final = 2_000
_ID = re.compile(r"([0-9]{6})([0-9]{3})[0-9A-Za-z]*_([0-9]{14})")
_SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "alertid", "alertId", "identifier", "warnId"),
    "sender": ("sender", "senderName", "publisher"),
    "sent": ("sendTime", "sendtime", "issueTime", "pubTime", "publishTime"),
    "code": ("eventType", "eventtype", "eventCode", "typeCode"),
    "event": ("eventName", "eventTypeName", "eventTypeCN", "event", "typeName"),
    "severity": ("severity", "level", "colour", "color", "severityCode"),
    "purpose": ("msgType", "msgtype", "messageType"),
    "status": ("status",),
    "areas": ("areaCodes", "areaCode", "areacode", "areas", "geocode"),
    "headline": ("headline", "title"),
    "description": ("description", "content", "text"),
    "instruction": ("instruction", "guide", "defense", "defence"),
    "begins": ("effective", "startTime", "effectTime"),
    "ends": ("expires", "endTime", "expireTime"),
    "references": ("references", "reference", "relatedId"),
}
_PURPOSES: Final[Mapping[str, MsgType]] = {
    **dict.fromkeys(("alert", "首发", "发布", "1"), MsgType.ALERT),
    **dict.fromkeys(("update", "更新", "变更", "续发", "2"), MsgType.UPDATE),
    **dict.fromkeys(("cancel", "解除", "取消", "撤销", "3"), MsgType.CANCEL),
}
_COLOURS: Final[Mapping[str, Colour]] = {
    **dict.fromkeys(("red", "红", "extreme", "1", "ⅰ", "i"), Colour.RED),
    **dict.fromkeys(("orange", "橙", "severe", "2", "ⅱ", "ii"), Colour.ORANGE),
    **dict.fromkeys(("yellow", "黄", "moderate", "3", "ⅲ", "iii"), Colour.YELLOW),
    **dict.fromkeys(("blue", "蓝", "minor", "4", "ⅳ", "iv"), Colour.BLUE),
}
_FORMS: Final = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%d %H:%M")


@dataclass(frozen=True)
class Read:
    """The alert, or none, and what there is to say about it."""

    alert: CapAlert | None
    findings: tuple[Finding, ...]


def read(raw: Mapping[str, Any]) -> Read:
    """Return what a message says. Never raises because of what is in it."""
    return _Reader(raw).whole()


class _Reader:
    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self._found: list[Finding] = []

    def whole(self) -> Read:
        name = self._text("id", needed=True)
        issuer = self._text("sender", needed=True)
        match = _ID.fullmatch(name)
        if name and match is None:
            self._say("national_id_malformed", "id", given=name[:60])
        sent = self._moment("sent") or (self._stamp(match) if match else None)
        purpose = self._purpose()
        info = self._info(issuer, match)
        references = self._references(purpose)
        if match is None or sent is None or not issuer or any(not f.warning for f in self._found):
            if sent is None:
                self._say("national_field_missing", "sent", name="sendTime")
            return Read(None, tuple(self._found))
        alert = CapAlert(
            identifier=name,
            sender=sender_of(match),
            sent=self._stamp(match) or sent,
            status=self._status(),
            msg_type=purpose,
            scope=Scope.PUBLIC,
            source=issuer,
            references=references,
            infos=(info,) if info else (),
        )
        return Read(alert, tuple(self._found))

    def _info(self, issuer: str, match: re.Match[str] | None) -> Info | None:
        event, headline = self._text("event"), self._text("headline")
        if not event and not headline:
            self._say("national_field_missing", "event", name="eventName")
        colour = self._colour(headline)
        codes = self._codes(match)
        code = self._text("code")
        return Info(
            event=event or headline,
            urgency="Unknown",
            severity=SEVERITY_OF[colour] if colour else "Unknown",
            certainty="Unknown",
            categories=("Other",),
            language="zh-CN",
            event_codes=(Named(EVENT_CODE, code),) if code else (),
            effective=self._moment("begins"),
            expires=self._moment("ends"),
            sender_name=issuer,
            headline=headline,
            description=self._text("description"),
            instruction=self._text("instruction"),
            areas=(Area("、".join(codes)[:200], geocodes=tuple(Named(GEOCODE, code) for code in codes)),),
        )

    def _value(self, field: str) -> Any:
        return next((self._raw[name] for name in _SPELLINGS[field] if self._raw.get(name) not in (None, "")), None)

    def _text(self, field: str, *, needed: bool = False) -> str:
        value = self._value(field)
        if isinstance(value, bool | dict | list | float) or len(str(value or "")) > LONGEST_TEXT:
            self._say("national_field_malformed", field, name=_SPELLINGS[field][0])
            return ""
        text = "".join(c for c in str(value or "") if unicodedata.category(c) not in ("Cc", "Cs") or c == "\n").strip()
        if needed and not text:
            self._say("national_field_missing", field, name=_SPELLINGS[field][0])
        return text

    def _moment(self, field: str) -> datetime | None:
        value = self._value(field)
        if value is None:
            return None
        found = _moment(value)
        if found is None:
            self._say("national_time_malformed", field, given=str(value)[:40])
        return found

    @staticmethod
    def _stamp(match: re.Match[str]) -> datetime | None:
        return _moment(match.group(3))

    def _purpose(self) -> MsgType:
        text = self._text("purpose")
        found = _PURPOSES.get(text.lower() or "alert")
        if found is None:
            self._say("national_purpose_unknown", "purpose", given=text[:20])
        return found or MsgType.ALERT

    def _status(self) -> Status:
        text = self._text("status").capitalize()
        return Status(text) if text in set(Status) else Status.ACTUAL

    def _colour(self, headline: str) -> Colour | None:
        text = self._text("severity").lower().removesuffix("色").removesuffix("级")
        found = _COLOURS.get(text) or colour_named(self._text("severity"))
        if found is None and text not in ("", "unknown"):
            known = colour_named(headline)
            self._say("national_colour_unknown", "severity", warning=known is not None, given=text[:20])
            return known
        return found or colour_named(headline)

    def _codes(self, match: re.Match[str] | None) -> list[str]:
        value = self._value("areas")
        items = value if isinstance(value, list) else re.split(r"[,，;；\s]+", str(value or ""))
        if len(items) > MOST_ITEMS:
            self._say("national_field_malformed", "areas", name="areaCodes")
            return []
        codes = [str(item)[:20] for item in items if isinstance(item, str | int) and str(item).strip()]
        if not codes and match is not None:
            self._say("national_area_from_id", "areas", warning=True)
            return [match.group(1) + "000000"]
        return codes

    def _references(self, purpose: MsgType) -> tuple[Reference, ...]:
        value = self._value("references")
        items = value if isinstance(value, list) else re.split(r"[,，;；\s]+", str(value or ""))
        found = []
        for item in items[:MOST_ITEMS]:
            match = _ID.fullmatch(str(item))
            sent = self._stamp(match) if match else None
            if match is not None and sent is not None:
                found.append(Reference(sender_of(match), match.group(0), sent))
            elif str(item).strip():
                self._say("national_id_malformed", "references", given=str(item)[:60])
        if purpose is not MsgType.ALERT and not found:
            self._say("cap_references_missing", "references", kind=purpose.value)
        return tuple(found)

    def _say(self, code: str, field: str, *, warning: bool = False, **params: str) -> None:
        clean = {name: value.encode("utf-8", "replace").decode() for name, value in params.items()}
        self._found.append(Finding(Stage.SCHEMA, code, f"/{_SPELLINGS[field][0]}", warning=warning, params=clean))


def sender_of(match: re.Match[str]) -> str:
    """Return by what name the office is known whose number it is: its region and its kind."""
    return f"12379:{match.group(1)}{match.group(2)}"


def _moment(value: object) -> datetime | None:
    """Return a moment as these messages write it: in Beijing's time unless it says otherwise; or milliseconds."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC) if 10**11 < value < 4 * 10**12 else None
        text = str(value).strip()
        for form in _FORMS:
            if len(text) == len(datetime(2000, 10, 10, tzinfo=UTC).strftime(form)):
                try:
                    return datetime.strptime(text, form).replace(tzinfo=BEIJING).astimezone(UTC)
                except ValueError:
                    continue
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=BEIJING).astimezone(UTC)
