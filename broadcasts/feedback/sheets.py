"""Complaints as rows of a spreadsheet."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from broadcasts.feedback.kinds import ComplaintKind, ComplaintState, Way
from broadcasts.feedback.listing import Line

KINDS = {
    ComplaintKind.TOO_LOUD: lazy_gettext("太吵"),
    ComplaintKind.UNCLEAR: lazy_gettext("听不清"),
    ComplaintKind.SILENT: lazy_gettext("没响"),
    ComplaintKind.WRONG_TIME: lazy_gettext("时间不对"),
    ComplaintKind.WRONG_CONTENT: lazy_gettext("内容有误"),
    ComplaintKind.OTHER: lazy_gettext("其他"),
}
STATES = {
    ComplaintState.NEW: lazy_gettext("新的"),
    ComplaintState.WORKING: lazy_gettext("在办"),
    ComplaintState.DONE: lazy_gettext("办完"),
}
WAYS = {
    Way.SMS: lazy_gettext("短信"),
    Way.PAGE: lazy_gettext("扫码"),
    Way.DESK: lazy_gettext("来人来电"),
}


def header() -> list[str]:
    """Return the columns."""
    first = [_("收到"), _("哪里"), _("反映什么"), _("原话"), _("怎么来的"), _("电话"), _("哪次广播"), _("哪只喇叭")]
    return [*first, _("状态"), _("谁在办"), _("办到什么时候"), _("办完"), _("怎么办的")]


def rows(lines: Sequence[Line], zone: ZoneInfo) -> Iterator[Sequence[object]]:
    """Return one row a complaint."""
    for line in lines:
        c = line.complaint
        yield [
            _local(c.received_at, zone),
            line.place,
            str(KINDS[c.kind]),
            c.text,
            str(WAYS[c.way]),
            c.masked,
            line.broadcast,
            line.speaker,
            str(STATES[c.state]),
            c.assigned_name,
            _local(c.due_at, zone),
            _local(c.done_at, zone),
            c.outcome,
        ]


def _local(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" if moment else ""
