"""Write, submit, approve, return, withdraw and use materials: never used before a second person has agreed."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.approvals import rounds
from broadcasts.approvals.lifecycle import State, step
from broadcasts.approvals.rounds import Subject
from broadcasts.approvals.rules import Matter
from broadcasts.delivery.visibility import near
from broadcasts.materials.drafting import MaterialDraft, content_hash, problems
from broadcasts.materials.models import Material, MaterialKind
from broadcasts.uploads.workshop import Manner
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.db import like_below
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems, WrongState
from hub.regions import service as regions
from hub.regions.tree import path_of


def create(
    session: Session,
    actor: Actor,
    draft: MaterialDraft,
    *,
    now: datetime,
    kind: MaterialKind = MaterialKind.TEXT,
    to_check: bool = False,
) -> Material:
    """Start a material."""
    require_writer(actor)
    if actor.id is None:
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)
    material = Material(
        id=uuid7(),
        kind=kind,
        to_check=to_check,
        written_by=actor.id,
        written_by_name=actor.name,
        written_at=now,
        changed_at=now,
    )
    _fill(session, material, draft, actor)
    session.add(material)
    session.flush()
    log.record(session, actor, "material.create", _ref(material), material.home_path, now, title=material.title)
    return material


def require_writer(actor: Actor) -> None:
    """Raise NotAllowed unless they may write something somewhere: before their recording is worked on."""
    if actor.id is None or not actor.may_somewhere(Permission.COMPOSE):
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)


def bring(
    session: Session,
    actor: Actor,
    draft: MaterialDraft,
    *,
    manner: Manner,
    sha256: str,
    ms: int,
    size: int,
    peaks: tuple[int, ...],
    now: datetime,
) -> Material:
    """Keep a recording that was made ready, as a draft whose writer will listen to it first."""
    material = create(session, actor, draft, now=now, kind=MaterialKind.RECORDING)
    material.manner = manner
    material.audio_sha256, material.audio_ms, material.audio_bytes = sha256, ms, size
    material.peaks = list(peaks)
    return material


def save(session: Session, actor: Actor, material_id: UUID, draft: MaterialDraft, *, now: datetime) -> Material:
    """Change one's own. What was submitted, returned or approved becomes a draft again and must be agreed to anew."""
    material = own(session, actor, material_id)
    if as_draft(material) == draft.settled:
        return material
    if material.state is not State.DRAFT:
        material.state = step(material.state, State.DRAFT, what="material")
    material.submitted_by = material.approved_by = material.submitted_at = material.approved_at = None
    material.submitted_by_name = material.approved_by_name = material.content_hash = ""
    _fill(session, material, draft, actor)
    material.changed_at = now
    return material


def submit(session: Session, actor: Actor, material_id: UUID, *, today: date, now: datetime) -> Material:
    """Hand it in; somebody else decides."""
    material = own(session, actor, material_id)
    found = problems(material, today)
    if found:
        raise Problems(list(found))
    material.state = step(material.state, State.SUBMITTED, what="material")
    material.submitted_by, material.submitted_by_name = actor.id, actor.name
    material.submitted_at = material.changed_at = now
    material.return_reason = ""
    material.content_hash = content_hash(material)
    rounds.begin(session, actor, subject_of(material), now=now)
    _record(session, actor, "material.submit", material, now)
    return material


def approve(
    session: Session,
    actor: Actor,
    material_id: UUID,
    *,
    seen_hash: str,
    today: date,
    now: datetime,
    seen_step: int | None = None,
) -> Material:
    """Pass it on to the next reviewer, or let it be used, as it was seen. Never by who wrote or submitted it."""
    material = _for_review(session, actor, material_id)
    if seen_hash != material.content_hash or content_hash(material) != material.content_hash:
        raise WrongState("material_changed_meanwhile")
    if material.is_over(today):
        raise WrongState("material_expired", day=str(material.valid_until))
    if not rounds.take_step(session, actor, subject_of(material), seen_step=seen_step, now=now):
        return material
    material.state = step(material.state, State.APPROVED, what="material")
    material.approved_by, material.approved_by_name = actor.id, actor.name
    material.approved_at = material.changed_at = now
    material.to_check = False
    _record(session, actor, "material.approve", material, now)
    return material


def give_back(session: Session, actor: Actor, material_id: UUID, reason: str, *, now: datetime) -> Material:
    """Return it to its writer, saying why."""
    material = _for_review(session, actor, material_id)
    reason = rounds.refuse(session, actor, subject_of(material), reason, now=now)
    material.state = step(material.state, State.RETURNED, what="material")
    material.return_reason = reason
    material.changed_at = now
    log.record(session, actor, "material.return", _ref(material), material.home_path, now, reason=reason)
    return material


def withdraw(session: Session, actor: Actor, material_id: UUID, *, now: datetime) -> None:
    """Take it out for good. A draft nobody else has seen is forgotten; what is planned with it will not be played."""
    material = get(session, actor, material_id)
    if material.written_by != actor.id and not actor.may(Permission.APPROVE, material.home_path):
        raise NotAllowed("not_allowed", permission=Permission.APPROVE.value)
    forgotten = material.state is State.DRAFT and material.used == 0
    material.state = step(material.state, State.WITHDRAWN, what="material")
    material.changed_at = now
    _record(session, actor, "material.withdraw", material, now)
    if forgotten:
        session.execute(delete(Material).where(Material.id == material_id))


