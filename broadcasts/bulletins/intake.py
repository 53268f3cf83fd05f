"""Take in a document: three verdicts, once each, then what it does to what is known already."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from lxml import etree
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from broadcasts.bulletins import chains, national, policy
from broadcasts.bulletins.gist import Gist, of_alert
from broadcasts.bulletins.models import Bulletin, BulletinState, Door, Envelope, TrustedSender
from broadcasts.bulletins.placing import Placed, land_of, place
from broadcasts.bulletins.policy import Course, Trust
from broadcasts.bulletins.words import title_of
from broadcasts.cap import signatures
from broadcasts.cap.document import CapAlert, MsgType
from broadcasts.cap.examining import Examined, examine
from broadcasts.cap.findings import Finding, Stage, Verdict, verdict
from broadcasts.cap.limits import USUAL, Limits
from broadcasts.cap.signatures import Signed
from hub.audit import log
from hub.core.actor import Actor, Scope
from hub.regions.tree import common, path_of

MOST_STORED = 200
"""Findings kept of one document."""


@dataclass(frozen=True, slots=True)
class Source:
    """By what way a document came, and to which part of the tree it may speak."""

    door: Door
    home_path: str
    by_name: str
    feed_id: UUID | None = None
    only_known: bool = False
    """Whether senders that the hub does not know are refused."""


@dataclass(frozen=True)
class Received:
    """What became of a document. `document` is None only for what was not worth keeping: an old entry of a feed."""

    document: Envelope | None
    bulletins: tuple[Bulletin, ...]
    verdicts: dict[str, str]
    findings: tuple[Finding, ...]
    again: bool = False
    """The very same document came before."""

    @property
    def refused(self) -> bool:
        """Whether anything speaks against it."""
        return Verdict.INVALID.value in self.verdicts.values()


@dataclass(frozen=True)
class Judged:
    """A document with everything that is known of it before it is stored."""

    raw: bytes
    fingerprint: bytes
    verdicts: dict[str, str]
    findings: tuple[Finding, ...]
    alert: CapAlert | None = None
    gists: tuple[Gist, ...] = ()
    signed: Signed = Signed.NONE


def receive_cap(session: Session, source: Source, data: bytes, *, now: datetime, limits: Limits = USUAL) -> Received:
    """Judge a CAP document and let it do what it is for. What speaks against it is in the answer, never raised."""
    examined = examine(data, limits)
    if examined.alert is None or examined.root is None:
        return _keep_refused(session, source, _unsound(data, examined), now)
    trusted = trusted_sender(session, examined.alert.sender)
    signed = _signature(examined.root, trusted, now)
    judged = Judged(
        raw=data,
        fingerprint=_fingerprint(examined.root),
        verdicts={"schema": examined.schema.value, "prose": examined.prose.value},
        findings=examined.findings,
        alert=examined.alert,
        gists=of_alert(examined.alert, issuer=trusted.name if trusted else ""),
        signed=signed,
    )
    return take_in(session, source, judged, trusted, now=now)


def receive_national(
    session: Session, source: Source, raw: Mapping[str, Any], data: bytes, *, now: datetime
) -> Received:
    """Judge a message of the national platform and let it do what it is for."""
    found = national.read(raw)
    stage = verdict(Stage.SCHEMA, found.findings)
    judged = Judged(
        raw=data,
        fingerprint=hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).digest(),
        verdicts={"schema": stage.value, "prose": Verdict.SKIPPED.value, "policy": Verdict.SKIPPED.value},
        findings=found.findings,
    )
    if found.alert is None:
        return _keep_refused(session, source, judged, now)
    trusted = trusted_sender(session, found.alert.sender)
    gists = of_alert(found.alert, issuer=trusted.name if trusted else "")
    verdicts = {"schema": stage.value, "prose": Verdict.VALID.value}
    return take_in(
        session, source, replace(judged, verdicts=verdicts, alert=found.alert, gists=gists), trusted, now=now
    )


def take_in(
    session: Session, source: Source, judged: Judged, trusted: TrustedSender | None, *, now: datetime
) -> Received:
    """Apply this hub's own rules to a sound document, then let it do what it is for."""
    alert = judged.alert
    assert alert is not None  # noqa: S101 - sound documents have one
    key = _key(alert)
    before = session.scalar(select(Envelope).where(Envelope.key == key))
    if before is not None:
        return _again(session, source, judged, before, now)
    own = list(policy.of_envelope(alert, _trust(trusted, judged.signed), now=now))
    if source.only_known and trusted is None:
        own.append(Finding(Stage.POLICY, "policy_sender_refused", "/alert/sender"))
    course = policy.course(alert.status, alert.scope, alert.msg_type)
    placed: tuple[Placed, ...] = ()
    if course is not Course.TAKE_BACK:
        own += policy.of_gists(judged.gists, alert.msg_type, now=now)
    if course is Course.PROPOSE:
        land = land_of(session, _reach(source, trusted))
        placed = tuple(place(gist, land) for gist in judged.gists)
        own += _of_places(placed)
    if course is Course.TAKE_BACK:
        own += chains.of_cancel(session, alert)
    elif alert.msg_type is MsgType.UPDATE:
        own += chains.of_update(session, alert)
    judged = _with(judged, own)
    if verdict(Stage.POLICY, own) is Verdict.INVALID:
        return _keep_refused(session, source, judged, now)
    document = _store(session, source, judged, now, key=key)
    bulletins = _act(session, document, judged, placed, course, now)
    _record(session, source, document, bulletins, now)
    return Received(document, tuple(bulletins), judged.verdicts, judged.findings)


