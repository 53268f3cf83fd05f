"""Report and ledger as rows of a spreadsheet, in the field's columns."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from broadcasts.approvals.models import Opinion
from broadcasts.delivery.models import Kind
from broadcasts.delivery.past import WORDS
from broadcasts.hearing import tallies
from broadcasts.kinds import Theme
from broadcasts.reports import approving
from broadcasts.reports.forms import SHARES
from broadcasts.reports.ledger import Entry
from broadcasts.reports.scoring import Metric
from broadcasts.reports.service import Report
from broadcasts.reports.verdicts import COLUMNS, Verdict, column
from hub.speakers.clarity import Clarity

METRICS = {
    Metric.ONLINE: lazy_gettext("在线率（%）"),
    Metric.POWERED: lazy_gettext("开机率（%）"),
    Metric.PLAYED: lazy_gettext("播出率（%）"),
    Metric.ANSWERED: lazy_gettext("回执率（%）"),
    Metric.FAULTY: lazy_gettext("故障率（%）"),
    Metric.QUIET: lazy_gettext("安静时段违规（次）"),
    Metric.APPROVAL: lazy_gettext("审批用时（分钟）"),
    Metric.THEMES: lazy_gettext("宣传（次/村）"),
    Metric.DRILLS: lazy_gettext("演练得分"),
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
STEPS = {1: lazy_gettext("初审"), 2: lazy_gettext("复审"), 3: lazy_gettext("终审")}
MATTERS = {
    "words": lazy_gettext("读出来的广播"),
    "recording": lazy_gettext("播录音"),
    "relay": lazy_gettext("转播"),
    "texts": lazy_gettext("只发短信"),
    "campaign": lazy_gettext("专题"),
    "sheet": lazy_gettext("节目单"),
    "material": lazy_gettext("内容库"),
    "plan": lazy_gettext("预案"),
    "emergency": lazy_gettext("应急"),
}
OUTCOMES = {
    "passed": lazy_gettext("通过"),
    "returned": lazy_gettext("退回"),
    "rejected": lazy_gettext("作废"),
    "waiting": lazy_gettext("在等"),
}
Rows = Iterator[Sequence[object]]


def report_header() -> list[str]:
    """Return the columns of a report."""
    names = [str(METRICS[metric]) for metric in Metric]
    themes = [str(name) for name in THEMES.values()]
    return [
        _("名次"),
        _("地方"),
        *names,
        _("播出次数"),
        _("平均每只响（分钟）"),
        _("得分"),
        *themes,
        _("听清率（%）"),
        _("说听清听不清的人次"),
    ]


def report_rows(report: Report, clear: Mapping[str, Clarity]) -> Rows:
    """Return its places, the place above them last. `clear` is what people said about how it was heard, by place."""
    for line in [*report.lines, report.place]:
        cells = [_share(metric, line.values.get(metric)) for metric in Metric]
        figures = line.figures
        heard = [figures.themes.get(theme, 0) for theme in THEMES]
        counted = [figures.items, _rounded(figures.minutes), _rounded(line.points)]
        said = tallies.below_place(clear, line.path)
        share = "" if said.share is None else round(said.share * 100, 1)
        yield [line.rank or "", line.name, *cells, *counted, *heard, share, said.all]


def ledger_header() -> list[str]:
    """Return the columns of 播出信息登记."""
    first = [
        _("序号"),
        _("日期"),
        _("时段"),
        _("标题"),
        _("类别"),
        _("来源单位"),
        _("原文号或预警编号"),
        _("编写人"),
        _("送审人"),
    ]
    then = [_("播出人"), _("范围"), _("应播"), _("实播"), _("未播"), _("未播原因"), _("遍数"), _("总时长（秒）")]
    last = [_("音量"), _("播音方式"), _("停播或撤回"), _("声音指纹"), _("备注"), _("播发记录号")]
    return [*first, *_reviewers(), *then, *last]


def ledger_rows(entries: Sequence[Entry], zone: ZoneInfo) -> Rows:
    """Return one row a broadcast."""
    for number, entry in enumerate(entries, start=1):
        local = entry.starts_at.astimezone(zone)
        yield [
            number,
            local.date(),
            f"{local:%H:%M}",
            entry.title,
            _category(entry),
            entry.issuer,
            entry.issuer_ref,
            entry.written_by,
            entry.submitted_by,
            *_reviewed(entry.reviews, len(entry.reviews), zone),
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
            _ended(entry, zone),
            entry.audio_sha256[:16],
            _looked_at(entry, zone),
            str(entry.id),
        ]


def approval_header() -> list[str]:
    """Return the columns of 领导审批登记: three reviewers at most, each with time and words."""
    first = [_("序号"), _("送审时间"), _("标题"), _("什么"), _("哪里"), _("谁送审"), _("第几次提交")]
    return [*first, *_reviewers(), _("退回或作废"), _("结果"), _("播出次数"), _("播发记录号")]


def approval_rows(entries: Sequence[approving.Entry], zone: ZoneInfo) -> Rows:
    """Return one row for each time something was handed in."""
    for number, entry in enumerate(entries, start=1):
        passed = [v for v in entry.verdicts if v.opinion is Opinion.PASSED]
        refused = next((v for v in entry.verdicts if v.opinion is not Opinion.PASSED), None)
        yield [
            number,
            _local(entry.handed_in_at, zone),
            entry.title,
            str(MATTERS.get(entry.matter, entry.matter)),
            entry.place,
            entry.handed_in_by,
            entry.round,
            *_reviewed(passed, entry.steps, zone),
            f"{_who(refused)} {_local(refused.at, zone)} {refused.reason}" if refused else "",
            str(OUTCOMES[entry.outcome]),
            entry.broadcasts,
            str(entry.broadcast_id or ""),
        ]


def _reviewers() -> list[str]:
    return [str(name) for number in STEPS for name in (STEPS[number], _("时间"), _("意见"))]


def _reviewed(passed: Sequence[Verdict], steps: int, zone: ZoneInfo) -> list[object]:
    cells: list[object] = [""] * (3 * COLUMNS)
    for number, verdict in enumerate(passed, start=1):
        first = 3 * (column(number, steps) - 1)
        cells[first : first + 3] = [_who(verdict), _local(verdict.at, zone), verdict.reason or _("通过")]
    return cells


def _ended(entry: Entry, zone: ZoneInfo) -> str:
    said = []
    if entry.stopped_at:
        said.append(_("%(who)s %(at)s 停播", who=entry.stopped_by, at=_local(entry.stopped_at, zone)))
    if entry.taken_back:
        said.append(_("%(at)s 撤回更正", at=_local(entry.taken_back, zone)))
    return str(_("；")).join(said)


def _looked_at(entry: Entry, zone: ZoneInfo) -> str:
    if entry.afterwards is None:
        return str(_("还没补审")) if entry.kind is Kind.EMERGENCY else ""
    right = _("该播") if entry.afterwards.opinion is Opinion.PASSED else _("不该播")
    who, at = _who(entry.afterwards), _local(entry.afterwards.at, zone)
    return str(_("%(who)s %(at)s 补审：%(what)s", who=who, at=at, what=f"{right} {entry.afterwards.reason}".strip()))


def _who(verdict: Verdict) -> str:
    return verdict.name + (str(_("（替%(name)s审）", name=verdict.in_place_of)) if verdict.in_place_of else "")


def _local(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


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
