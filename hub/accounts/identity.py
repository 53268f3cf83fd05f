"""Turn a cookie or token into a visitor, for the web room below."""

from flask import request
from sqlalchemy.orm import Session

from hub.accounts import service
from hub.accounts.models import Account
from hub.core.actor import Actor
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.web.work import Identity, Visitor, origin


def by_cookie(token: str) -> Visitor | None:
    """Return who a session cookie stands for; prolong the session when it was last noted a while ago."""
    now = runtime().now()
    with runtime().sessions.read() as session:
        found = service.find_session(session, token, now=now)
        if found is None:
            return None
        account, sign_in = found
        visitor = _visitor(session, account, via="web")
        stale = now - sign_in.seen_at > service.TOUCH_EVERY
    # A page that polls all night must not keep the session alive for whoever sits down next.
    if stale and request.headers.get("HX-Request") != "true":
        with runtime().sessions.begin() as session:
            service.touch(session, token, now=now)
    return visitor


def by_token(token: str) -> Visitor | None:
    """Return who an API token stands for."""
    with runtime().sessions.read() as session:
        account = service.account_by_token(session, token, now=runtime().now())
        return _visitor(session, account, via="api") if account else None


def remember_language(actor: Actor, language: str) -> None:
    """Keep the language a person chose."""
    with runtime().sessions.begin() as session:
        service.set_language(session, actor, language)


def remember_theme(actor: Actor, theme: str) -> None:
    """Keep whether a person likes it light, dark or as the device does."""
    with runtime().sessions.begin() as session:
        service.set_theme(session, actor, theme)


def _visitor(session: Session, account: Account, *, via: str) -> Visitor:
    actor = service.actor_for(account, origin=origin(), via=via)
    home = min((scope.path for scope in actor.scopes), key=len, default="")
    codes = codes_in(home)
    names = regions.names(session, set(codes))
    return Visitor(
        actor=actor,
        name=account.name,
        language=account.language,
        theme=account.theme,
        home_path=home,
        county_name=names.get(codes[0], "") if codes else "",
        unit_name=names.get(codes[-1], "") if codes else "",
    )


IDENTITY = Identity(
    by_cookie=by_cookie, by_token=by_token, remember_language=remember_language, remember_theme=remember_theme
)
