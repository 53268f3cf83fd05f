"""Campaigns, for programs: write, hand in, approve, hold back, end; what they add and what they have reached."""

from flask import Response
from flask_babel import gettext

from broadcasts.speech.engine import SpeechFailed
from broadcasts.studio import Studio
from broadcasts.texts import shelf
from hub.core.errors import Unavailable
from hub.core.runtime import runtime
from hub.web.api import answers, room, say
from hub.web.idempotency import finish, once
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.work import actor, now, reading, work
from schedules.campaigns import handing_in, listing, progress, service
from schedules.campaigns.views import desk
from schedules.campaigns.wire import (
    CampaignIn,
    CampaignOut,
    CampaignOutlook,
    CampaignPath,
    CampaignProgress,
    CampaignReason,
    Campaigns,
    CampaignSeen,
    CampaignsQuery,
    ReadyText,
    ReadyTexts,
)

bp = room("campaigns", "One theme over some weeks, its texts in turn, and how far every village has come.")


@bp.get("/texts", responses=answers(ReadyTexts))
def list_texts() -> Response:
    """List the texts that come with the program."""
    return say(ReadyTexts(items=[ReadyText.of(text) for text in shelf.every()]))


@bp.get("/campaigns", responses=answers(Campaigns))
def list_campaigns(query: CampaignsQuery) -> Response:
    """List the campaigns that touch the caller's part."""
    after = place_of(query.cursor, moment_and_id) if query.cursor else None
    states = (query.state,) if query.state else ()
    with reading() as session:
        found = listing.page(session, actor(), states=states, after=after, limit=query.limit + 1)
        shown = [CampaignOut.of(c) for c in found[: query.limit]]
    last = found[query.limit - 1] if len(found) > query.limit else None
    return say(Campaigns(items=shown, next=cursor(last.written_at.isoformat(), str(last.id)) if last else None))


@bp.get("/campaigns/<uuid:campaign_id>", responses=answers(CampaignOut, 404))
def get_campaign(path: CampaignPath) -> Response:
    """Return one campaign."""
    with reading() as session:
        return say(CampaignOut.of(service.get(session, actor(), path.campaign_id)))


@bp.get("/campaigns/<uuid:campaign_id>/outlook", responses=answers(CampaignOutlook, 404))
def get_campaign_outlook(path: CampaignPath) -> Response:
    """Return what it would add."""
    with reading() as session:
        page = listing.detail(session, actor(), path.campaign_id, runtime().get(Studio), desk=desk(), now=now())
        found = page.outlook
    plan = found.plan if found else None
    return say(
        CampaignOutlook(
            plays=len(plan.plays) if plan else 0,
            most_minutes_a_day=round(found.most_minutes, 2) if found else 0,
            total_minutes=round(found.total_minutes, 2) if found else 0,
            daily_limit_minutes=desk().rules.daily_minutes,
            moved=found.moved if found else 0,
            left_out=len(plan.crowded) + len(plan.full) + len(plan.loud) if plan else 0,
            exact=found.exact if found else True,
        )
    )


@bp.get("/campaigns/<uuid:campaign_id>/progress", responses=answers(CampaignProgress, 404))
def get_campaign_progress(path: CampaignPath) -> Response:
    """Return what it has reached, village by village."""
    with reading() as session:
        found = progress.of(session, actor(), service.get(session, actor(), path.campaign_id))
    return say(CampaignProgress.of(found))


@bp.post("/campaigns", responses=answers(CampaignOut, 403, 409, status=201))
@once
def create_campaign(body: CampaignIn) -> Response:
    """Start a campaign."""
    with work() as session:
        made = service.create(session, actor(), body.draft(), now=now())
        return finish(session, CampaignOut.of(made), 201)


@bp.put("/campaigns/<uuid:campaign_id>", responses=answers(CampaignOut, 403, 404, 409))
def change_campaign(path: CampaignPath, body: CampaignIn) -> Response:
    """Replace one's own before it runs; what was submitted becomes a draft again."""
    with work() as session:
        return say(CampaignOut.of(service.save(session, actor(), path.campaign_id, body.draft(), now=now())))


@bp.post("/campaigns/<uuid:campaign_id>/submit", responses=answers(CampaignOut, 403, 404, 409, 503))
@once
def submit_campaign(path: CampaignPath) -> Response:
    """Record its texts and hand it in."""
    try:
        spoken = handing_in.recorded(runtime(), actor(), path.campaign_id, desk=desk(), now=now())
    except SpeechFailed as failure:
        raise Unavailable("speech_failed", why=gettext(failure.msgid, **failure.values)) from failure
    with work() as session:
        handed = service.submit(session, actor(), path.campaign_id, spoken, desk=desk(), now=now())
        return finish(session, CampaignOut.of(handed))


@bp.post("/campaigns/<uuid:campaign_id>/approve", responses=answers(CampaignOut, 403, 404, 409))
@once
def approve_campaign(path: CampaignPath, body: CampaignSeen) -> Response:
    """Let it run. Never by whoever wrote it."""
    studio, seen = runtime().get(Studio), body.content_hash
    with work() as session:
        found = handing_in.approve_as_seen(session, studio, actor(), path.campaign_id, seen, desk=desk(), now=now())
        return finish(session, CampaignOut.of(found))


@bp.post("/campaigns/<uuid:campaign_id>/return", responses=answers(CampaignOut, 403, 404, 409))
@once
def return_campaign(path: CampaignPath, body: CampaignReason) -> Response:
    """Give it back to its writer, saying why."""
    with work() as session:
        found = service.give_back(session, actor(), path.campaign_id, body.reason, now=now())
        return finish(session, CampaignOut.of(found))


@bp.post("/campaigns/<uuid:campaign_id>/pause", responses=answers(CampaignOut, 403, 404, 409))
@once
def pause_campaign(path: CampaignPath) -> Response:
    """Hold back what is still to come."""
    with work() as session:
        found = service.pause(session, actor(), path.campaign_id, desk=desk(), now=now())
        return finish(session, CampaignOut.of(found))


@bp.post("/campaigns/<uuid:campaign_id>/resume", responses=answers(CampaignOut, 403, 404, 409))
@once
def resume_campaign(path: CampaignPath) -> Response:
    """Go on with what is left, as it was approved."""
    with work() as session:
        found = service.resume(session, actor(), path.campaign_id, desk=desk(), now=now())
        return finish(session, CampaignOut.of(found))


@bp.post("/campaigns/<uuid:campaign_id>/stop", responses=answers(CampaignOut, 403, 404, 409))
@once
def stop_campaign(path: CampaignPath) -> Response:
    """End it for good."""
    with work() as session:
        found = service.stop(session, actor(), path.campaign_id, desk=desk(), now=now())
        return finish(session, CampaignOut.of(found))
