"""Report and ledger as rows of a spreadsheet, in the field's columns."""

from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from broadcasts.delivery.models import Kind
from broadcasts.delivery.past import WORDS
from broadcasts.kinds import Theme
from broadcasts.reports.forms import SHARES
from broadcasts.reports.ledger import Entry
from broadcasts.reports.scoring import Metric
from broadcasts.reports.service import Report

METRICS = {
    Metric.ONLINE: lazy_gettext("在线率（%）"),
    Metric.POWERED: lazy_gettext("开机率（%）"),
    Metric.PLAYED: lazy_gettext("播出率（%）"),
    Metric.ANSWERED: lazy_gettext("回执率（%）"),
    Metric.FAULTY: lazy_gettext("故障率（%）"),
    Metric.QUIET: lazy_gettext("安静时段违规（次）"),
    Metric.APPROVAL: lazy_gettext("审批用时（分钟）"),
    Metric.THEMES: lazy_gettext("宣传（次/村）"),
}
MANNERS = {
    "voice": lazy_gettext("文字转语音"),
    "recording": lazy_gettext("录音"),
    "shout": lazy_gettext("喊话"),
    "relay": lazy_gettext("转播"),
}
THEMES = {
    Theme.NOTICE: lazy_gettext("通知"),
    Theme.SAFETY: lazy_gettext("安全"),
    Theme.FRAUD: lazy_gettext("反诈"),
    Theme.LAW: lazy_gettext("普法"),
    Theme.DRILL: lazy_gettext("演练"),
}
Rows = Iterator[Sequence[object]]


def report_header() -> list[str]:
    """Return the columns of a report."""
    names = [str(METRICS[metric]) for metric in Metric]
    return [_("名次"), _("地方"), *names, _("播出次数"), _("平均每只响（分钟）"), _("得分")]


def report_rows(report: Report) -> Rows:
    """Return its places, the place above them last."""
    for line in [*report.lines, report.place]:
        cells = [_share(metric, line.values.get(metric)) for metric in Metric]
        figures = line.figures
        yield [line.rank or "", line.name, *cells, figures.items, _rounded(figures.minutes), _rounded(line.points)]


def ledger_header() -> list[str]:
    """Return the columns of 播出信息登记."""
    first = [
        _("序号"),
        _("日期"),
        _("时段"),
        _("标题"),
        _("类别"),
        _("编写人"),
        _("送审人"),
        _("审批人"),
        _("审批时间"),
    ]
    then = [_("播出人"), _("范围"), _("应播"), _("实播"), _("未播"), _("未播原因"), _("遍数"), _("总时长（秒）")]
    return [*first, *then, _("音量"), _("播音方式"), _("停止"), _("声音指纹")]


def ledger_rows(entries: Sequence[Entry], zone: ZoneInfo) -> Rows:
    """Return one row a broadcast."""
    for number, entry in enumerate(entries, start=1):
        local = entry.starts_at.astimezone(zone)
        approved = entry.approved_at.astimezone(zone) if entry.approved_at else None
        yield [
            number,
            local.date(),
            f"{local:%H:%M}",
            entry.title,
            _category(entry),
            entry.written_by,
            entry.submitted_by,
            entry.approved_by,
            f"{approved:%Y-%m-%d %H:%M}" if approved else "",
            entry.released_by,
            _places(entry),
            entry.meant,
            entry.finished,
            entry.meant - entry.finished,
            str(_("；")).join(f"{WORDS[kind][0]} {count}" for kind, _reason, count in entry.missed),
            entry.repeats,
            round(entry.played_ms / 1000),
            "" if entry.volume is None else entry.volume,
            str(MANNERS[entry.manner]),
            entry.stopped_by,
            entry.audio_sha256[:16],
        ]


def _category(entry: Entry) -> str:
    if entry.kind is Kind.EMERGENCY:
        return str(_("应急"))
    theme = f"：{THEMES[entry.theme]}" if entry.theme else ""
    return f"{_('日常')}{theme}"


def _places(entry: Entry) -> str:
    names = str(_("、")).join(entry.places.names)
    more = entry.places.count > len(entry.places.names)
    return names + (str(_(" 等 %(n)s 处", n=entry.places.count)) if more else "")


def _share(metric: Metric, value: float | None) -> object:
    if value is None:
        return ""
    return round(value * 100, 1) if metric in SHARES else round(value, 1)


def _rounded(value: float | None) -> object:
    return "" if value is None else round(value, 1)
