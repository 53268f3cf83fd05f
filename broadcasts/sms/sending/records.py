"""What has gone out by text message, as far as a person may see it: reading models for the pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.sms.models import SmsAttempt, SmsMessage, SmsRun
from broadcasts.sms.purposes import Purpose
from broadcasts.sms.sending.billing import Bill, billed
from broadcasts.sms.states import MessageState, Priority, RunState
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import NotFound

_LOOKED_THROUGH = 400
"""Runs of others that are passed over in search of one's own, before the page ends early."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """The messages of one broadcast, counted where the actor may see residents."""

    broadcast_id: UUID
    text: str
    emergency: bool
    state: RunState
    created_at: datetime
    paused_reason: str
    paused_code: str
    counts: Mapping[MessageState, int]
    parts_each: int
    bill: Bill
    """What it costs at most."""
    whole: bool
    """False: it went to other places too, which are not counted here."""
    may_resume: bool
    may_resend: bool

    @property
    def people(self) -> int:
        """Everybody meant."""
        return sum(self.counts.values())

    @property
    def wanted(self) -> int:
        """Everybody who is to get one."""
        return self.people - self.counts[MessageState.SUPPRESSED]

    @property
    def over(self) -> bool:
        """Whether the hub will do nothing more by itself."""
        return self.state in (RunState.DONE, RunState.CANCELLED)


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs, newest first, and from when on to go on (None: these were the last)."""

    lines: tuple[RunLine, ...]
    before: datetime | None


def runs(session: Session, actor: Actor, *, before: datetime | None = None, limit: int = 10) -> RunPage:
    """Return runs that reach people the actor may see."""
    paths = actor.paths(Permission.SEE_RESIDENTS)
    query = select(SmsRun).where(SmsRun.purpose != Purpose.ANSWER)
    query = query.order_by(SmsRun.created_at.desc()).limit(_LOOKED_THROUGH)
    if before is not None:
        query = query.where(SmsRun.created_at < before)
    lines: list[RunLine] = []
    last, looked = None, 0
    for run in session.scalars(query) if paths else ():
        if len(lines) == limit:
            return RunPage(tuple(lines), last)
        last, looked = run.created_at, looked + 1
        seen = _seen(run, paths)
        if seen:
            lines.append(_line(session, actor, run, seen))
    return RunPage(tuple(lines), last if looked == _LOOKED_THROUGH else None)


def run(session: Session, actor: Actor, broadcast_id: UUID) -> RunLine:
    """Return one run; to a stranger it does not exist."""
    found = session.get(SmsRun, broadcast_id)
    seen = _seen(found, actor.paths(Permission.SEE_RESIDENTS)) if found else ()
    if found is None or not seen:
        raise NotFound("sms_run_unknown")
    return _line(session, actor, found, seen)


def earlier_tries(session: Session, ids: Iterable[int]) -> dict[int, list[SmsAttempt]]:
    """Return the tries before the last, by message, the first one first. The caller has asked for what may be seen."""
    found: dict[int, list[SmsAttempt]] = {}
    query = select(SmsAttempt).where(SmsAttempt.message_id.in_(list(ids))).order_by(SmsAttempt.id)
    for one in session.scalars(query):
        found.setdefault(one.message_id, []).append(one)
    return found


def _seen(run: SmsRun, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the parts of a run's audience that lie where the actor may see residents."""
    meant = Audience.from_json(run.audience).paths
    inside = [path for path in meant if any(path.startswith(mine) for mine in paths)]
    return (*inside, *(mine for mine in paths if any(mine != path and mine.startswith(path) for path in meant)))


def _line(session: Session, actor: Actor, run: SmsRun, seen: Sequence[str]) -> RunLine:
    meant = Audience.from_json(run.audience).paths
    whole = set(seen) == set(meant)
    here = () if whole else (or_(*(SmsMessage.region_path.like(like_below(path)) for path in seen)),)
    query = select(SmsMessage.state, func.count()).where(SmsMessage.broadcast_id == run.broadcast_id, *here)
    counts = dict.fromkeys(MessageState, 0)
    for state, number in session.execute(query.group_by(SmsMessage.state)):
        counts[state] = number
    return RunLine(
        broadcast_id=run.broadcast_id,
        text=run.text,
        emergency=run.priority == Priority.EMERGENCY,
        state=run.state,
        created_at=run.created_at,
        paused_reason=run.paused_reason,
        paused_code=run.paused_code,
        counts=counts,
        parts_each=run.parts,
        bill=billed(session, SmsRun.broadcast_id == run.broadcast_id, *here),
        whole=whole,
        may_resume=all(actor.may(Permission.STOP, path) for path in meant),
        may_resend=all(actor.may(Permission.COMPOSE, path) for path in meant) and run.state is not RunState.CANCELLED,
    )
