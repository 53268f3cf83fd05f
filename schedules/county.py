"""What counties are asked to do beside the timetable: awareness days, rosters, pledges; put together."""

from datetime import datetime
from functools import partial

from flask import Flask
from sqlalchemy.orm import Session

from broadcasts.delivery.rules import Rules
from broadcasts.pumps import Pumps
from broadcasts.sms.letters import inbound
from broadcasts.sms.models import SmsInbound
from hub.core.actor import Permission
from hub.core.background import Background, Loop
from hub.core.roles import Role
from hub.core.runtime import Runtime
from hub.core.turns import Turns, in_turn
from hub.web.api import register
from hub.web.work import actor as who
from schedules import county_api
from schedules.campaigns import api, texts, views
from schedules.occasions import service as occasions
from schedules.occasions import views as occasion_views
from schedules.pledges import views as pledge_views
from schedules.rounds import reminding
from schedules.rounds import views as round_views

HOUR_S, MINUTE_S = 3600.0, 60.0


def listen(runtime: Runtime) -> None:
    """Take residents' replies to reminders, and put what waits here on the desk of who approves."""

    def heard(session: Session, kept: SmsInbound, now: datetime) -> bool:
        return reminding.take_reply(session, kept, now, zone=runtime.zone)

    inbound.listen("rounds", heard)
    round_views.add_to_desk(runtime)


def plug_in(app: Flask, runtime: Runtime) -> None:
    """Put the pages on the application."""
    register(app, api.bp)
    register(app, county_api.bp)
    for bp in (views.bp, texts.bp, occasion_views.bp, pledge_views.bp, round_views.bp):
        app.register_blueprint(bp)
    views.add_to_menu(runtime)
    app.jinja_env.globals["may_see_people"] = lambda: who().may_somewhere(Permission.SEE_RESIDENTS)


def start(runtime: Runtime) -> tuple[Background, ...]:
    """Return what runs beside: drafts once an hour, reminders once a minute."""
    turns = runtime.get(Turns)
    return tuple(
        Loop(name, in_turn(partial(step, runtime), turns, Role.SCHEDULER))
        for name, step in (("awareness-days", prepare), ("reminders", remind))
    )


def prepare(runtime: Runtime) -> float:
    """Make the drafts of awareness days that are due."""
    occasions.prepare(runtime.sessions, now=runtime.now(), quiet=runtime.get(Rules).quiet)
    return HOUR_S


def remind(runtime: Runtime) -> float:
    """Send the reminders that are due."""
    rules, now = runtime.get(Rules), runtime.now()
    with runtime.sessions.read() as session:
        due = reminding.anything_due(session, rules=rules, now=now)
    if due:
        with runtime.sessions.begin() as session:
            sent = reminding.remind_due(session, rules=rules, now=now)
        if sent:
            runtime.get(Pumps).kick()
    return MINUTE_S