def purge(session: Session, *, older_than: datetime) -> int:
    """Forget documents that were refused before; return how many. Nothing was made from them."""
    late = delete(Envelope).where(Envelope.key.is_(None), Envelope.received_at < older_than).returning(Envelope.id)
    return len(session.scalars(late).all())


def trusted_sender(session: Session, sender: str) -> TrustedSender | None:
    """Return what the hub knows of a sender."""
    return session.scalar(select(TrustedSender).where(TrustedSender.sender == sender))


def _signature(root: etree._Element, trusted: TrustedSender | None, now: datetime) -> Signed:
    return signatures.verify(root, trusted.certificate if trusted else "", now=now)


def _trust(trusted: TrustedSender | None, signed: Signed) -> Trust:
    if trusted is None:
        return Trust(signed=signed)
    return Trust(known=True, needs_signature=trusted.needs_signature, signed=signed)


def _reach(source: Source, trusted: TrustedSender | None) -> str:
    """Return where a document may speak: where both its way and its sender may."""
    if trusted is None or source.home_path.startswith(trusted.home_path):
        return source.home_path
    return trusted.home_path if trusted.home_path.startswith(source.home_path) else source.home_path


def _of_places(placed: Sequence[Placed]) -> list[Finding]:
    """Return what the places say. One part that means nobody here is no error while another one does."""
    found = [finding for one in placed for finding in one.findings if finding.code != "policy_area_nothing"]
    if placed and not any(one.codes for one in placed):
        found += [f for f in placed[0].findings if f.code == "policy_area_nothing"]
    return found


def _act(
    session: Session, document: Envelope, judged: Judged, placed: Sequence[Placed], course: Course, now: datetime
) -> list[Bulletin]:
    alert = judged.alert
    assert alert is not None  # noqa: S101 - see take_in
    if course is Course.TAKE_BACK:
        return chains.cancel(session, alert, now=now)
    if course is Course.NOTE:
        noted = [_bulletin(document, n, gist, (), BulletinState.NOTED, now) for n, gist in enumerate(judged.gists)]
        session.add_all(noted)
        session.flush()
        return noted
    replaced = chains.replace_older(session, alert, now=now) if alert.msg_type is MsgType.UPDATE else []
    made = []
    for number, (gist, where) in enumerate(zip(judged.gists, placed, strict=True)):
        if where.codes:
            state = BulletinState.NOTED if gist.over else BulletinState.PROPOSED
            bulletin = _bulletin(document, number, gist, where.codes, state, now)
            bulletin.replaces_id = replaced[0].id if replaced else None
            session.add(bulletin)
            session.flush()
            chains.join(session, bulletin, document, now=now)
            made.append(bulletin)
    chains.close_empty(session, [old.incident_id for old in replaced], now=now)
    return made


