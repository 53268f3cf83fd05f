"""The library, for programs: look, write, submit, approve, return, withdraw."""

import io
from datetime import date, datetime
from uuid import UUID

from flask import Response
from pydantic import Base64Bytes, Field

from broadcasts.approvals.lifecycle import State
from broadcasts.approvals.rounds import REASON_LENGTH
from broadcasts.kinds import Theme
from broadcasts.materials import forms, listing, service
from broadcasts.materials.drafting import (
    MOST_TAGS,
    SMS_LENGTH,
    SOURCE_LENGTH,
    TAG_LENGTH,
    TEXT_LENGTH,
    TITLE_LENGTH,
    MaterialDraft,
)
from broadcasts.materials.listing import TABS, Sought
from broadcasts.materials.models import Material, MaterialKind
from broadcasts.studio import Studio
from broadcasts.uploads.settings import UploadSettings
from broadcasts.uploads.workshop import Manner, Workshop
from hub.core.runtime import runtime
from hub.regions.tree import codes_in
from hub.web.api import Input, Output, PageQuery, RegionCode, answers, ms, ms_or_none, room, say, takes_up_to
from hub.web.idempotency import finish, once
from hub.web.paging import cursor, moment_and_id, place_of
from hub.web.work import actor, now, reading, work

SLACK = 64 * 1024
"""For what stands beside a recording."""
bp = room("materials", "Texts and recordings kept to be broadcast, agreed to by two.")


class MaterialPath(Input):
    """Which material."""

    material_id: UUID


class MaterialsQuery(PageQuery):
    """Which materials."""

    tab: str = Field("usable", pattern=f"^({'|'.join(TABS)})$", description="usable, submitted, mine or expired")
    theme: Theme | None = None
    kind: MaterialKind | None = None
    q: str = Field("", max_length=40, description="words in title, text, source or tags")


class MaterialIn(Input):
    """Words to be kept. A draft may be incomplete; submitting says what is still missing."""

    title: str = Field("", max_length=TITLE_LENGTH)
    theme: Theme = Theme.NOTICE
    text: str = Field("", max_length=TEXT_LENGTH, description="what is spoken; of a recording, what is said in it")
    sms_text: str = Field("", max_length=SMS_LENGTH, description="empty = the spoken words")
    source: str = Field("", max_length=SOURCE_LENGTH, description="where it comes from")
    valid_until: date | None = Field(None, description="YYYY-MM-DD, the last day it may be used; null = no end")
    tags: list[str] = Field(default=[], max_length=MOST_TAGS)
    region: RegionCode | None = Field(None, description="whose it is; null = where the account belongs")

    def draft(self) -> MaterialDraft:
        """Return it as the hub knows it."""
        return MaterialDraft(
            title=self.title,
            theme=self.theme,
            text=self.text,
            sms_text=self.sms_text,
            source=self.source,
            valid_until=self.valid_until,
            tags=tuple(tag[: TAG_LENGTH + 1] for tag in self.tags),
            home=self.region or "",
        )


class RecordingIn(MaterialIn):
    """A recording to be kept, with what is known about it."""

    data: Base64Bytes = Field(
        description="the file, as base64: MP3, WAV, M4A, AMR, OGG/Opus or WebM, within the limits of [uploads]"
    )
    file_name: str = Field("", max_length=200, description="what it is called where there is no title")
    manner: Manner = Field(Manner.VOICE, description="what it is: each is made ready for horns in its own way")


class MaterialOut(Output):
    """A material and how far it has come."""

    id: UUID
    kind: MaterialKind
    state: State
    expired: bool
    title: str
    theme: Theme
    text: str
    sms_text: str
    source: str
    valid_until: date | None
    tags: list[str]
    region: str
    to_check: bool = Field(description="came with the program; what is local in it is not checked yet")
    audio_ms: int = Field(description="one pass of a recording; 0 for words")
    content_hash: str = Field(description="what an approval is of; empty before it is submitted")
    return_reason: str
    written_by: str
    written_at: int
    submitted_by: str
    approved_by: str
    approved_at: int | None
    used: int = Field(description="how often it went out")
    last_used_at: int | None

    @classmethod
    def of(cls, m: Material, today: date) -> "MaterialOut":
        """Return a material for showing."""
        return cls(
            id=m.id,
            kind=m.kind,
            state=m.state,
            expired=m.is_over(today),
            title=m.title,
            theme=m.theme,
            text=m.text,
            sms_text=m.sms_text,
            source=m.source,
            valid_until=m.valid_until,
            tags=list(m.tags),
            region=codes_in(m.home_path)[-1],
            to_check=m.to_check,
            audio_ms=m.audio_ms,
            content_hash=m.content_hash,
            return_reason=m.return_reason,
            written_by=m.written_by_name,
            written_at=ms(m.written_at),
            submitted_by=m.submitted_by_name,
            approved_by=m.approved_by_name,
            approved_at=ms_or_none(m.approved_at),
            used=m.used,
            last_used_at=ms_or_none(m.last_used_at),
        )


