"""Ready-made texts of messages: begin with the pack, change them, note what each provider says."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from broadcasts.sms.wording_models import FilingState, SmsFiling, SmsTemplate
from hub.audit import log
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput, NotAllowed, NotFound, Problems
from hub.web.words import TEMPLATES

TITLE_LENGTH, TEXT_LENGTH, CODE_LENGTH, NOTE_LENGTH = 30, 450, 40, 200
TOPICS = ("notice", "safety", "fraud", "law")
_BLANK = re.compile(r"\{([^{}\n]{1,20})\}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A text with what providers say of it."""

    template: SmsTemplate
    filings: Mapping[str, SmsFiling]

    def state(self, provider: str) -> FilingState:
        """Return how far it is with a provider."""
        found = self.filings.get(provider)
        return found.state if found else FilingState.DRAFT

    def approved(self, provider: str) -> bool:
        """Return whether a provider has approved it."""
        return self.state(provider) is FilingState.APPROVED


@cache
def pack() -> Sequence[tuple[str, str, str]]:
    """Return the texts to start with: title, topic, text."""
    path = TEMPLATES / "messages" / "sms" / "starter.toml"
    stored = tomllib.loads(path.read_text(encoding="utf-8"))
    return [(entry["title"], entry["topic"], entry["text"]) for entry in stored.values()]


def every(session: Session) -> list[Kept]:
    """Return all texts, by topic and title."""
    filings: dict[UUID, dict[str, SmsFiling]] = {}
    for filing in session.scalars(select(SmsFiling)):
        filings.setdefault(filing.template_id, {})[filing.provider] = filing
    found = session.scalars(select(SmsTemplate).order_by(SmsTemplate.topic, SmsTemplate.title))
    return [Kept(template, filings.get(template.id, {})) for template in found]


def start_with_pack(session: Session, actor: Actor, *, now: datetime) -> int:
    """Put the texts of the pack that are not there yet among the ready-made ones; return how many."""
    _require(actor)
    known = set(session.scalars(select(SmsTemplate.title)))
    new = [entry for entry in pack() if entry[0] not in known]
    for title, topic, text in new:
        session.add(SmsTemplate(title=title, topic=topic, text=text, changed_at=now, by_name=actor.name[:40]))
    session.flush()
    if new:
        log.record(session, actor, "sms_template.pack", "sms_template", "", now, count=len(new))
    return len(new)


def save(
    session: Session, actor: Actor, template_id: UUID | None, title: str, topic: str, text: str, *, now: datetime
) -> SmsTemplate:
    """Write a text, or change one: then every provider has to look at it anew."""
    _require(actor)
    title, text = title.strip(), text.strip()
    _check(session, template_id, title, topic, text)
    found = get(session, template_id) if template_id else None
    if found is None:
        found = SmsTemplate(title=title, topic=topic, text=text, changed_at=now, by_name=actor.name[:40])
        session.add(found)
    else:
        if found.text != text:
            session.execute(delete(SmsFiling).where(SmsFiling.template_id == found.id))
        found.title, found.topic, found.text = title, topic, text
        found.changed_at, found.by_name = now, actor.name[:40]
    session.flush()
    log.record(session, actor, "sms_template.save", f"sms_template:{found.id}", "", now, title=title)
    return found


def remove(session: Session, actor: Actor, template_id: UUID, *, now: datetime) -> None:
    """Take a text away."""
    _require(actor)
    found = get(session, template_id)
    session.execute(delete(SmsFiling).where(SmsFiling.template_id == found.id))
    session.delete(found)
    log.record(session, actor, "sms_template.remove", f"sms_template:{template_id}", "", now, title=found.title)


def file(
    session: Session,
    actor: Actor,
    template_id: UUID,
    provider: str,
    state: FilingState,
    *,
    code: str = "",
    note: str = "",
    coded: bool = False,
    now: datetime,
) -> SmsFiling:
    """Note what a provider says of a text. `coded`: it sends by a code, so an approved text needs one."""
    _require(actor)
    found = get(session, template_id)
    code, note = code.strip()[:CODE_LENGTH], note.strip()[:NOTE_LENGTH]
    if state is FilingState.REJECTED and not note:
        raise BadInput("sms_template_why", field="note")
    if state is FilingState.APPROVED and coded and not code:
        raise BadInput("sms_template_code", field="code")
    filing = session.get(SmsFiling, (template_id, provider))
    if filing is None:
        filing = SmsFiling(template_id=template_id, provider=provider[:24])
        session.add(filing)
    filing.state, filing.code, filing.note = state, code, note
    filing.changed_at, filing.by_name = now, actor.name[:40]
    session.flush()
    subject = f"sms_template:{template_id}"
    log.record(session, actor, "sms_template.file", subject, "", now, title=found.title, provider=provider, state=state)
    return filing


def get(session: Session, template_id: UUID) -> SmsTemplate:
    """Return a text."""
    found = session.get(SmsTemplate, template_id)
    if found is None:
        raise NotFound("sms_template_unknown")
    return found


def fitting(session: Session, text: str) -> Kept | None:
    """Return the ready-made text that a message was made from; None when it was written freely."""
    return next((kept for kept in every(session) if pattern_of(kept.template.text).fullmatch(text.strip())), None)


def fill(text: str, values: Sequence[str]) -> str:
    """Return a text with its blanks filled, in their order."""
    fixed = _BLANK.split(text)[::2]
    return fixed[0] + "".join(value + piece for value, piece in zip(values, fixed[1:], strict=True))


def pattern_of(text: str) -> re.Pattern[str]:
    """Return what every message made from a text looks like."""
    fixed = _BLANK.split(text)[::2]
    return re.compile("(.+?)".join(re.escape(piece) for piece in fixed), re.DOTALL)


def may_edit(actor: Actor) -> bool:
    """Return whether somebody keeps the county's texts: who writes or administers for the whole county."""
    whole = (*actor.paths(Permission.COMPOSE), *actor.paths(Permission.EDIT_ACCOUNTS))
    return any(path.count("/") <= 1 for path in whole)


def _require(actor: Actor) -> None:
    if not may_edit(actor):
        raise NotAllowed("not_allowed", permission=Permission.COMPOSE.value)


def _check(session: Session, template_id: UUID | None, title: str, topic: str, text: str) -> None:
    problems = []
    taken = session.scalar(select(SmsTemplate.id).where(SmsTemplate.title == title))
    if not 1 <= len(title) <= TITLE_LENGTH:
        problems.append(BadInput("sms_template_title", field="title", most=TITLE_LENGTH))
    elif taken is not None and taken != template_id:
        problems.append(BadInput("sms_template_twice", field="title"))
    if topic not in TOPICS:
        problems.append(BadInput("theme_unknown", field="topic"))
    if not 1 <= len(text) <= TEXT_LENGTH:
        problems.append(BadInput("sms_template_text", field="text", most=TEXT_LENGTH))
    if "【" in text or "】" in text:
        problems.append(BadInput("sms_text_brackets", field="text"))
    if not _BLANK.sub("", text).strip("，。！ ") and text:
        problems.append(BadInput("sms_template_only_blanks", field="text"))
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