def _bulletin(
    document: Envelope, part: int, gist: Gist, codes: Sequence[str], state: BulletinState, now: datetime
) -> Bulletin:
    paths = [path_of(code) for code in codes]
    return Bulletin(
        document_id=document.id,
        part=part,
        state=state,
        sender=gist.sender,
        identifier=gist.identifier,
        sent=gist.sent,
        purpose=gist.purpose.value,
        issuer=gist.issuer[:60],
        kind=gist.kind,
        hazard=gist.hazard or (gist.kind if gist.kind != "other" else gist.event[:20]),
        event=gist.event[:60],
        colour=gist.colour,
        title=title_of(gist, gist.colour),
        headline=gist.headline,
        description=gist.description,
        instruction=gist.instruction,
        codes=[{"name": code.name, "value": code.value} for code in gist.raw_codes],
        regions=list(codes),
        home_path=common(paths) if paths else document.home_path,
        begins=gist.begins,
        ends=gist.ends,
        ends_assumed=gist.ends_assumed,
        over=gist.over,
        received_at=now,
    )


def _again(session: Session, source: Source, judged: Judged, before: Envelope, now: datetime) -> Received:
    if before.fingerprint == judged.fingerprint:
        known = session.scalars(select(Bulletin).where(Bulletin.document_id == before.id).order_by(Bulletin.part))
        found = tuple(Finding.from_json(item) for item in before.findings)
        return Received(before, tuple(known), before.verdicts, found, again=True)
    finding = Finding(Stage.POLICY, "policy_identity_reused", "/alert/identifier")
    return _keep_refused(session, source, _with(judged, [finding]), now)


def _with(judged: Judged, own: Sequence[Finding]) -> Judged:
    verdicts = {**judged.verdicts, "policy": verdict(Stage.POLICY, own).value}
    return replace(judged, verdicts=verdicts, findings=(*judged.findings, *own))


def _unsound(data: bytes, examined: Examined) -> Judged:
    verdicts = {"schema": examined.schema, "prose": examined.prose, "policy": Verdict.SKIPPED}
    return Judged(
        raw=data,
        fingerprint=hashlib.sha256(data).digest(),
        verdicts={name: found.value for name, found in verdicts.items()},
        findings=examined.findings,
    )


def _keep_refused(session: Session, source: Source, judged: Judged, now: datetime) -> Received:
    """Keep what was refused once, so that somebody can see why; what a feed carries along from earlier is not news."""
    wrong = {finding.code for finding in judged.findings if not finding.warning}
    if source.door is Door.FEED and wrong <= {"policy_over_already", "policy_sender_refused", "policy_area_nothing"}:
        return Received(None, (), judged.verdicts, judged.findings)
    before = session.scalar(
        select(Envelope).where(Envelope.key.is_(None), Envelope.fingerprint == judged.fingerprint).limit(1)
    )
    document = before or _store(session, source, judged, now, key=None)
    return Received(document, (), judged.verdicts, judged.findings, again=before is not None)


def _store(session: Session, source: Source, judged: Judged, now: datetime, *, key: bytes | None) -> Envelope:
    alert = judged.alert
    document = Envelope(
        key=key,
        fingerprint=judged.fingerprint,
        door=source.door,
        feed_id=source.feed_id,
        home_path=source.home_path,
        sender=alert.sender[:200] if alert else "",
        identifier=alert.identifier[:200] if alert else "",
        sent=alert.sent if alert else None,
        purpose=alert.msg_type.value if alert else "",
        status=alert.status.value if alert else "",
        signed=judged.signed.value,
        verdicts=judged.verdicts,
        findings=[finding.as_json() for finding in judged.findings[:MOST_STORED]],
        raw=judged.raw,
        received_at=now,
        by_name=source.by_name[:60],
    )
    session.add(document)
    session.flush()
    return document


def _key(alert: CapAlert) -> bytes:
    return hashlib.sha256(f"{alert.sender}\n{alert.identifier}\n{alert.sent.isoformat()}".encode()).digest()


def _fingerprint(root: etree._Element) -> bytes:
    return hashlib.sha256(signatures.bare(root)).digest()


def _record(session: Session, source: Source, document: Envelope, bulletins: Sequence[Bulletin], now: datetime) -> None:
    home = common([b.home_path for b in bulletins]) if bulletins else source.home_path
    actor = Actor(id=None, name=source.by_name, scopes=(Scope(home, frozenset()),), via="system")
    log.record(
        session,
        actor,
        "bulletin.receive",
        f"bulletin:{document.id}",
        home or source.home_path,
        now,
        title=bulletins[0].title if bulletins else document.purpose,
        number=document.identifier,
    )
