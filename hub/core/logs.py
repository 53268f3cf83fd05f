"""Logs: one line an event for people at a terminal, one JSON object a line for machines."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
QUIET_LOGGERS = (
    "werkzeug",
    "apscheduler",
    "waitress.queue",
    "twilio.http_client",
    "alembic",
    "urllib3",
    "celery",
    "amqp",
)


_ABOUT: ContextVar[Mapping[str, object]] = ContextVar("about", default={})  # noqa: B039 - never changed in place


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Put these ids, as `request` or `broadcast`, on every line that is logged inside the block."""
    token = _ABOUT.set({**_ABOUT.get(), **ids})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def _details(record: logging.LogRecord) -> dict[str, object]:
    return {**_ABOUT.get(), **{k: v for k, v in vars(record).items() if k not in _STANDARD}}


class JsonLine(logging.Formatter):
    """time, level, logger, event, and whatever was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= _details(record)
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        text = json.dumps(line, ensure_ascii=False, default=str)
        # To JSON these are characters like any other; to some who read line by line they end one.
        return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


class PlainLine(logging.Formatter):
    """For a terminal: the time, the event, and its details behind it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one readable line."""
        details = " ".join(f"{k}={_on_one_line(v)}" for k, v in _details(record).items())
        time = datetime.fromtimestamp(record.created, tz=UTC).astimezone().strftime("%H:%M:%S")
        line = f"{time} {record.levelname.lower():7} {record.getMessage()} {details}".rstrip()
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


def _on_one_line(value: object) -> str:
    """Return it without what would begin a line of its own, or talk to the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))


def configure(*, json_lines: bool, level: int = logging.INFO) -> None:
    """Log to standard error. Libraries that would log addresses or bodies are kept to warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if json_lines else PlainLine())
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, JsonLine | PlainLine)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
