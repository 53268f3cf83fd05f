"""What goes out: every emergency of this hub as a signed CAP 1.2 document, in a chain of alert, update and cancel."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import exists, or_, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased, defer

from broadcasts.alerts.firing import ENDINGS
from broadcasts.alerts.models import Alert, AlertState
from broadcasts.bulletins.events import SEVERITY_OF
from broadcasts.bulletins.models import Notice
from broadcasts.bulletins.national import GEOCODE
from broadcasts.cap.building import build, serialise
from broadcasts.cap.document import Area, CapAlert, Info, MsgType, Named, Reference, Scope, Status
from broadcasts.cap.signatures import SigningKey, new_key, sign
from broadcasts.kinds import Act, Mode
from hub.core.actor import Actor, Permission
from hub.core.db import Sessions, like_below
from hub.core.errors import NotFound
from hub.regions import service as regions

KEY_FILE, CERTIFICATE_FILE = "cap-key.pem", "cap-certificate.pem"
KEY_LIFE: Final = timedelta(days=3650)
REST_S: Final = 2.0
BACK: Final = timedelta(days=2)
"""Older emergencies than that get no documents any more: after a long stand-still nobody wants them."""
_PURPOSE = {Act.ALERT: MsgType.ALERT, Act.UPDATE: MsgType.UPDATE}


@dataclass(frozen=True, slots=True)
class Issuer:
    """Under which name this hub's documents go out."""

    sender: str
    name: str


def load_key(data_dir: Path, name: str, *, now: datetime) -> SigningKey:
    """Return the hub's signing key; make one on the first occasion, readable by its owner alone."""
    key, certificate = data_dir / KEY_FILE, data_dir / CERTIFICATE_FILE
    if not (key.exists() and certificate.exists()):
        made = new_key(name or "cunxiang", now=now - timedelta(minutes=5), until=now + KEY_LIFE)
        _write(certificate, made.certificate_pem)
        _write(key, made.private_pem)
    return SigningKey(key.read_bytes(), certificate.read_bytes())