def get(session: Session, actor: Actor, material_id: UUID) -> Material:
    """Return one the actor may see: of one's own part everything but others' drafts, of above what is approved."""
    material = session.scalar(select(Material).where(Material.id == material_id, near(actor, Material.home_path)))
    if material is None or not _is_seen(actor, material):
        raise NotFound("material_unknown")
    return material


def own(session: Session, actor: Actor, material_id: UUID) -> Material:
    """Return the actor's own; another's is not theirs to change."""
    material = get(session, actor, material_id)
    if material.written_by != actor.id:
        raise NotAllowed("material_of_another")
    return material


def usable(session: Session, actor: Actor, material_id: UUID, *, day: date) -> Material:
    """Return one that may be broadcast on that local day. BadInput says why another may not."""
    try:
        material = get(session, actor, material_id)
    except NotFound:
        raise BadInput("material_unknown", field="material") from None
    code = why_not(session, material, day)
    if code:
        raise BadInput(code, field="material", day=str(material.valid_until))
    return material


def why_not(session: Session, material: Material | None, day: date, sha256: str = "") -> str:
    """Return the code of what keeps it from being played on that local day, '' when nothing does.

    `sha256` is the recording that was approved, where one was. What everybody who had to look has passed is compared
    with what is there now: words or a recording changed behind the hub's back are not used.
    """
    code = _stale(material, day, sha256)
    if code or material is None:
        return code
    return "" if rounds.is_passed(session, subject_of(material)) else "material_changed"


def _stale(material: Material | None, day: date, sha256: str) -> str:
    if material is None or material.state is State.WITHDRAWN:
        return "material_withdrawn"
    if material.is_over(day):
        return "material_expired"
    if material.state is not State.APPROVED:
        return "material_not_approved"
    changed = content_hash(material) != material.content_hash or (sha256 and sha256 != material.audio_sha256)
    return "material_changed" if changed else ""


def subject_of(material: Material) -> Subject:
    """Return what a reviewer's verdict is about."""
    m = material
    content = {
        "title": m.title,
        "text": m.text,
        "sms_text": m.sms_text,
        "theme": m.theme.value,
        "source": m.source,
        "valid_until": str(m.valid_until or ""),
        "tags": list(m.tags),
        "recording": m.audio_sha256[:12],
    }
    authors = frozenset(one for one in (m.written_by, m.submitted_by) if one is not None)
    return Subject(m.id, Matter.MATERIAL, m.title, m.home_path, authors, m.content_hash, content)


def note_used(session: Session, material_id: UUID, now: datetime) -> None:
    """Count that it went out."""
    session.execute(update(Material).where(Material.id == material_id).values(used=Material.used + 1, last_used_at=now))


def waiting(session: Session, actor: Actor) -> list[Subject]:
    """Return what waits for approval where the actor may approve."""
    paths = actor.paths(Permission.APPROVE)
    if not paths:
        return []
    query = select(Material).where(
        Material.state == State.SUBMITTED,
        or_(*(Material.home_path.like(like_below(path)) for path in paths)),
    )
    return [subject_of(one) for one in session.scalars(query)]


def count_waiting(session: Session, actor: Actor) -> int:
    """Return how many wait for this person's approval; one's own do not count."""
    return rounds.count_open(session, actor, waiting(session, actor))


def as_draft(material: Material) -> MaterialDraft:
    """Return the fields of the form."""
    return MaterialDraft(
        title=material.title,
        theme=material.theme,
        text=material.text,
        sms_text=material.sms_text,
        source=material.source,
        valid_until=material.valid_until,
        tags=tuple(material.tags),
        home=material.home_path.rstrip("/").rpartition("/")[2],
    )


def _fill(session: Session, material: Material, draft: MaterialDraft, actor: Actor) -> None:
    settled = draft.settled
    if wrong := settled.too_long():
        raise Problems(list(wrong))
    material.home_path = _home(session, actor, settled.home)
    material.title, material.theme = settled.title, settled.theme
    material.text, material.sms_text = settled.text, settled.sms_text
    material.source, material.valid_until = settled.source, settled.valid_until
    material.tags = list(settled.tags)


def _home(session: Session, actor: Actor, code: str) -> str:
    if not code:
        return actor.paths(Permission.COMPOSE)[0]
    path = path_of(code)
    if not actor.may(Permission.COMPOSE, path):
        raise BadInput("region_unknown", field="home", code_given=code[:20])
    regions.require_known(session, (code,))
    return path


def _for_review(session: Session, actor: Actor, material_id: UUID) -> Material:
    material = get(session, actor, material_id)
    session.refresh(material, with_for_update=True)
    actor.require(Permission.APPROVE, material.home_path)
    if material.state is not State.SUBMITTED:
        raise WrongState(f"material_{material.state.value}")
    if actor.id in (material.submitted_by, material.written_by):
        raise NotAllowed("own_announcement")
    return material


def _is_seen(actor: Actor, material: Material) -> bool:
    if material.state is State.WITHDRAWN:
        return False
    if material.state is State.DRAFT:
        return material.written_by == actor.id
    return material.state is State.APPROVED or actor.may(Permission.SEE, material.home_path)


def _record(session: Session, actor: Actor, deed: str, material: Material, now: datetime) -> None:
    log.record(
        session,
        actor,
        deed,
        _ref(material),
        material.home_path,
        now,
        title=material.title,
        content=material.content_hash,
    )


def _ref(material: Material) -> str:
    return f"material:{material.id}"
