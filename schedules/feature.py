"""Plug the timetable into the hub."""

from datetime import timedelta
from functools import partial

from flask import Flask

from broadcasts.announcements.timing import Timetable
from broadcasts.approvals.queue import Desk, Queue
from broadcasts.delivery.desk import Upcoming
from broadcasts.delivery.rules import Rules
from broadcasts.pumps import Pumps
from broadcasts.settings import BroadcastSettings
from broadcasts.studio import Studio
from hub.core.background import Background, Loop
from hub.core.feature import Feature
from hub.core.notify import Pulse
from hub.core.roles import Role
from hub.core.runtime import Runtime
from hub.core.turns import Turns, in_turn
from hub.web.api import register
from schedules import api, county, examples, timetable, views, week
from schedules.campaigns import service as campaigns
from schedules.campaigns.turns import CampaignTurns
from schedules.firing import Firing
from schedules.housekeeping import tidy
from schedules.laying import Laying
from schedules.models import SlotKind
from schedules.noise import Limits
from schedules.playing import usual
from schedules.preparing import Preparing
from schedules.rehearsal import Stage
from schedules.runner import Runner
from schedules.sheets import listing as sheets
from schedules.sheets import views as sheets_views
from schedules.sheets import week_api as sheets_api
from schedules.sources import Sources
from schedules.special_days import hours_views
from schedules.special_days import views as special_days_views


def provide(runtime: Runtime) -> None:
    """Open the timetable's doors to announcements and to the overview."""
    settings = runtime.config.section(BroadcastSettings)
    sources = runtime.provide(Sources, usual())
    sources.add(SlotKind.CAMPAIGN, CampaignTurns())
    county.listen(runtime)
    limits = Limits(a_day=settings.daily_minutes, a_week=settings.weekly_minutes)
    runtime.provide(Stage, Stage(runtime.get(Rules), sources, limits))
    runtime.provide(Timetable, timetable.doors(runtime.zone, limits))
    runtime.provide(Upcoming, week.upcoming())
    queue = runtime.get(Queue)
    queue.add(Desk("campaigns", "campaigns.detail", "campaign_id", campaigns.waiting))
    queue.add(Desk("sheets", "sheets.detail", "sheet_id", sheets.waiting))


def plug_in(app: Flask, runtime: Runtime) -> None:
    """Put the timetable's pages on the application."""
    register(app, api.bp)
    register(app, sheets_api.WITH_WEEKS)
    app.register_blueprint(views.bp)
    app.register_blueprint(sheets_views.bp)
    app.register_blueprint(special_days_views.bp)
    app.register_blueprint(hours_views.bp)
    views.add_to_menu(runtime)
    hours_views.add_to_menu(runtime)
    county.plug_in(app, runtime)


def start(runtime: Runtime) -> list[Background]:
    """Return the clock: every scheduler has one, and the tables decide who fires."""
    if not runtime.duties.has(Role.SCHEDULER):
        return []
    settings = runtime.config.section(BroadcastSettings)
    firing = Firing(
        sessions=runtime.sessions,
        rules=runtime.get(Rules),
        ahead=timedelta(seconds=settings.prepare_seconds),
        sources=runtime.get(Sources),
    )
    laying = Laying(runtime.sessions, runtime.get(Rules), settings.sheet_hours, runtime.get(Sources))
    turns = runtime.get(Turns)
    preparing = Preparing(runtime.sessions, runtime.get(Sources), runtime.get(Studio).render)
    runner = Runner(
        runtime.sessions,
        firing,
        clock=runtime.clock,
        fired=runtime.get(Pumps).kick,
        laying=laying,
        preparing=preparing,
        beat=runtime.get(Pulse).beat,
        may_prepare=lambda: turns.mine(Role.SCHEDULER),
        among_others=not runtime.duties.whole,
    )
    housekeeping = Loop("housekeeping", in_turn(partial(tidy, runtime), turns, Role.SCHEDULER))
    return [runner, housekeeping, *county.start(runtime)]


def seed_demo(runtime: Runtime) -> None:
    """Leave the demo as a township leaves its desk: a programme every day, one item waiting, one half written."""
    examples.seed(runtime)


feature = Feature(name="schedules", provide=provide, plug_in=plug_in, seed_demo=seed_demo, start=start)
