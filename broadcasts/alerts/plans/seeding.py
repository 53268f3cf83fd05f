"""The demo's plans: the hub's own words for the whole county, signed by two of its people."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.alerts.plans import starting
from broadcasts.delivery.rules import Rules
from hub.accounts.actors import actor_for
from hub.accounts.models import Account
from hub.core.actor import Actor
from hub.core.runtime import Runtime
from hub.regions.models import Region
from hub.regions.tree import Level

WRITER = "editor"
SIGNERS = ("chief", "chief2")


def seed(runtime: Runtime) -> None:
    """Write, hand in and sign everything."""
    now, rules = runtime.now(), runtime.get(Rules)
    with runtime.sessions.begin() as session:
        county = session.scalars(select(Region.code).where(Region.level == Level.COUNTY)).first()
        if county is None:
            return
        starting.begin(session, _who(session, WRITER), county, signature=rules.sms.signature, now=now)
        starting.sign_all(session, county, [_who(session, login) for login in SIGNERS], now=now)


def _who(session: Session, login: str) -> Actor:
    account = session.scalars(select(Account).where(Account.login == login)).one()
    return actor_for(session, account, origin="demo")
