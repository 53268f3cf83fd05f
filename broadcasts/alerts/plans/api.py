"""Plans, for programs: look, write, hand in, sign, send back, withdraw."""

from uuid import UUID

from flask import Response
from pydantic import Field

from broadcasts.alerts.hazards import hazard
from broadcasts.alerts.plans import listing, service
from broadcasts.alerts.plans.listing import PlanPage
from broadcasts.alerts.plans.models import PlanState
from broadcasts.alerts.plans.service import PlanDraft
from broadcasts.alerts.plans.starting import usual_words
from broadcasts.alerts.plans.words import TEXTS, PlanWords
from broadcasts.delivery.rules import Rules
from broadcasts.kinds import Colour
from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.web.api import Input, Output, PageQuery, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.mistakes import fields_named
from hub.web.paging import cursor, place_of
from hub.web.work import actor, now, reading, work

bp = room("plans", "Plans (预案): what is said in one kind of emergency, signed by two people in daylight.")
FIELDS = {"area": "regions", "home": "region"}
LONGEST_TEXT = 2000
"""Of what is taken at all; how long a text may be is said by the rules, with how much it is over."""


class PlanText(Input):
    """The six texts and the usual area; what is left out is said in the hub's own words. `{place}` is the place."""

    speech: str | None = Field(None, max_length=LONGEST_TEXT)
    sms: str | None = Field(None, max_length=LONGEST_TEXT)
    correction_speech: str | None = Field(None, max_length=LONGEST_TEXT, description="when it has to be taken back")
    correction_sms: str | None = Field(None, max_length=LONGEST_TEXT)
    clear_speech: str | None = Field(None, max_length=LONGEST_TEXT, description="when it is over")
    clear_sms: str | None = Field(None, max_length=LONGEST_TEXT)
    regions: list[RegionCode] = Field(
        [], max_length=500, description="where it is usually meant, inside its own place; empty = all of it"
    )


class PlanIn(PlanText):
    """A plan to be written."""

    region: RegionCode = Field(description="whose plan it is: a county, township or village")
    hazard: str = Field(max_length=20, description="the `key` of a hazard")
    colour: Colour


class PlanOut(Output):
    """A plan in its latest version."""

    id: UUID
    region: str
    hazard: str
    colour: Colour
    version: int
    state: PlanState = Field(description="only `approved` is in force")
    speech: str
    sms: str
    correction_speech: str
    correction_sms: str
    clear_speech: str
    clear_sms: str
    regions: list[str]
    content_hash: str = Field(description="what is signed; to be sent with a signature. Empty until it is handed in")
    written_by: str
    written_at: int
    handed_in_at: int | None
    signed_by: list[str]
    in_force_since: int | None
    reason: str = Field(description="why it was returned or withdrawn")

    @classmethod
    def of(cls, page: PlanPage) -> "PlanOut":
        """Return a plan for showing."""
        plan, version = page.plan, page.version
        held = version.state is PlanState.APPROVED
        return cls(
            id=plan.id,
            region=plan.region_code,
            hazard=plan.hazard,
            colour=plan.colour,
            version=version.version,
            state=version.state,
            **{name: getattr(version, name) for name in TEXTS},
            regions=list(version.regions),
            content_hash=version.content_hash,
            written_by=version.written_by_name,
            written_at=ms(version.written_at),
            handed_in_at=ms_or_none(version.handed_in_at),
            signed_by=[name for name in (version.first_by_name, version.second_by_name) if name],
            in_force_since=ms_or_none(version.second_at if held else None),
            reason=version.reason,
        )


class PlansOut(Output):
    """One page of plans."""

    items: list[PlanOut]
    next: str | None


class PlansQuery(PageQuery):
    """Which plans."""

    region: RegionCode | None = Field(None, description="only those of this very place")
    state: PlanState | None = Field(None, description="only those in this state")


class PlanPath(Input):
    """Which plan."""

    plan_id: UUID


class PlanSeen(Input):
    """What the signer was looking at."""

    content_hash: str = Field(min_length=64, max_length=64, description="`content_hash` of the plan as read")


class PlanReason(Input):
    """Why."""

    reason: str = Field(min_length=1, max_length=service.LONGEST_REASON)


@bp.get("/plans", responses=answers(PlansOut, 403))
@permission_required(Permission.SEE)
def list_plans(query: PlansQuery) -> Response:
    """List plans in their latest version."""
    after = place_of(query.cursor, lambda key: UUID(str(key))) if query.cursor else None
    with reading() as session:
        found = listing.pages(
            session, actor(), home=query.region or "", state=query.state, after=after, limit=query.limit + 1
        )
        items = [PlanOut.of(page) for page in found[: query.limit]]
    return say(PlansOut(items=items, next=cursor(str(items[-1].id)) if len(found) > query.limit else None))


