"""A township full of secrets: one row of every table that has an id, so that every address has something behind it."""

import re
from typing import Any
from uuid import UUID, uuid4

from builders import BRIDGE, NORTH, PASSWORD, the_actor
from conftest import NOON
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import Column, LargeBinary, String, Text, insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.types import JSON, Boolean, Date, DateTime, Float, Integer, TypeDecorator, Uuid
from uuid6 import uuid7
from werkzeug.routing import Rule
from werkzeug.wrappers import Response

from broadcasts.alerts.plans.models import PlanVersion
from broadcasts.audience.selection import Audience
from hub.accounts import service as accounts
from hub.accounts.models import Account
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM
from hub.core.db import Base, StateText
from hub.core.runtime import Runtime
from hub.regions.models import Region
from hub.regions.tree import path_of
from hub.speakers.models import Speaker
from schedules.models import Slot

SECRET = "机密"
"""Stands in every text of every seeded row."""
OTHER_NAMES = {"token_id": "api_token", "inbound_id": "sms_inbound", "hook_id": "webhook", "key_id": "api_token"}
"""Where the name in an address is not the table's."""
SHARED = "共用"
"""Stands instead in what belongs to the whole county: everybody sees it, and a stranger changes nothing of it."""
OF_ALL = ("sms_template", "sms_filing")
LEAST_SEEDED = 20
"""So many kinds of things must really be there for a walk over all of them to mean anything."""
OF_NO_PLACE = ("account", "hub_process")
"""Accounts are there already. The processes of the hub belong to no place: whoever looks after accounts sees them."""


A_TIME = "08:00"
"""Stands in what is just long enough for a time of day."""
MEANINGFUL: dict[str, Any] = {
    "audience": Audience((BRIDGE,)).as_json(),
    "regions": [BRIDGE],
    "bulletin.purpose": "Alert",
}
"""What pages could not show if it were made up."""


def seed(session: Session) -> dict[str, UUID]:
    """Put one row into every table with a UUID for its key; return table → id."""
    known: dict[str, Any] = {
        "account": the_actor(session, "clerk").id,
        "region": BRIDGE,
        "speaker": session.scalars(select(Speaker.id).where(Speaker.region_path.like(f"{path_of(BRIDGE)}%"))).first(),
    }
    found: dict[str, UUID] = {}
    north = Region.path.like(f"{path_of(NORTH)}%")
    session.execute(update(Region).where(north).values(name=SECRET + Region.name))
    for table in Base.metadata.sorted_tables:
        key = list(table.primary_key)
        if len(key) != 1 or not isinstance(key[0].type, Uuid) or table.name in OF_NO_PLACE:
            continue
        mark = SHARED if table.name in OF_ALL else SECRET
        row = {column.name: _value(column, known, mark) for column in table.columns if _needed(column)}
        row[key[0].name] = uuid7()
        try:
            with session.begin_nested():
                session.execute(insert(table).values(row))
        except (DBAPIError, LookupError):
            continue  # a rule of that table which made-up values break
        known[table.name] = found[table.name] = row[key[0].name]
    _tell_stories(session, known)
    account = session.scalars(select(Account).where(Account.login == "clerk")).one()
    return {**found, "account": account.id}


def _tell_stories(session: Session, known: dict[str, Any]) -> None:
    """Add what the hub never leaves out: a plan has a first version, a slot belongs to an announcement or a sheet."""
    session.execute(update(Slot).where(Slot.id == known["slot"]).values(announcement_id=known["announcement"]))
    table = PlanVersion.metadata.tables[PlanVersion.__tablename__]
    row = {column.name: _value(column, known, SECRET) for column in table.columns if _needed(column)}
    session.execute(insert(table).values(row))


def behind(argument: str, seeded: dict[str, UUID]) -> UUID | None:
    """Return the seeded row that an argument of an address speaks of."""
    name = OTHER_NAMES.get(argument, argument.removesuffix("_id"))
    fitting = [table for table in seeded if table == name or table.endswith(f"_{name}") or table == f"sms_{name}"]
    return seeded[min(fitting, key=len)] if fitting else None


def somebody_for_all(session: Session, region: str, *, name: str = "全能") -> Account:
    """Make the account `all`: somebody with every role there is, in one region."""
    grants = [(role, path_of(region)) for role in Role]
    return accounts.create_account(session, SYSTEM, login="all", name=name, password=PASSWORD, grants=grants, now=NOON)


def addresses(app: OpenAPI, runtime: Runtime) -> list[tuple[Rule, str]]:
    """Return every rule with an address that leads to something of the north, and how many kinds of things that are."""
    with runtime.sessions.begin() as session:
        seeded = seed(session)
    found, kinds = [], set()
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            values = {}
            for argument in rule.arguments:
                row = behind(argument, seeded)
                kinds |= {argument} if row else set()
                values[argument] = row or _made_up(argument, rule)
            built = rule.build(values)
            found.append((rule, built[1] if built else ""))
    assert len(kinds) >= LEAST_SEEDED, sorted(kinds)
    return [(rule, address) for rule, address in found if address]


