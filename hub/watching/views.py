"""系统状态: what the hub finds about itself, for people; `/readyz` and `/metrics` for programs."""

import hmac

from flask import Blueprint, Flask, Response, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from prometheus_client import CONTENT_TYPE_LATEST

from hub.core.actor import Permission
from hub.core.checks import Checks, Finding, Level, unready, worst
from hub.core.db import moment
from hub.core.errors import NotAllowed
from hub.core.gauges import Gauges
from hub.core.runtime import Runtime, runtime
from hub.watching import processes
from hub.watching.metrics import Metrics
from hub.watching.settings import WatchSettings
from hub.web.ending import Ending, to_the_end
from hub.web.guards import permission_required
from hub.web.i18n import language
from hub.web.menu import Entry, Menu, Part
from hub.web.words import sentence
from hub.web.work import reading

bp = Blueprint("watching", __name__)
TONES = {Level.GOOD: "ok", Level.LOOK: "warn", Level.BAD: "bad"}
LOCAL = frozenset({"127.0.0.1", "::1"})
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-Ip")


def add_to_menu(runtime: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime.get(Menu).add(
        Entry(
            key="system",
            label=lazy_gettext("系统状态"),
            icon="activity",
            endpoint="watching.system",
            permission=Permission.EDIT_ACCOUNTS,
            group=4,
            position=40,
            part=Part.MACHINE,
            about=lazy_gettext("机器好不好，备份多久了"),
        )
    )


def observe(app: Flask, runtime: Runtime) -> None:
    """Measure every request."""
    runtime.get(Metrics).observe(app)


@bp.get("/system")
@permission_required(Permission.EDIT_ACCOUNTS)
def system() -> ResponseReturnValue:
    """Show what the hub finds about itself, the worst first, and its numbers."""
    hub = runtime()
    findings = hub.get(Checks).ask(hub)
    with reading() as session:
        numbers = hub.get(Gauges).read(session)
        running, now = processes.all_known(session), moment(session, hub.clock)
    lines = [(TONES[f.level], _words(f)) for f in findings]
    return render_template(
        "hub/watching/system.html",
        lines=lines,
        worst=TONES[worst(findings)],
        numbers=numbers,
        processes=[(each, processes.is_gone(each, now)) for each in running],
    )


def _words(finding: Finding) -> str:
    return sentence(finding.code, language(), **finding.params)


@bp.get("/readyz")
@to_the_end
def ready() -> ResponseReturnValue:
    """Say whether this process can do its work; 503 while it cannot.

    What is bad in part, as the broker of one place, is named and no reason to send people elsewhere.
    """
    hub = runtime()
    if hub.get(Ending).begun:
        return jsonify(status="ending", bad=["hub_ending"]), 503
    findings = hub.get(Checks).ask(hub)
    bad, lost = [found.code for found in findings if found.level is Level.BAD], unready(findings)
    return jsonify(status="bad" if lost else "degraded" if bad else "ok", bad=bad), 503 if lost else 200


@bp.get("/metrics")
@to_the_end
def metrics() -> ResponseReturnValue:
    """Show the numbers to this machine, or to whoever has the token."""
    if not _may_read():
        raise NotAllowed("metrics_refused")
    return Response(runtime().get(Metrics).text(), content_type=CONTENT_TYPE_LATEST)


def _may_read() -> bool:
    token = runtime().config.section(WatchSettings).metrics_token.get_secret_value()
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(token.encode(), given.encode()):
        return True
    # Behind a proxy everybody seems to come from this machine.
    passed_on = any(request.headers.get(name) for name in FORWARDED)
    return not token and not passed_on and request.remote_addr in LOCAL
