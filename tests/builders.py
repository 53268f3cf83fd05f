"""Plain functions that make what a test needs, with sensible values for everything it does not care about."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from broadcasts.alerts.plans import starting
from broadcasts.announcements import service as announcements
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.models import Announcement, When
from broadcasts.audience.selection import Audience
from broadcasts.kinds import Theme
from hub.accounts import service as accounts
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.accounts.roles import PERMISSIONS_OF, Role
from hub.core.actor import SYSTEM, Actor, Scope
from hub.regions import service as regions
from hub.regions.tree import path_of
from hub.speakers import registry
from hub.speakers.models import Speaker

EARLIER = datetime(2026, 11, 1, tzinfo=UTC)
PASSWORD = "correct-horse-7"
COUNTY = "990101000000"
NORTH, SOUTH = "990101001000", "990101002000"
"""Two townships; most tests live in the north, strangers come from the south."""
BRIDGE, HILL = "990101001001", "990101001002"
FERRY = "990101002001"
PEOPLE: dict[str, tuple[str, Role, str]] = {
    "clerk": ("北镇广播员", Role.CLERK, NORTH),
    "approver": ("北镇副镇长", Role.APPROVER, NORTH),
    "duty": ("北镇值班员", Role.DUTY_OFFICER, NORTH),
    "secretary": ("桥村村支书", Role.SECRETARY, BRIDGE),
    "viewer": ("北镇督查员", Role.VIEWER, NORTH),
    "stranger": ("南镇广播员", Role.CLERK, SOUTH),
    "strange_approver": ("南镇副镇长", Role.APPROVER, SOUTH),
    "strange_duty": ("南镇值班员", Role.DUTY_OFFICER, SOUTH),
    "county": ("县管理员", Role.COUNTY_ADMIN, COUNTY),
}


def a_county(session: Session) -> None:
    """Make a county of two townships and three villages with two loudspeakers each, and the PEOPLE."""
    for code, name in (
        (COUNTY, "试县"),
        (NORTH, "北镇"),
        (SOUTH, "南镇"),
        (BRIDGE, "桥村"),
        (HILL, "岭村"),
        (FERRY, "渡村"),
    ):
        regions.add_region(session, SYSTEM, code=code, name=name, now=EARLIER)
    for code in (BRIDGE, HILL, FERRY):
        for n in (1, 2):
            a_speaker(session, f"s{code[-4:]}-{n}", region=code)
    for login, (name, role, code) in PEOPLE.items():
        accounts.create_account(
            session,
            SYSTEM,
            login=login,
            name=name,
            password=PASSWORD,
            grants=[(role, path_of(code))],
            now=EARLIER,
        )


def an_actor(role: Role = Role.CLERK, region: str = NORTH, name: str = "clerk", id: UUID | None = None) -> Actor:  # noqa: A002
    """Return somebody with one role, who need not have an account."""
    return Actor(id=id or uuid7(), name=name, scopes=(Scope(path_of(region), PERMISSIONS_OF[role]),), origin="test")


def the_actor(session: Session, login: str) -> Actor:
    """Return the Actor of one of the PEOPLE."""
    account = session.scalars(select(Account).where(Account.login == login)).one()
    return actor_for(session, account, origin="test")


def a_speaker(session: Session, speaker_id: str, *, region: str = BRIDGE, online: bool = True) -> Speaker:
    """Enrol a loudspeaker."""
    speaker = registry.enrol(
        session, SYSTEM, speaker_id=speaker_id, name="村口", region_code=region, now=EARLIER
    ).speaker
    speaker.online = online
    speaker.seen_at = EARLIER
    return speaker


def a_draft(**given: object) -> Draft:
    """Return the fields of a compose form that could be submitted."""
    fields: dict[str, object] = {
        "title": "开会通知",
        "text": "明天下午14:30在村委会开会，请准时到。",
        "sms_text": "",
        "theme": Theme.NOTICE,
        "audience": Audience((NORTH,)),
        "when": When.NOW,
    }
    return Draft(**(fields | given))  # type: ignore[arg-type]


def an_announcement(session: Session, actor: Actor, *, now: datetime = EARLIER, **given: object) -> Announcement:
    """Write a draft as `actor`."""
    return announcements.create(session, actor, a_draft(**given), now=now)


def signed_plans(session: Session) -> None:
    """Give the whole county plans in force: the hub's own words, signed by two people who need not have accounts."""
    writer = an_actor(Role.CLERK, COUNTY, "县广播站编辑")
    signers = [an_actor(Role.APPROVER, COUNTY, name) for name in ("县应急局局长", "县应急局副局长")]
    starting.begin(session, writer, COUNTY, signature="村响", now=EARLIER)
    starting.sign_all(session, COUNTY, signers, now=EARLIER)