class Materials(Output):
    """One page of materials, last changed first."""

    items: list[MaterialOut]
    next: str | None


class MaterialSeen(Input):
    """What the approver was looking at."""

    content_hash: str = Field(min_length=64, max_length=64, description="`content_hash` of the material as read")


class MaterialReason(Input):
    """Why it is returned."""

    reason: str = Field(min_length=1, max_length=REASON_LENGTH)


class MaterialGone(Output):
    """A material that was taken out."""

    id: UUID
    state: State


@bp.get("/materials", responses=answers(Materials))
def list_materials(query: MaterialsQuery) -> Response:
    """List the library: what may be used, what waits, one's own, or what has expired."""
    after = place_of(query.cursor, moment_and_id) if query.cursor else None
    sought = Sought(query.tab, query.theme, query.kind, query.q)
    with reading() as session:
        found = listing.page(session, actor(), sought, today=_today(), after=after, limit=query.limit + 1)
    shown = found[: query.limit]
    last = shown[-1] if len(found) > query.limit else None
    return say(
        Materials(
            items=[MaterialOut.of(one, _today()) for one in shown],
            next=cursor(last.changed_at.isoformat(), str(last.id)) if last else None,
        )
    )


@bp.get("/materials/<uuid:material_id>", responses=answers(MaterialOut, 404))
def get_material(path: MaterialPath) -> Response:
    """Return one material."""
    with reading() as session:
        return say(MaterialOut.of(service.get(session, actor(), path.material_id), _today()))


@bp.post("/materials", responses=answers(MaterialOut, 403, 409, status=201))
@once
def create_material(body: MaterialIn) -> Response:
    """Start a text; for a recording see `/materials/recordings`."""
    with work() as session:
        found = service.create(session, actor(), body.draft(), now=now())
        return finish(session, MaterialOut.of(found, _today()), 201)


def _largest() -> int:
    return runtime().config.section(UploadSettings).most_bytes * 4 // 3 + SLACK


@bp.post("/materials/recordings", responses=answers(MaterialOut, 403, 409, 503, status=201))
@takes_up_to(_largest)
@once
def bring_recording(body: RecordingIn) -> Response:
    """Keep a recording: decoded, brought to its level, and a draft of yours to be heard and submitted."""
    service.require_writer(actor())
    hub = runtime()
    made = hub.get(Workshop).take(io.BytesIO(body.data), manner=body.manner, field="data")
    digest = hub.get(Studio).library.take_in(made.encoded)
    draft = forms.named_after(body.draft(), body.file_name)
    with work() as session:
        found = service.bring(
            session,
            actor(),
            draft,
            manner=body.manner,
            sha256=digest,
            ms=made.ms,
            size=len(made.encoded),
            peaks=made.peaks,
            now=now(),
        )
        return finish(session, MaterialOut.of(found, _today()), 201)


@bp.put("/materials/<uuid:material_id>", responses=answers(MaterialOut, 403, 404, 409))
def change_material(path: MaterialPath, body: MaterialIn) -> Response:
    """Replace one's own; what was submitted, returned or approved becomes a draft again."""
    with work() as session:
        found = service.save(session, actor(), path.material_id, body.draft(), now=now())
        return say(MaterialOut.of(found, _today()))


@bp.post("/materials/<uuid:material_id>/submit", responses=answers(MaterialOut, 403, 404, 409))
@once
def submit_material(path: MaterialPath) -> Response:
    """Hand it in for approval."""
    with work() as session:
        found = service.submit(session, actor(), path.material_id, today=_today(), now=now())
        return finish(session, MaterialOut.of(found, _today()))


@bp.post("/materials/<uuid:material_id>/approve", responses=answers(MaterialOut, 403, 404, 409))
@once
def approve_material(path: MaterialPath, body: MaterialSeen) -> Response:
    """Let it be used. Never by whoever wrote it."""
    with work() as session:
        found = service.approve(
            session, actor(), path.material_id, seen_hash=body.content_hash, today=_today(), now=now()
        )
        return finish(session, MaterialOut.of(found, _today()))


@bp.post("/materials/<uuid:material_id>/return", responses=answers(MaterialOut, 403, 404, 409))
@once
def return_material(path: MaterialPath, body: MaterialReason) -> Response:
    """Give it back to its writer, saying why."""
    with work() as session:
        found = service.give_back(session, actor(), path.material_id, body.reason, now=now())
        return finish(session, MaterialOut.of(found, _today()))


@bp.post("/materials/<uuid:material_id>/withdraw", responses=answers(MaterialGone, 403, 404, 409))
@once
def withdraw_material(path: MaterialPath) -> Response:
    """Take it out for good. What is planned with it will not be played."""
    with work() as session:
        service.withdraw(session, actor(), path.material_id, now=now())
        return finish(session, MaterialGone(id=path.material_id, state=State.WITHDRAWN))


def _today() -> date:
    moment: datetime = now()
    return moment.astimezone(runtime().zone).date()
