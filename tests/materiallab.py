"""What lies in the library, for tests."""

import io
from datetime import date
from uuid import UUID

from builders import the_actor
from conftest import NOON
from sqlalchemy.orm import Session
from uploadlab import a_recording

from broadcasts.kinds import Theme
from broadcasts.materials import service
from broadcasts.materials.drafting import MaterialDraft
from broadcasts.materials.models import Material
from broadcasts.studio import Studio
from broadcasts.uploads.workshop import Manner, Workshop
from hub.core.runtime import Runtime

TODAY = date(2026, 11, 23)
WORDS = "各位村民：有人冒充公安要你转账，马上挂掉，打96110问一问。"


def a_material_draft(**given: object) -> MaterialDraft:
    """Return the fields of a form that could be submitted."""
    fields: dict[str, object] = {"title": "冒充公安", "theme": Theme.FRAUD, "text": WORDS, "source": "镇派出所"}
    return MaterialDraft(**(fields | given))  # type: ignore[arg-type]


def approved(session: Session, material: Material, *, writer: str = "clerk", approver: str = "approver") -> Material:
    """Hand it in and agree to it."""
    service.submit(session, the_actor(session, writer), material.id, today=TODAY, now=NOON)
    return service.approve(
        session,
        the_actor(session, approver),
        material.id,
        seen_hash=material.content_hash,
        today=TODAY,
        now=NOON,
    )


def a_text(session: Session, **given: object) -> Material:
    """Words of the north's clerk that may be used."""
    return approved(session, service.create(session, the_actor(session, "clerk"), a_material_draft(**given), now=NOON))


def a_kept_recording(runtime: Runtime, *, seconds: float = 3, agreed: bool = True, **given: object) -> UUID:
    """A recording of the north's clerk, really decoded, that may be used."""
    made = runtime.get(Workshop).take(io.BytesIO(a_recording(seconds, hz=440)))
    digest = runtime.get(Studio).library.take_in(made.encoded)
    with runtime.sessions.begin() as session:
        clerk = the_actor(session, "clerk")
        draft = a_material_draft(title="村歌", text="", **given)
        material = service.bring(
            session, clerk, draft, manner=Manner.VOICE, sha256=digest, ms=made.ms, size=len(made.encoded),
            peaks=made.peaks, now=NOON,
        )  # fmt: skip
        session.flush()
        if agreed:
            approved(session, material)
        return material.id
