"""Text messages to people who are known already, in the emergency lane, at once; e.g. one to whoever is on call."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.audience.selection import Audience
from broadcasts.sms.models import SmsMessage, SmsRun
from broadcasts.sms.segments import signed
from broadcasts.sms.sending.billing import priced
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Priority, RunState


def urgent_run(
    session: Session, run_id: UUID, text: str, *, expires_at: datetime, settings: SmsSettings, now: datetime
) -> SmsRun:
    """Note a run in the emergency lane whose people are known already: nobody has to be found for it."""
    whole = signed(text.strip(), settings.signature)
    run = SmsRun(
        broadcast_id=run_id,
        priority=int(Priority.EMERGENCY),
        text=whole,
        **priced(whole, settings),
        audience=Audience((), speakers=False, sms=True).as_json(),
        state=RunState.GOING,
        created_at=now,
        served_at=now,
        expires_at=expires_at,
        expanded_at=now,
    )
    session.add(run)
    session.flush()
    return run


def write_to(
    session: Session,
    *,
    run_id: UUID,
    text: str,
    phone: tuple[bytes, bytes, str],
    person_id: UUID,
    region_path: str,
    expires_at: datetime,
    settings: SmsSettings,
    now: datetime,
) -> None:
    """Note one message; `phone` is its index, the sealed number and the mask. The pump sends it. Once per `run_id`."""
    if session.get(SmsRun, run_id) is not None:
        return
    index, sealed, masked = phone
    run = urgent_run(session, run_id, text, expires_at=expires_at, settings=settings, now=now)
    session.add(
        SmsMessage(
            broadcast_id=run_id,
            phone_index=index,
            sealed=sealed,
            masked=masked,
            resident_id=person_id,
            region_path=region_path,
            parts=run.parts,
            next_try_at=now,
            changed_at=now,
        )
    )
    session.flush()
