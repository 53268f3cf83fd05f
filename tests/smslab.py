"""Builders and fakes for residents and text messages: a small county, its people, a clock, a provider."""

import atexit
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import create_engine, insert
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.audience.selection import Audience
from broadcasts.sms.gateway import (
    Accepted,
    Caps,
    Found,
    GatewayContext,
    Objection,
    SmsGateway,
    Submission,
    SubmitResult,
    WebhookRequest,
)
from broadcasts.sms.gateways import local_models
from broadcasts.sms.models import SmsRun
from broadcasts.sms.providers.routing import Routes, routes_of
from broadcasts.sms.reports import Inbound, Receipt
from broadcasts.sms.sending import outbox
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Lane, Priority
from hub.audit import models as audit_models
from hub.core.actor import Actor, Permission, Scope
from hub.core.clock import Clock
from hub.core.config import Section
from hub.core.db import Base, Sessions, make_engine
from hub.core.secrets import Secrets, first_signing
from hub.core.way import RightOfWay
from hub.regions.models import Region
from hub.regions.tree import level_of, parent_code, path_of
from hub.residents.models import BlockedNumber, BlockReason, NumberKind, Phone, Resident, ResidentTag
from hub.residents.phones import PhoneSafe, normalise

assert local_models
assert audit_models

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Noon in Shanghai."""
SHANGHAI = ZoneInfo("Asia/Shanghai")
COUNTY = "539921000000"
EAST, WEST = "539921101000", "539921102000"
PINE, BRIDGE, WILLOW = "539921101001", "539921101002", "539921102001"
PINE_3 = "53992110100103"
NAMES = {
    COUNTY: "云岭县",
    EAST: "青石镇",
    WEST: "白水镇",
    PINE: "松林村",
    BRIDGE: "石桥村",
    WILLOW: "柳树村",
    PINE_3: "三组",
}
EVERYTHING = frozenset(Permission)
HOOK_TOKEN = "t" * 32
LAB_SECRETS = Secrets(
    origin="demo",
    session_key=b"s" * 32,
    phone_key=b"p" * 32,
    phone_index_key=b"i" * 32,
    signing=first_signing(b"g" * 32),
    broker_password="x",
)


def lab_safe() -> PhoneSafe:
    """Return a safe with known keys."""
    return PhoneSafe(LAB_SECRETS)


def fill_small_county(sessions: Sessions) -> Sessions:
    """Make every table, and put the small county in."""
    Base.metadata.create_all(sessions.engine)
    with sessions.begin() as session:
        for code, name in NAMES.items():
            session.add(
                Region(code=code, parent_code=parent_code(code), level=level_of(code), name=name, path=path_of(code))
            )
            session.flush()
    return sessions


def lab_sessions(path: Path) -> Sessions:
    """Return units of work on a new SQLite file with every table and the small county in it."""
    shutil.copy(_template(), path)
    return Sessions(make_engine(f"sqlite:///{path}"))


@cache
def _template() -> Path:
    """Make such a file once; copying it is much quicker than making tables."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "template.db"
    fill_small_county(Sessions(make_engine(f"sqlite:///{path}"))).engine.dispose()
    return path


def lab_actor(code: str = COUNTY, *permissions: Permission) -> Actor:
    """Return somebody with these permissions (none given: all) in one part of the tree."""
    held = frozenset(permissions) or EVERYTHING
    return Actor(id=uuid7(), name="somebody", scopes=(Scope(path_of(code), held),))


def somebody(
    session: Session,
    *numbers: str,
    name: str = "张三",
    region: str = PINE,
    tags: Sequence[str] = (),
    safe: PhoneSafe | None = None,
) -> Resident:
    """Put one resident into the database."""
    safe = safe or lab_safe()
    known = [normalise(number) for number in numbers]
    resident = Resident(
        region_code=region,
        region_path=path_of(region),
        name=name,
        created_at=NOON,
        phones=[Phone(index=safe.index(n.e164), sealed=safe.seal(n.e164), masked=n.masked, kind=n.kind) for n in known],
        tags=[ResidentTag(tag=tag) for tag in tags],
    )
    session.add(resident)
    session.flush()
    return resident


def mobile(i: int) -> str:
    """Return the i-th invented mobile number."""
    return f"+861380000{i:04d}" if i < 10_000 else f"+86139{i:08d}"


def crowd(sessions: Sessions, count: int, *, region: str = PINE, safe: PhoneSafe | None = None) -> None:
    """Put that many residents with a mobile each into the database, quickly."""
    safe = safe or lab_safe()
    ids = [uuid7() for _ in range(count)]
    with sessions.begin() as session:
        session.execute(
            insert(Resident),
            [
                {
                    "id": ids[i],
                    "region_code": region,
                    "region_path": path_of(region),
                    "name": f"村民{i}",
                    "away": False,
                    "created_at": NOON,
                }
                for i in range(count)
            ],
        )
        session.execute(
            insert(Phone),
            [
                {
                    "id": uuid7(),
                    "resident_id": ids[i],
                    "index": safe.index(mobile(i)),
                    "sealed": safe.seal(mobile(i)),
                    "masked": normalise(mobile(i)).masked,
                    "kind": NumberKind.MOBILE,
                }
                for i in range(count)
            ],
        )


def blocked(session: Session, number: str, reason: BlockReason) -> None:
    """Note that a number must not be written to."""
    session.add(BlockedNumber(index=lab_safe().index(normalise(number).e164), reason=reason, since=NOON))