def _write(path: Path, data: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    beside.replace(path)


class Publisher:
    """Makes the documents that are missing, one a step."""

    def __init__(self, sessions: Sessions, issuer: Issuer, key: Callable[[], SigningKey]) -> None:
        self._sessions, self._issuer, self._key = sessions, issuer, key

    def step(self, now: datetime) -> float:
        """Make one document; return the seconds to rest."""
        with self._sessions.read() as session:
            due = next(iter(owing(session, now=now)), None)
        if due is None:
            return REST_S
        alert_id, purpose = due
        try:
            with self._sessions.begin() as session:
                alert = session.get_one(Alert, alert_id)
                session.add(notice(session, alert, purpose, self._issuer, self._key(), now=now))
        except IntegrityError:  # another hub was quicker
            return REST_S
        return 0.0


def owing(session: Session, *, now: datetime) -> Sequence[tuple[UUID, MsgType]]:
    """Return emergencies whose document is missing: sent and not told, stopped and not called off.

    Nothing is called off twice: what is taken back or ended at once needs no Cancel of its own, and an ending that
    comes after one is an Update.
    """
    ending = aliased(Alert)
    told = exists().where(Notice.alert_id == Alert.id, Notice.purpose != MsgType.CANCEL.value)
    off = exists().where(Notice.alert_id == Alert.id, Notice.purpose == MsgType.CANCEL.value)
    off_before = exists().where(Notice.alert_id == Alert.follows_id, Notice.purpose == MsgType.CANCEL.value)
    ended = exists().where(ending.follows_id == Alert.id, ending.act.in_(ENDINGS))
    sent = Alert.state.in_([AlertState.FIRED, AlertState.STOPPED])
    columns = (told.label("told"), off.label("off"), off_before.label("off_before"), ended.label("ended"))
    query = select(Alert.id, Alert.act, Alert.state, *columns).where(sent, Alert.fired_at > now - BACK)
    found: list[tuple[UUID, MsgType]] = []
    for row in session.execute(query.order_by(Alert.fired_at)):
        if row.act in ENDINGS:
            if not (row.off or row.told):
                found.append((row.id, MsgType.UPDATE if row.off_before else MsgType.CANCEL))
        elif not row.told:
            found.append((row.id, _PURPOSE[row.act]))
        elif row.state is AlertState.STOPPED and not row.off and not row.ended:
            found.append((row.id, MsgType.CANCEL))
    return found


def notice(
    session: Session, alert: Alert, purpose: MsgType, issuer: Issuer, key: SigningKey, *, now: datetime
) -> Notice:
    """Return the signed document of an emergency. A drill is an Exercise and says so."""
    drill = alert.mode is Mode.DRILL
    sent = now.replace(microsecond=0)
    codes = list(alert.audience["regions"])
    names = regions.names(session, set(codes))
    document = CapAlert(
        identifier=f"{alert.id}-{purpose.value.lower()}",
        sender=issuer.sender,
        sent=sent,
        status=Status.EXERCISE if drill else Status.ACTUAL,
        msg_type=purpose,
        scope=Scope.PUBLIC,
        source=issuer.name,
        note=alert.title if drill else "",
        references=_references(session, alert, purpose, issuer.sender),
        incidents=(str(alert.incident_id),) if alert.incident_id else (),
        infos=(_info(alert, purpose, issuer, [(code, names.get(code, code)) for code in codes], sent),),
    )
    root = sign(build(document), key)
    return Notice(
        alert_id=alert.id,
        incident_id=alert.incident_id,
        purpose=purpose.value,
        status=document.status.value,
        identifier=document.identifier,
        sender=issuer.sender,
        sent=sent,
        title=alert.title,
        regions=codes,
        home_path=alert.home_path,
        ends=max(alert.expires_at, sent + timedelta(hours=1)),
        xml=serialise(root),
    )


def _info(alert: Alert, purpose: MsgType, issuer: Issuer, places: Sequence[tuple[str, str]], sent: datetime) -> Info:
    over = purpose is MsgType.CANCEL or alert.act in ENDINGS
    original = (Named("original identifier", alert.issuer_ref),) if alert.issuer_ref else ()
    return Info(
        event=alert.title,
        urgency="Past" if over else "Immediate",
        severity=SEVERITY_OF[alert.colour],
        certainty="Unknown" if over else "Likely",
        categories=("Safety",),
        language="zh-CN",
        responses=("AllClear",) if over else (),
        effective=sent,
        expires=max(alert.expires_at, sent + timedelta(minutes=1)).replace(microsecond=0),
        sender_name=alert.issuer or issuer.name,
        headline=alert.title,
        description=alert.text,
        instruction=alert.sms_text,
        parameters=(Named("colour", alert.colour.value), *original),
        areas=tuple(Area(name, geocodes=(Named(GEOCODE, code[:12]),)) for code, name in places),
    )


def _references(session: Session, alert: Alert, purpose: MsgType, sender: str) -> tuple[Reference, ...]:
    """Return everything earlier in the chain: what this one follows, and its own alert when it is called off."""
    if purpose is MsgType.ALERT:
        return ()
    wanted = {alert.id, alert.follows_id} - {None}
    rows = session.scalars(select(Notice).where(Notice.alert_id.in_(wanted)).order_by(Notice.sent))
    found = tuple(Reference(row.sender, row.identifier, row.sent) for row in rows)
    if found:
        return found
    # Its document was never made, because the hub stood still for days: it is named all the same.
    began = alert.armed_at.replace(microsecond=0)
    return (Reference(sender, f"{alert.follows_id or alert.id}-alert", began),)


def listed(
    session: Session, actor: Actor, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[Notice]:
    """Return the documents of the places the actor sees, the latest first, drills among them."""
    paths = actor.paths(Permission.SEE)
    if not paths:
        return []
    query = (
        select(Notice)
        .options(defer(Notice.xml))
        .where(or_(*(Notice.home_path.like(like_below(path)) for path in paths)))
        .order_by(Notice.sent.desc(), Notice.id.desc())
    )
    if before is not None:
        query = query.where(tuple_(Notice.sent, Notice.id) < before)
    return list(session.scalars(query.limit(limit)))


def get(session: Session, notice_id: UUID) -> Notice:
    """Return one document. It is meant for the public: whoever knows its name may have it."""
    found = session.get(Notice, notice_id)
    if found is None:
        raise NotFound("notice_unknown")
    return found


def current(session: Session, *, now: datetime, limit: int = 100) -> list[Notice]:
    """Return the documents of this hub that still count, the latest first."""
    query = select(Notice).where(Notice.ends > now).order_by(Notice.sent.desc()).limit(limit)
    return list(session.scalars(query))
