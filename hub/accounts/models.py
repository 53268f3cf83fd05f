"""Staff accounts, what they may do where, how they come in, and the keys of their programs."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship
from uuid6 import uuid7

from hub.core.db import Base, StateText


class SessionKind(StrEnum):
    """What a browser is signed in for."""

    WEB = "web"
    DUTY = "duty"
    """The computer on duty: twelve hours from the password on, its screen unlocked by a PIN."""


class Purpose(StrEnum):
    """What a one-time ticket is good for."""

    INVITE = "invite"
    RESET = "reset"
    SECOND = "second"
    """The password was right; the second factor is awaited."""
    PASSKEY_ADD = "passkey_add"
    """The answer of a passkey that was made: a row only says that it came, so that it cannot come again."""
    PASSKEY_IN = "passkey_in"
    """The same of one that signed in."""


class Account(Base):
    """A member of staff who can sign in. Without `password_hash` they have been invited and have not come yet."""

    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    login: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(40))
    password_hash: Mapped[str] = mapped_column(String(200))
    must_change: Mapped[bool] = mapped_column(default=False)
    """Somebody else set the password: the next thing to do is to choose one of one's own."""
    active: Mapped[bool] = mapped_column(default=True)
    demo: Mapped[bool] = mapped_column(default=False)
    """Made by the demo with a known password; a hub in production refuses to start while one is active."""
    language: Mapped[str] = mapped_column(String(2), default="zh")
    theme: Mapped[str] = mapped_column(String(5), default="auto")
    pin_hash: Mapped[str] = mapped_column(String(200), default="")
    """Of the four digits that unlock the screen on duty; empty until they are chosen."""
    second_secret: Mapped[bytes | None]
    """The sealed secret of the second factor; see `second`."""
    second_on: Mapped[bool] = mapped_column(default=False)
    second_step: Mapped[int] = mapped_column(BigInteger, default=0)
    """The last half minute whose code was used: none is good twice."""
    created_at: Mapped[datetime]
    last_sign_in_at: Mapped[datetime | None]
    grants: Mapped[list["RoleGrant"]] = relationship(back_populates="account", cascade="all, delete-orphan")


class RoleGrant(Base):
    """One role in one part of the tree. Which permissions it means, `role_book` says."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("account_id", "role", "region_path"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    role: Mapped[str] = mapped_column(String(24))
    region_path: Mapped[str] = mapped_column(String(64))
    account: Mapped[Account] = relationship(back_populates="grants")


class RoleRow(Base):
    """What the county changed about a role, or a role of its own: `plus` and `minus` what the program gives it."""

    __tablename__ = "role"

    key: Mapped[str] = mapped_column(String(24), primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    plus: Mapped[list[str]]
    minus: Mapped[list[str]]
    changed_by: Mapped[str] = mapped_column(String(60))
    changed_at: Mapped[datetime]


class SignIn(Base):
    """One signed-in browser. Only the hash of its token is kept, so that the table is no key to the house."""

    __tablename__ = "sign_in"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    kind: Mapped[SessionKind] = mapped_column(StateText(SessionKind), default=SessionKind.WEB)
    device: Mapped[str] = mapped_column(String(40), default="")
    """What kind of browser it said it was, for the person's own list."""
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    locked_at: Mapped[datetime | None]
    pin_failures: Mapped[int] = mapped_column(default=0)
    origin: Mapped[str] = mapped_column(String(60), default="")


class SignInGuard(Base):
    """How often somebody failed lately: under one login, from one address, or in one known browser (see `throttle`)."""

    __tablename__ = "sign_in_guard"

    bucket: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
    locked_until: Mapped[datetime | None]


class Ticket(Base):
    """Something that opens a door once: an invitation, a reset, the step between password and second factor."""

    __tablename__ = "ticket"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    purpose: Mapped[Purpose] = mapped_column(StateText(Purpose))
    duty: Mapped[bool] = mapped_column(default=False)
    made_by: Mapped[str] = mapped_column(String(60), default="")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """One of the codes on paper that stand in for a lost second factor; each is good once."""

    __tablename__ = "recovery_code"

    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    used_at: Mapped[datetime | None]


class Passkey(Base):
    """What is known of a passkey: its public half. The private one never leaves the telephone, computer or key."""

    __tablename__ = "passkey"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1023), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(2000))
    sign_count: Mapped[int] = mapped_column(BigInteger, default=0)
    name: Mapped[str] = mapped_column(String(40), default="")
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class Delegation(Base):
    """Somebody is away, and another approves in their place: for a time, no more than they themselves may."""

    __tablename__ = "delegation"
    __table_args__ = (CheckConstraint("from_id <> to_id", name="to_another"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    from_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    to_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(60))
    made_by_name: Mapped[str] = mapped_column(String(60))
    made_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class ApiToken(Base):
    """A key for programs: acts as its account, no further than the account may and `permissions` allow."""

    __tablename__ = "api_token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    permissions: Mapped[list[str]] = mapped_column(default=list)
    """Which permissions it may use; empty: whatever the account holds."""
    test: Mapped[bool] = mapped_column(default=False)
    """Everything is checked and answered, nothing is done."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    used_from: Mapped[str] = mapped_column(String(60), default="")
    revoked_at: Mapped[datetime | None]


class IdempotencyKey(Base):
    """The answer already given to a request, so that sending it twice does it once."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("account_id", "key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("account.id"))
    key: Mapped[str] = mapped_column(String(80))
    request_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int] = mapped_column(default=0)
    """0 while the first request is still being worked on."""
    body: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(index=True)