def _made_up(argument: str, rule: Rule) -> object:
    converter = rule._converters[argument]
    if "UUID" in type(converter).__name__:
        return uuid4()
    if type(converter).__name__ == "AnyConverter":
        return min(str(item) for item in vars(converter)["items"])
    if "Integer" in type(converter).__name__:
        return 1
    known = {"code": BRIDGE, "speaker_id": "s1001-1", "digest": "a" * 64, "sha256": "a" * 64, "kind": "csv"}
    return known.get(argument, "clerk")


def rows_of_the_north(session: Session) -> dict[str, set[str]]:
    """Return everything that speaks of the north, table by table: what a stranger must not change, add or take away."""
    marks = (NORTH[:9], SECRET, SHARED)
    found: dict[str, set[str]] = {}
    for table in Base.metadata.sorted_tables:
        if table.name in ("sign_in", "sign_in_guard"):
            continue
        # A refused warning is kept as it was sent, at the place of whoever sent it: what stands in it is the sender's.
        columns = [column for column in table.c if (table.name, column.name) != ("bulletin_document", "raw")]
        texts = (repr(tuple(row)) for row in session.execute(select(*columns)))
        found[table.name] = {text for text in texts if any(mark in text for mark in marks)}
    return found


def _needed(column: Column[Any]) -> bool:
    # A nullable column stays empty, so that no rule about who did what is broken by chance; texts are always filled.
    return not column.nullable or isinstance(column.type, String | Text)


def _value(column: Column[Any], known: dict[str, Any], mark: str) -> Any:
    for key in column.foreign_keys:
        return known.get(key.column.table.name)
    for name in (column.name, f"{column.table.name}.{column.name}"):
        if name in MEANINGFUL:
            return MEANINGFUL[name]
    if column.type.__class__ is String and column.type.length == len(A_TIME):
        return A_TIME
    if column.name.endswith("path"):
        return path_of(BRIDGE)
    if isinstance(column.type, StateText):
        return next(iter(column.type.kind))
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    return _plain(kind, column, mark)


def _plain(kind: Any, column: Column[Any], mark: str) -> Any:
    values: list[tuple[Any, Any]] = [
        (Uuid, uuid7()),
        (LargeBinary, uuid7().bytes * 2),
        (JSON, _default(column)),
        (Boolean, False),
        (Integer, 1),
        (Float, 1.0),
        (DateTime, NOON),
        (Date, NOON.date()),
        (String, (mark + uuid7().hex)[: getattr(kind, "length", None) or 40]),
    ]
    return next((value for of, value in values if isinstance(kind, of)), None)


def _default(column: Column[Any]) -> Any:
    default = column.default
    made = default.arg(None) if default is not None and default.is_callable else None  # type: ignore[attr-defined]
    return made if isinstance(made, list | dict) else {}


FOREIGN_HOST = "evil.example"
"""Whoever asks under another name must not find it in any answer: it would be sent on to others."""


def unguarded(answer: Response, endpoint: str) -> list[str]:
    """Return what an answer lacks, whatever its status: headers, a way that stays here, silence about the asker."""
    headers, found = answer.headers, []
    if headers.get("X-Content-Type-Options") != "nosniff":
        found.append("nosniff")
    if "frame-ancestors 'none'" not in headers.get("Content-Security-Policy", ""):
        found.append("content policy")
    if headers.get("Referrer-Policy") != "same-origin":
        found.append("referrer policy")
    if endpoint != "static" and not {"no-store", "private"} & set(
        re.split(r"[,\s]+", headers.get("Cache-Control", ""))
    ):
        found.append(f"kept by caches: {headers.get('Cache-Control')}")
    if not headers.get("X-Request-Id"):
        found.append("request id")
    if not local(headers.get("Location", "/")):
        found.append(f"leads to {headers['Location']}")
    if FOREIGN_HOST in f"{headers}{answer.get_data()[:200_000]!r}":
        found.append("repeats the host it was asked under")
    kept = [cookie for cookie in headers.getlist("Set-Cookie") if not cookie.startswith("theme=")]  # no secret
    loose = [cookie for cookie in kept if not ({"HttpOnly", "SameSite=Lax"} <= flags(cookie) or ended(cookie))]
    return found + [f"loose cookie {cookie.partition('=')[0]}" for cookie in loose]


def local(where: str) -> bool:
    """Whether a redirect stays on this site."""
    return where.startswith("/") and not where.startswith(("//", "/\\"))


def ended(cookie: str) -> bool:
    """Whether it takes a cookie away."""
    return "Max-Age=0" in flags(cookie)


def flags(cookie: str) -> set[str]:
    """Return what a cookie is bound to."""
    return {part.strip() for part in cookie.split(";")[1:]}
