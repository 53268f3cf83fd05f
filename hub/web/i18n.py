"""Chinese first, English by a switch. Texts in code and templates are Chinese; only English needs a catalogue."""

from datetime import datetime

from flask import Flask, request
from flask_babel import Babel, format_datetime

from hub.core.runtime import runtime
from hub.web.work import is_api, visitor

COOKIE = "cunxiang_language"
LOCALES = {"zh": "zh_Hans_CN", "en": "en"}


def language() -> str:
    """Return `zh` or `en` for this request: the account's choice, else the cookie, else Chinese.

    A program says what it wants by Accept-Language.
    """
    if is_api():
        return request.accept_languages.best_match(list(LOCALES), default="zh")
    chosen = request.cookies.get(COOKIE, "")
    person = visitor()
    if person is not None:
        chosen = person.language
    return chosen if chosen in LOCALES else "zh"


def install(app: Flask) -> None:
    """Switch on translation and local times."""
    app.config.setdefault("BABEL_DEFAULT_LOCALE", "zh_Hans_CN")
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", "translations")
    Babel(app, locale_selector=lambda: LOCALES[language()], timezone_selector=lambda: runtime().settings.time_zone)
    app.jinja_env.filters["when"] = when
    app.jinja_env.filters["clock"] = clock
    app.jinja_env.filters["day"] = day
    app.jinja_env.filters["exactly"] = exactly


def when(moment: datetime | str | None) -> str:
    """Return 11月23日 10:56 (with the year when it is another one). A version keeps its moments as text."""
    if not moment:
        return ""
    moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    zone = runtime().zone
    same_year = moment.astimezone(zone).year == runtime().now().astimezone(zone).year
    if language() == "en":
        return _format(moment, "d MMM, HH:mm" if same_year else "d MMM y, HH:mm")
    return _format(moment, "M月d日 HH:mm" if same_year else "y年M月d日 HH:mm")


def _format(moment: datetime, pattern: str) -> str:
    return str(format_datetime(moment, pattern))


def clock(moment: datetime | None) -> str:
    """Return 10:56."""
    return _format(moment, "HH:mm") if moment else ""


def exactly(moment: datetime | None) -> str:
    """Return 11月23日 10:56:07, where every second counts."""
    if moment is None:
        return ""
    return _format(moment, "d MMM, HH:mm:ss" if language() == "en" else "M月d日 HH:mm:ss")


def day(moment: datetime) -> str:
    """Return 11月23日 周一 10:56, as it stands in the head of every page."""
    return _format(moment, "EEE d MMM, HH:mm" if language() == "en" else "M月d日 EEE HH:mm")
