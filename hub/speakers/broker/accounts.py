"""Who may speak to the broker, and about what: one set of files that every broker understands."""

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hub.speakers.topics import DOWN, ROOT, UP, device_topic, is_device_id, is_region_code, region_command

ITERATIONS: Final = 101
KEY_BYTES: Final = 64
ACCOUNTS: Final = "accounts.json"
PASSWORDS: Final = "passwords"
RIGHTS: Final = "acl"
HUB_NAME: Final = "hub"
CONSOLE_NAME: Final = "hub-console"
"""Whoever silences loudspeakers from the machine itself: each name is one connection, and the hub keeps its own."""
HUB_RIGHTS: Final = f"{ROOT}/#"


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    """One name at the broker. A device hears its own topics and its regions; a hub account everything.

    Each name is one connection: a second one with the same name takes the first one's place.
    """

    username: str
    password_hash: str
    is_hub: bool = False
    regions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_device_id(self.username):
            raise ValueError(f"{self.username!r} is not a name for a broker account")
        if not all(is_region_code(code) for code in self.regions):
            raise ValueError(f"the account {self.username!r} has a wrong region code")
        if not self.password_hash.startswith("$7$"):
            raise ValueError(f"the account {self.username!r} has no $7$ hash")

    def hears(self) -> frozenset[str]:
        """The exact topics a device may subscribe to."""
        own = {device_topic(self.username, kind) for kind in DOWN}
        return frozenset(own | {region_command(code) for code in self.regions})

    def says(self) -> frozenset[str]:
        """The exact topics a device may publish on."""
        return frozenset(device_topic(self.username, kind) for kind in UP)


def new_secret() -> str:
    """A password for a device or a hub: 128 random bits."""
    return secrets.token_urlsafe(16)


def hash_password(password: str, *, iterations: int = ITERATIONS) -> str:
    """PBKDF2-SHA512 in mosquitto's `$7$` form. Few iterations are enough for random 128-bit secrets only."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, KEY_BYTES)
    return f"$7${iterations}${_text(salt)}${_text(digest)}"


def check_password(password: str, hashed: str) -> bool:
    """Whether the password made that hash."""
    try:
        _, kind, iterations, salt, digest = hashed.split("$")
        expected = base64.b64decode(digest, validate=True)
        given = hashlib.pbkdf2_hmac(
            "sha512", password.encode(), base64.b64decode(salt, validate=True), int(iterations), KEY_BYTES
        )
    except ValueError:
        return False
    return kind == "7" and hmac.compare_digest(given, expected)


def write_accounts(folder: Path, accounts: list[BrokerAccount]) -> None:
    """Replace all accounts. A running broker takes them over within two seconds and drops who is gone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = [account.username for account in accounts]
    if len(set(names)) != len(names):
        raise ValueError("two broker accounts have the same name")
    replace_file(folder / PASSWORDS, "".join(f"{each.username}:{each.password_hash}\n" for each in accounts))
    replace_file(folder / RIGHTS, rights_text(accounts))
    replace_file(folder / ACCOUNTS, json.dumps([_plain(account) for account in accounts]))


def read_accounts(folder: Path) -> list[BrokerAccount]:
    """The accounts as last written; ValueError when the file is damaged."""
    try:
        rows = json.loads((folder / ACCOUNTS).read_text(encoding="utf-8"))
        return [BrokerAccount(row["username"], row["hash"], row["hub"], tuple(row["regions"])) for row in rows]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / ACCOUNTS} does not hold broker accounts") from error


def hub_accounts(folder: Path, password: str) -> list[BrokerAccount]:
    """Return the hub's own accounts. A hash that is right stays: the broker ends connections whose hash changes."""
    try:
        known = {account.username: account.password_hash for account in read_accounts(folder)}
    except (OSError, ValueError):
        known = {}
    kept = {name: hashed for name, hashed in known.items() if check_password(password, hashed)}
    return [
        BrokerAccount(name, kept.get(name) or hash_password(password), is_hub=True) for name in (HUB_NAME, CONSOLE_NAME)
    ]


def rights_text(accounts: list[BrokerAccount]) -> str:
    """Mosquitto's acl_file: patterns for a device's own topics, then what each name may hear besides."""
    lines = [f"pattern read {ROOT}/dev/%u/{kind}" for kind in DOWN]
    lines += [f"pattern write {ROOT}/dev/%u/{kind}" for kind in UP]
    for account in accounts:
        lines.append(f"user {account.username}")
        if account.is_hub:
            lines.append(f"topic readwrite {HUB_RIGHTS}")
        lines += [f"topic read {region_command(code)}" for code in account.regions]
    return "\n".join(lines) + "\n"


def _plain(account: BrokerAccount) -> dict[str, object]:
    return {
        "username": account.username,
        "hash": account.password_hash,
        "hub": account.is_hub,
        "regions": list(account.regions),
    }


def replace_file(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    beside = path.with_suffix(".new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