def lab_settings(**given: object) -> SmsSettings:
    """Return settings, some of them changed."""
    return SmsSettings.model_validate({"signature": "青石镇", "same_text_minutes": 0, "most_a_day": 0} | given)


def lab_run(
    session: Session,
    *,
    broadcast_id: UUID | None = None,
    text: str = "明天上午停水",
    regions: Sequence[str] = (COUNTY,),
    tags: Sequence[str] = (),
    priority: Priority = Priority.ROUTINE,
    now: datetime = NOON,
    lasts: timedelta = timedelta(hours=6),
) -> SmsRun:
    """Plan the messages of a broadcast."""
    return outbox.plan_run(
        session,
        broadcast_id=broadcast_id or uuid7(),
        text=text,
        signature="青石镇",
        audience=Audience(tuple(regions), sms=True, tags=tuple(tags)),
        priority=priority,
        expires_at=now + lasts,
        settings=lab_settings(),
        now=now,
    )


@dataclass
class LabClock:
    """A clock that stands still until it is told to go on."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        """Return the present moment."""
        return self.now

    def pass_(self, **amount: float) -> None:
        """Let time pass."""
        self.now += timedelta(**amount)


def accept(submission: Submission) -> SubmitResult:
    """Take everybody."""
    return Accepted({person.ref: f"p-{person.ref[-12:]}-{submission.attempt}" for person in submission.people})


def always(result: SubmitResult) -> Callable[[Submission], SubmitResult]:
    """Return an answer that is the same for every call."""
    return lambda _: result


@dataclass
class LabGateway:
    """A provider that answers as it is told, and remembers every call."""

    answer: Callable[[Submission], SubmitResult] = accept
    caps: Caps = field(default_factory=lambda: Caps(max_per_call=10, receipts=True, inbound=True, query=False))
    name: str = "lab"
    calls: list[Submission] = field(default_factory=list)
    asked: list[Submission] = field(default_factory=list)
    knows: Callable[[Submission], Found | None] = lambda _: None
    objects: Callable[[str], Sequence[Objection]] = lambda _: ()
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def numbers(self) -> list[str]:
        """Every number that was ever called with, in order."""
        return [person.number for call in self.calls for person in call.people]

    def submit(self, submission: Submission) -> SubmitResult:
        """Remember the call and answer."""
        with self.lock:
            self.calls.append(submission)
        return self.answer(submission)

    def check(self, text: str) -> Sequence[Objection]:
        """Object to nothing, or to what it is told."""
        return self.objects(text)

    def query(self, submission: Submission) -> Found | None:
        """Say what is known."""
        self.asked.append(submission)
        return self.knows(submission)

    def verify(self, request: WebhookRequest) -> bool:
        """Nobody reports."""
        return False

    def parse_receipts(self, request: WebhookRequest, now: datetime) -> Sequence[Receipt]:
        """Nobody reports."""
        return ()

    def parse_inbound(self, request: WebhookRequest, now: datetime) -> Sequence[Inbound]:
        """Nobody writes."""
        return ()


def lab_context(
    sessions: Sessions | None = None,
    settings: SmsSettings | None = None,
    *sections: Section,
    base_url: str = "",
    clock: Clock | None = None,
) -> GatewayContext:
    """Return what a gateway is opened with."""
    return GatewayContext(
        settings or lab_settings(),
        sessions or Sessions(create_engine("sqlite://")),
        lab_safe(),
        clock or LabClock(),
        base_url,
        {type(section): section for section in sections},
        hook_token=HOOK_TOKEN,
    )


def lab_routes(*gateways: SmsGateway, calls_at_once: int = 8) -> Routes:
    """Return routes over these, the first preferred."""
    return routes_of({g.name: g for g in gateways}, [[(g.name, 1)] for g in gateways], calls_at_once)


@dataclass
class Lab:
    """A database, a provider, a clock, and pumps on them."""

    sessions: Sessions
    gateway: LabGateway
    clock: LabClock
    settings: SmsSettings
    pumps: dict[Lane, SmsPump] = field(default_factory=dict)
    others: list[LabGateway] = field(default_factory=list)
    """Further providers, each of the next rank."""
    made_routes: Routes | None = None
    way: RightOfWay = field(default_factory=RightOfWay)

    @property
    def routes(self) -> Routes:
        """The routes over its providers, made when first asked for."""
        if self.made_routes is None:
            gateways = [self.gateway, *self.others]
            self.made_routes = lab_routes(*gateways, calls_at_once=self.settings.calls_at_once)
        return self.made_routes

    def pump(self, lane: Lane = Lane.ORDINARY) -> SmsPump:
        """Return the pump of a lane."""
        if lane not in self.pumps:
            self.pumps[lane] = SmsPump(
                self.sessions,
                lab_safe(),
                self.routes,
                self.clock,
                self.settings,
                zone=SHANGHAI,
                lane=lane,
                way=self.way,
            )
        return self.pumps[lane]

    def work(self, lane: Lane = Lane.ORDINARY, *, steps: int = 200) -> None:
        """Let a pump work until it wants to rest."""
        for _ in range(steps):
            if self.pump(lane).step() > 0:
                return
        raise AssertionError("the pump never rested")

    def work_on(self, seconds: float, lane: Lane = Lane.ORDINARY, *, stride: float = 1.0) -> None:
        """Let a pump work while time passes."""
        gone = 0.0
        while gone < seconds:
            self.work(lane)
            self.clock.pass_(seconds=stride)
            gone += stride
        self.work(lane)
