"""The rules of approval, kept by whoever answers for accounts at a place."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from broadcasts.approvals.models import ApprovalRule
from broadcasts.approvals.rules import ANYBODY, LEAST, MOST_STEPS, Matter, Reach, Rule, enough, steps_for
from hub.accounts import role_book
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotFound
from hub.regions import service as regions
from hub.regions.tree import codes_in, level_of

RIGHT = Permission.EDIT_ACCOUNTS
"""Who may say what others may do says also how many must look."""


def steps_needed(session: Session, home_path: str, matter: Matter) -> tuple[str, ...]:
    """Return the steps that something of this kind needs now at this place."""
    codes = codes_in(home_path)
    reach = _reach(codes[-1]) if codes else Reach.COUNTY
    rows = session.scalars(select(ApprovalRule))
    rules = [_rule(row) for row in rows if home_path.startswith(row.region_path)]
    return enough(matter, steps_for(rules, home_path, matter, reach))


def every(session: Session, actor: Actor) -> Sequence[ApprovalRule]:
    """Return the rules where the actor may change them, and those above that hold there too."""
    paths = actor.paths(RIGHT)
    if not paths:
        return ()
    above = {path[: i + 1] for path in paths for i, sign in enumerate(path) if sign == "/"}
    below = [ApprovalRule.region_path.like(like_below(path)) for path in paths]
    query = select(ApprovalRule).where(or_(ApprovalRule.region_path.in_(above), *below))
    return session.scalars(query.order_by(ApprovalRule.region_path, ApprovalRule.matter, ApprovalRule.reach)).all()


def set_rule(
    session: Session,
    actor: Actor,
    region_code: str,
    matter: Matter,
    reach: Reach,
    steps: Sequence[str],
    *,
    now: datetime,
) -> ApprovalRule:
    """Say how many reviewers something needs from now on. What waits already keeps what it was handed in for."""
    region = regions.get_region(session, actor, region_code, RIGHT)
    if not 1 <= len(steps) <= MOST_STEPS:
        raise BadInput("steps_range", field="steps", most=MOST_STEPS)
    if len(steps) < LEAST.get(matter, 1):
        raise BadInput("steps_too_few", field="steps", least=LEAST[matter])
    held = role_book.rights(session)
    if any(step != ANYBODY and Permission.APPROVE not in held.get(step, frozenset()) for step in steps):
        raise BadInput("step_role_cannot_approve", field="steps")
    row = session.scalar(
        select(ApprovalRule).where(
            ApprovalRule.region_path == region.path, ApprovalRule.matter == matter, ApprovalRule.reach == reach
        )
    )
    before = len(row.steps) if row else 1
    row = row or ApprovalRule(region_path=region.path, matter=matter, reach=reach)
    row.steps, row.changed_by, row.changed_at = list(steps), actor.name[:60], now
    session.add(row)
    session.flush()
    subject = f"approval_rule:{matter.value}/{reach.value}"
    log.record(session, actor, "approval.rule", subject, region.path, now, before=before, after=len(steps))
    return row


def remove_rule(session: Session, actor: Actor, rule_id: UUID, *, now: datetime) -> None:
    """Take a rule out: what stands above it holds again, else one reviewer."""
    row = session.get(ApprovalRule, rule_id)
    if row is None or not actor.may(RIGHT, row.region_path):
        raise NotFound("rule_unknown")
    session.delete(row)
    subject = f"approval_rule:{row.matter.value}/{row.reach.value}"
    log.record(session, actor, "approval.rule_removed", subject, row.region_path, now, before=len(row.steps))


def _reach(code: str) -> Reach:
    level = level_of(code).value
    return Reach(level) if level in set(Reach) else Reach.VILLAGE


def _rule(row: ApprovalRule) -> Rule:
    return Rule(row.region_path, row.matter, row.reach, tuple(row.steps))
