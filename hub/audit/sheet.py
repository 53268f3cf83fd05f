"""The log as a table to carry away."""

from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

from hub.audit.chain import digest
from hub.audit.describing import LogLine, describe
from hub.audit.models import AuditEntry
from hub.web.spreadsheets import CSV, XLSX, write_csv, write_xlsx

TITLE = {"zh": "操作日志", "en": "Log"}
HEADINGS = {
    "zh": ("编号", "时间", "谁", "从哪里", "做了什么", "对什么", "在哪里", "原来", "改成", "其他", "校验码", "校验"),
    "en": ("No.", "Time", "Who", "From", "Did what", "To what", "Where", "Before", "After", "More", "Hash", "Check"),
}
FITS = {"zh": ("相符", "不符"), "en": ("fits", "does not fit")}
TYPES = {"csv": CSV, "xlsx": XLSX}


def write(
    entries: Iterable[AuditEntry], places: Mapping[str, str], *, form: str, language: str, zone: ZoneInfo
) -> bytes:
    """Return the entries as CSV or Excel; each row says whether its own hash fits its words."""
    language = "en" if language == "en" else "zh"
    rows = [_row(entry, describe(entry, places, language), language, zone) for entry in entries]
    if form == "csv":
        return write_csv(HEADINGS[language], rows)
    return write_xlsx(TITLE[language], HEADINGS[language], rows)


def _row(entry: AuditEntry, line: LogLine, language: str, zone: ZoneInfo) -> tuple[object, ...]:
    fits, fits_not = FITS[language]
    return (
        line.id,
        line.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        line.who,
        line.where_from,
        line.deed,
        line.subject,
        line.place,
        line.before,
        line.after,
        "; ".join(f"{name} {value}" for name, value in line.details),
        entry.hash.hex(),
        fits if digest(entry) == entry.hash else fits_not,
    )