@bp.get("/plans/<uuid:plan_id>", responses=answers(PlanOut, 403, 404))
@permission_required(Permission.SEE)
def get_plan(path: PlanPath) -> Response:
    """Return one plan."""
    with reading() as session:
        return say(PlanOut.of(listing.page(session, actor(), path.plan_id)))


@bp.post("/plans", responses=answers(PlanOut, 403, 404, 409, status=201))
@permission_required(Permission.COMPOSE)
@once
def write_plan(body: PlanIn) -> Response:
    """Write a plan. Where there is one for that hazard and colour, this begins its next version."""
    words = _words(body, usual_words(hazard(body.hazard), body.colour))
    draft = PlanDraft(body.region, body.hazard, body.colour, words, tuple(body.regions))
    with fields_named(_ours), work() as session:
        version = service.write(session, actor(), draft, now=now())
        return finish(session, PlanOut.of(listing.page(session, actor(), version.plan_id)), 201)


@bp.put("/plans/<uuid:plan_id>", responses=answers(PlanOut, 403, 404, 409))
@permission_required(Permission.COMPOSE)
def change_plan(path: PlanPath, body: PlanText) -> Response:
    """Change a plan; texts that are left out stay. What was signed before holds no more, until it is signed anew."""
    with fields_named(_ours), work() as session:
        before = listing.page(session, actor(), path.plan_id)
        plan = before.plan
        area = tuple(body.regions or before.version.regions)
        draft = PlanDraft(plan.region_code, plan.hazard, plan.colour, _words(body, before.words), area)
        service.write(session, actor(), draft, now=now())
        return say(PlanOut.of(listing.page(session, actor(), path.plan_id)))


@bp.post("/plans/<uuid:plan_id>/submit", responses=answers(PlanOut, 403, 404, 409))
@permission_required(Permission.COMPOSE)
@once
def submit_plan(path: PlanPath) -> Response:
    """Hand it in for signatures: two at least, never the author's."""
    with fields_named(_ours), work() as session:
        service.hand_in(session, actor(), path.plan_id, signature=runtime().get(Rules).sms.signature, now=now())
        return finish(session, PlanOut.of(listing.page(session, actor(), path.plan_id)))


@bp.post("/plans/<uuid:plan_id>/sign", responses=answers(PlanOut, 403, 404, 409))
@permission_required(Permission.APPROVE)
@once
def sign_plan(path: PlanPath, body: PlanSeen) -> Response:
    """Sign exactly what was read. The last signature that is needed puts it in force."""
    with work() as session:
        service.sign(session, actor(), path.plan_id, body.content_hash, now=now())
        return finish(session, PlanOut.of(listing.page(session, actor(), path.plan_id)))


@bp.post("/plans/<uuid:plan_id>/return", responses=answers(PlanOut, 403, 404, 409))
@permission_required(Permission.APPROVE)
@once
def return_plan(path: PlanPath, body: PlanReason) -> Response:
    """Give it back to its author, saying why. Signatures it had are gone."""
    with work() as session:
        service.send_back(session, actor(), path.plan_id, body.reason, now=now())
        return finish(session, PlanOut.of(listing.page(session, actor(), path.plan_id)))


@bp.post("/plans/<uuid:plan_id>/withdraw", responses=answers(PlanOut, 403, 404, 409))
@once
def withdraw_plan(path: PlanPath, body: PlanReason) -> Response:
    """Take it out of force: from now on that emergency needs a second person again."""
    with work() as session:
        service.withdraw(session, actor(), path.plan_id, body.reason, now=now())
        return finish(session, PlanOut.of(listing.page(session, actor(), path.plan_id)))


@bp.post("/plans/<uuid:plan_id>/drop-changes", responses=answers(PlanOut, 403, 404, 409))
@permission_required(Permission.COMPOSE)
@once
def drop_plan_changes(path: PlanPath) -> Response:
    """Forget a version that was begun: the one before it, signed as it was, holds again."""
    with work() as session:
        service.drop_changes(session, actor(), path.plan_id, now=now())
        return finish(session, PlanOut.of(listing.page(session, actor(), path.plan_id)))


def _words(given: PlanText, before: PlanWords) -> PlanWords:
    said = {name: getattr(given, name) for name in TEXTS}
    return PlanWords(*(getattr(before, name) if said[name] is None else said[name] for name in TEXTS))


def _ours(field: str) -> str:
    return FIELDS.get(field, field)
