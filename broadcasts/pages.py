"""All pages of this floor, put on the application and into the menu."""

from flask import Flask

from broadcasts.afterwards import attention as reviews_after
from broadcasts.afterwards import views as afterwards
from broadcasts.afterwards.settings import ApprovalSettings
from broadcasts.alerts import api as alert_api
from broadcasts.alerts import attention as emergency_desk
from broadcasts.alerts import drill_views as drills
from broadcasts.alerts import views as alerts
from broadcasts.alerts.calling import views as calling
from broadcasts.alerts.pack import Packer
from broadcasts.alerts.plans import api as plan_api
from broadcasts.alerts.plans import listing as planning
from broadcasts.alerts.plans import views as plans
from broadcasts.alerts.record import api as incident_api
from broadcasts.alerts.record import views as incidents
from broadcasts.announcements import api as announcement_api
from broadcasts.announcements import attention as approvals_desk
from broadcasts.announcements import review_api, review_views, text_views
from broadcasts.announcements import service as announcing
from broadcasts.announcements import views as announcements
from broadcasts.approvals import queue_api
from broadcasts.approvals import views as approval_rules
from broadcasts.approvals.queue import Desk, Queue
from broadcasts.bulletins import api as bulletin_api
from broadcasts.bulletins import outlet_views as outlet
from broadcasts.bulletins import source_api
from broadcasts.bulletins import source_views as sources
from broadcasts.bulletins import views as bulletins
from broadcasts.delivery import api as delivery_api
from broadcasts.delivery import muting_api, muting_pages, past
from broadcasts.delivery import views as delivery
from broadcasts.delivery.desk import Approvals, Countdowns, Pressings
from broadcasts.delivery.glances import Glances
from broadcasts.delivery.sound import ReleasedSound
from broadcasts.feedback import api as complaint_api
from broadcasts.feedback import views as feedback
from broadcasts.hearing import api as hearing_api
from broadcasts.hearing import views as hearing
from broadcasts.lexicon import api as lexicon_api
from broadcasts.lexicon import views as lexicon
from broadcasts.lexicon import wording_views as wording
from broadcasts.materials import api as material_api
from broadcasts.materials import service as shelf
from broadcasts.materials import views as materials
from broadcasts.practice import views as practice
from broadcasts.reports import alarming, gap_views, gaps
from broadcasts.reports import views as reports
from broadcasts.shout import views as shout
from broadcasts.sms import api as sms_api
from broadcasts.sms import views as sms
from broadcasts.sms.letters import api as letters_api
from broadcasts.sms.letters import views as sms_inbox
from broadcasts.sms.providers import views as provider_pages
from broadcasts.sms.wording import views as sms_wording
from broadcasts.studio import Studio
from broadcasts.village_pages import desk_views as village_desk
from broadcasts.village_pages import views as village_pages
from broadcasts.voices import api as voices_api
from broadcasts.voices import views as voices
from broadcasts.walls import views as walls
from hub.core.runtime import Runtime
from hub.regions.facts import Silencing
from hub.speakers.history import SpeakerHistory
from hub.web.api import register

ROOMS = (
    delivery,
    announcements,
    review_views,
    approval_rules,
    afterwards,
    alerts,
    bulletins,
    drills,
    practice,
    walls,
    plans,
    incidents,
    calling,
    shout,
    materials,
    sms,
    sms_inbox,
    sms_wording,
    provider_pages,
    voices,
    lexicon,
    wording,
    reports,
    feedback,
    hearing,
    village_desk,
)
VERBS = (
    queue_api,
    review_api,
    announcement_api,
    delivery_api,
    muting_api,
    alert_api,
    plan_api,
    incident_api,
    bulletin_api,
    source_api,
    material_api,
    sms_api,
    letters_api,
    voices_api,
    lexicon_api,
    complaint_api,
    hearing_api,
)


def provide_desks(runtime: Runtime) -> None:
    """Tell the overview and the list of what waits for reviewers whom to ask."""
    queue = runtime.provide(Queue, Queue())
    queue.add(Desk("announcements", "announcements.detail", "announcement_id", announcing.subjects_waiting))
    queue.add(Desk("materials", "materials.detail", "material_id", shelf.waiting))
    queue.add(Desk("plans", "plans.one", "plan_id", planning.unsigned))
    packer = runtime.get(Packer)
    runtime.provide(Glances, Glances())
    runtime.provide(ReleasedSound, ReleasedSound(runtime.sessions, runtime.get(Studio).library, packer.holds))
    runtime.provide(Silencing, Silencing(muting_pages.address))
    runtime.provide(SpeakerHistory, SpeakerHistory(past.latest))
    runtime.provide(
        Approvals,
        Approvals(lambda session, actor: approvals_desk.waiting(session, actor, queue), approvals_desk.author),
    )
    runtime.provide(Countdowns, Countdowns(emergency_desk.countdowns))
    within = runtime.config.section(ApprovalSettings).within
    runtime.provide(
        Pressings,
        Pressings(
            lambda session, actor, now: [
                *emergency_desk.pressing(session, actor, now),
                *reviews_after.pressing(session, actor, within=within, now=now),
                *alarming.pressing(session, actor),
                *gaps.pressing(session, actor, runtime.zone, now),
            ]
        ),
    )


def install_pages(app: Flask, runtime: Runtime) -> None:
    """Register blueprints and menu lines."""
    for verbs in VERBS:
        register(app, verbs.bp)
    for room in ROOMS:
        app.register_blueprint(room.bp)
        room.add_to_menu(runtime)
    app.register_blueprint(text_views.bp)
    app.register_blueprint(muting_pages.bp)
    app.register_blueprint(sources.bp)
    app.register_blueprint(outlet.bp)
    app.register_blueprint(gap_views.bp)
    app.register_blueprint(village_pages.bp)
