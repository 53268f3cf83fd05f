"""The embedded broker's doorkeepers: nobody without a name, and nobody beyond their own topics."""

import contextlib
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from amqtt.contexts import Action, BaseContext
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from hub.speakers.broker.accounts import ACCOUNTS, HUB_RIGHTS, BrokerAccount, check_password, read_accounts

log = logging.getLogger(__name__)


class Guard:
    """The accounts in force. `refresh` takes over a changed file; a damaged one changes nothing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: tuple[int, int] | None = None
        self._accounts: dict[str, BrokerAccount] = {}
        self._hears: dict[str, frozenset[str]] = {}
        self._says: dict[str, frozenset[str]] = {}
        self.refresh()

    def refresh(self) -> set[str]:
        """The names that are gone or have a new password."""
        stamp = self._stamp_now()
        if stamp is None or stamp == self._stamp:
            return set()
        try:
            accounts = {account.username: account for account in read_accounts(self._folder)}
        except (OSError, ValueError) as error:
            log.warning("the accounts file cannot be read, the old accounts stay: %s", error)
            return set()
        old, self._accounts, self._stamp = self._accounts, accounts, stamp
        devices = {name: account for name, account in accounts.items() if not account.is_hub}
        self._hears = {name: account.hears() for name, account in devices.items()}
        self._says = {name: account.says() for name, account in devices.items()}
        return {
            name
            for name, before in old.items()
            if name not in accounts or accounts[name].password_hash != before.password_hash
        }

    def admits(self, username: str | None, password: str | None, will_topic: str | None) -> bool:
        """Whether the password is right and the last will goes where the name may speak."""
        account = self._accounts.get(username or "")
        if account is None or not password or not check_password(password, account.password_hash):
            return False
        return will_topic is None or self.may_say(account.username, will_topic)

    def may_say(self, username: str | None, topic: str) -> bool:
        """Whether the name may publish on that topic."""
        account = self._accounts.get(username or "")
        if account is None:
            return False
        return _is_ours(topic) if account.is_hub else topic in self._says[account.username]

    def may_hear(self, username: str | None, topic: str) -> bool:
        """Whether the name may subscribe to that filter, or be sent that topic."""
        account = self._accounts.get(username or "")
        if account is None:
            return False
        return _is_ours(topic) if account.is_hub else topic in self._hears[account.username]

    def _stamp_now(self) -> tuple[int, int] | None:
        with contextlib.suppress(FileNotFoundError):
            stat = (self._folder / ACCOUNTS).stat()
            return stat.st_mtime_ns, stat.st_ino
        return None


def _is_ours(topic: str) -> bool:
    return topic.startswith(HUB_RIGHTS.removesuffix("#"))


@lru_cache
def guard_of(folder: str) -> Guard:
    """The one guard of a folder of accounts."""
    return Guard(Path(folder))


@dataclass
class GuardConfig:
    """Where the accounts are."""

    folder: str


class Doorkeeper(BaseAuthPlugin):  # type: ignore[misc]  # amqtt has no types
    """Lets in who has an account."""

    Config = GuardConfig

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._guard = guard_of(self._get_config_option("folder"))

    async def authenticate(self, *, session: Session) -> bool | None:
        """No account, no entry: there are no anonymous clients."""
        will = session.will_topic if session.will_flag else None
        return self._guard.admits(session.username, session.password, will)


class Usher(BaseTopicPlugin):  # type: ignore[misc]  # amqtt has no types
    """Keeps everyone to their own topics."""

    Config = GuardConfig

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self._guard = guard_of(self._get_config_option("folder"))

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        """Exact topics for devices, everything of ours for the hub."""
        if session is None or topic is None:
            return False
        if action is Action.PUBLISH:
            return self._guard.may_say(session.username, topic)
        return self._guard.may_hear(session.username, topic)
