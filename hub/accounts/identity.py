"""Turn a cookie or token into a visitor, for the web room below."""

from flask import request
from sqlalchemy.orm import Session

from hub.accounts import service, sessions, tokens
from hub.accounts.actors import actor_for, home_of
from hub.accounts.models import Account, ApiToken, SessionKind, SignIn
from hub.core.actor import Actor
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.web.work import Identity, Visitor, origin


def by_cookie(token: str) -> Visitor | None:
    """Return who a session cookie stands for; prolong the session when it was last noted a while ago."""
    now = runtime().now()
    with runtime().sessions.read() as session:
        found = sessions.find_session(session, token, now=now)
        if found is None:
            return None
        account, sign_in = found
        visitor = _visitor(session, account, via="web", sign_in=sign_in)
        stale = now - sign_in.seen_at > sessions.TOUCH_EVERY and not sessions.is_locked(sign_in, now=now)
    # A page that polls all night must not keep the session alive for whoever sits down next.
    if stale and not _asks_again():
        with runtime().sessions.begin() as session:
            sessions.touch(session, token, now=now)
    return visitor


def by_token(token: str) -> Visitor | None:
    """Return who an API token stands for; note its use when that was last done a while ago."""
    now = runtime().now()
    with runtime().sessions.read() as session:
        found = tokens.by_token(session, token, now=now)
        if found is None:
            return None
        account, row = found
        visitor = _visitor(session, account, via="api", token=row)
    if tokens.is_stale(row, now=now):
        with runtime().sessions.begin() as session:
            tokens.note_use(session, row.id, origin=origin(), now=now)
    return visitor


def remember_language(actor: Actor, language: str) -> None:
    """Keep the language a person chose."""
    with runtime().sessions.begin() as session:
        service.set_language(session, actor, language)


def remember_theme(actor: Actor, theme: str) -> None:
    """Keep whether a person likes it light, dark or as the device does."""
    with runtime().sessions.begin() as session:
        service.set_theme(session, actor, theme)


def _visitor(
    session: Session, account: Account, *, via: str, sign_in: SignIn | None = None, token: ApiToken | None = None
) -> Visitor:
    now = runtime().now()
    only = token.permissions if token else ()
    actor = actor_for(session, account, origin=origin(), via=via, now=now, only=only)
    home = home_of(account)
    codes = codes_in(home)
    # A part of a page that asks again shows no frame.
    names = {} if _asks_again() else regions.names(session, set(codes))
    return Visitor(
        actor=actor,
        name=account.name,
        language=account.language,
        theme=account.theme,
        home_path=home,
        county_name=names.get(codes[0], "") if codes else "",
        unit_name=names.get(codes[-1], "") if codes else "",
        held_at=_held_at(account, sign_in) if sign_in else "",
        on_duty=sign_in is not None and sign_in.kind is SessionKind.DUTY,
        trial=token is not None and token.test,
    )


def _asks_again() -> bool:
    return request.headers.get("HX-Request") == "true"


def _held_at(account: Account, sign_in: SignIn) -> str:
    if sessions.is_locked(sign_in, now=runtime().now()):
        return "duty.locked"
    if account.must_change:
        return "own.renew"
    unset = sign_in.kind is SessionKind.DUTY and not account.pin_hash
    return "duty.choose_pin" if unset else ""


IDENTITY = Identity(
    by_cookie=by_cookie, by_token=by_token, remember_language=remember_language, remember_theme=remember_theme
)
