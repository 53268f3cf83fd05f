"""The first person of a new hub: the code that proves they may read its console, their county, their account.

The code is no secret of its own: it follows from the hub's secrets, so that every process of a hub knows the same one
and nothing has to be kept. It is worth nothing as soon as there is an account.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.accounts import passwords, throttle
from hub.accounts import service as accounts
from hub.accounts.models import Account
from hub.accounts.roles import Role
from hub.accounts.throttle import Door
from hub.audit import log
from hub.core.actor import SYSTEM, Actor, Permission
from hub.core.errors import BadInput, NotAllowed, Problems, TooMany, WrongState
from hub.core.secrets import Secrets
from hub.core.typed import ALPHABET, LENGTH, read_code
from hub.regions import service as regions
from hub.regions.models import Region
from hub.regions.tree import Level, codes_in, level_of, path_of

_COUNTED_AS = "#first code"
"""No login can look like this, so wrong codes are counted by themselves."""
_SHORT = 6
_ANY_COUNTY = "100000000000"


@dataclass(frozen=True, slots=True)
class Opening:
    """What the first person says."""

    code: str
    county_code: str
    county_name: str
    name: str
    login: str
    password: str


def first_code(secrets: Secrets) -> str:
    """Return the code that opens this hub."""
    digest = hmac.new(secrets.session_key, b"cunxiang first run v1", hashlib.sha256).digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:LENGTH])


def is_untouched(session: Session) -> bool:
    """Return whether nobody has an account yet."""
    return not accounts.any_account(session)


def begin(
    session: Session, wish: Opening, secrets: Secrets, *, door: Door, now: datetime
) -> Account | TooMany | BadInput:
    """Make the county and its first administrator. What is wrong is returned, so that wrong codes stay counted."""
    if not is_untouched(session):
        raise WrongState("first_run_over")
    guesses = f"{_COUNTED_AS} {door.origin}"
    wait = throttle.wait_s(session, guesses, Door(origin=door.origin), now=now)
    if wait:
        return TooMany("sign_in_locked", seconds=wait, retry_after_s=wait)
    typed = read_code(wish.code) or ""
    if not hmac.compare_digest(typed.encode(), first_code(secrets).encode()):
        throttle.note_failure(session, guesses, Door(origin=door.origin), now=now)
        return BadInput("first_code_wrong", field="code")
    try:
        with session.begin_nested():
            return _made(session, wish, door, now)
    except BadInput as problem:
        return problem


def add_county(session: Session, actor: Actor, name: str, *, now: datetime) -> Region:
    """Add the county somebody administers by a command line's account before there was one."""
    if regions.roots(session):
        raise WrongState("first_run_over")
    counties = [path for path in actor.paths(Permission.EDIT_REGIONS) if len(codes_in(path)) == 1]
    if not counties:
        raise NotAllowed("not_allowed", permission=Permission.EDIT_REGIONS.value)
    return regions.add_region(session, actor, code=codes_in(counties[0])[0], name=name, now=now)


def county_code(typed: str) -> str:
    """Return the twelve digits of a county; BadInput when it is none. Six are enough."""
    digits = "".join(typed.split())
    code = digits + "0" * _SHORT if len(digits) == _SHORT else digits
    if level_of(code) is not Level.COUNTY:
        raise BadInput("county_code_malformed", field="county_code", code_given=typed[:20])
    return code


def _made(session: Session, wish: Opening, door: Door, now: datetime) -> Account:
    name = wish.county_name.strip()
    code, problems = _county(wish.county_code, name)
    if not wish.password:
        problems.append(BadInput("password_too_short", field="password", least=passwords.SHORTEST))
    try:
        grants = [(Role.COUNTY_ADMIN, path_of(code))]
        account = accounts.create_account(
            session, SYSTEM, login=wish.login, name=wish.name, password=wish.password, grants=grants, now=now
        )
    except BadInput as error:
        problems += error.problems if isinstance(error, Problems) else [error]
    if problems:
        raise Problems(problems)
    regions.add_region(session, SYSTEM, code=code, name=name, now=now)
    who = Actor(id=account.id, name=account.name, scopes=(), origin=door.origin)
    log.record(session, who, "hub.open", f"region:{code}", path_of(code), now, name=name)
    # From here on whoever else opens this hub at the same moment waits, and then finds that they are not the first.
    if session.scalar(select(func.count()).select_from(Account)) != 1:
        raise WrongState("first_run_over")
    return account


def _county(typed: str, name: str) -> tuple[str, list[BadInput]]:
    """Return the code of the county, or any, and what is wrong with code and name."""
    code, problems = _ANY_COUNTY, []
    try:
        code = county_code(typed)
    except BadInput:
        problems.append(BadInput("county_code_malformed", field="county_code", code_given=typed[:20]))
    if not name or len(name) > regions.NAME_LENGTH:
        problems.append(BadInput("region_name_missing", field="county_name", most=regions.NAME_LENGTH))
    return code, problems
