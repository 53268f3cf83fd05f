"""Accounts and rights for a broker that is not ours: files its operator copies to it."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from hub.speakers.broker.accounts import PASSWORDS, RIGHTS, BrokerAccount, check_password, replace_file, rights_text
from hub.speakers.topics import ROOT

try:
    import bcrypt
except ImportError:  # an extra: only a NATS cluster needs it
    bcrypt = None  # type: ignore[assignment]

NATS_USERS: Final = "users.conf"
NATS_DELIVERIES: Final = "$MQTT.sub.>"
"""Where a NATS server hands over what a client subscribed to with QoS 1; no client may name it as a topic."""
ROUNDS: Final = 5
"""bcrypt's cost. Few rounds are enough for random 128-bit secrets, and thousands of devices come back at once."""
KNOWN: Final = re.compile(r"^ *# (?P<name>\S+) (?P<stamp>[0-9a-f]{16}) (?P<hash>\$2[aby]\$\S{56})$", re.MULTILINE)


class CannotExport(Exception):
    """The files cannot be made; the message says what to do."""


def export_mosquitto(folder: Path, accounts: Sequence[BrokerAccount]) -> None:
    """Write mosquitto's password_file and acl_file."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(folder / PASSWORDS, "".join(f"{each.username}:{each.password_hash}\n" for each in accounts))
    replace_file(folder / RIGHTS, rights_text(list(accounts)))


def export_nats(folder: Path, accounts: Sequence[BrokerAccount], passwords: Mapping[str, str]) -> list[str]:
    """Write the users of a NATS account; return who is left out because the password is not known.

    NATS understands no hash that the hub keeps, so it needs the passwords themselves once, as they stand in the device
    files. What an earlier run has written is taken over as long as the password has not changed since.
    """
    if bcrypt is None:
        raise CannotExport("NATS needs hashes by bcrypt: pip install bcrypt, then try again")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = _known(folder / NATS_USERS)
    lines, missing = [], []
    for account in accounts:
        made = _hash(account, passwords.get(account.username), known)
        if made is None:
            missing.append(account.username)
            continue
        lines += [f"  # {account.username} {_stamp(account)} {made}", f"  {json.dumps(nats_user(account, made))}"]
    replace_file(folder / NATS_USERS, "\n".join(["users: [", *lines, "]", ""]))
    return missing


def nats_user(account: BrokerAccount, password_hash: str) -> dict[str, object]:
    """One user of a NATS account: MQTT only, and only the topics that are the account's own."""
    everything = f"{subject(ROOT)}.>"
    says = [everything] if account.is_hub else sorted(map(subject, account.says()))
    hears = [everything] if account.is_hub else sorted(map(subject, account.hears()))
    return {
        "user": account.username,
        "password": password_hash,
        "allowed_connection_types": ["MQTT"],
        "permissions": {"publish": {"allow": says}, "subscribe": {"allow": [*hears, NATS_DELIVERIES]}},
    }


def subject(topic: str) -> str:
    """The NATS subject of an MQTT topic without dots and wildcards."""
    return topic.replace("/", ".")


def _hash(account: BrokerAccount, password: str | None, known: Mapping[tuple[str, str], str]) -> str | None:
    before = known.get((account.username, _stamp(account)))
    if before is not None:
        return before
    if password is None or not check_password(password, account.password_hash):
        return None
    return str(bcrypt.hashpw(password.encode(), bcrypt.gensalt(ROUNDS)).decode("ascii"))


def _stamp(account: BrokerAccount) -> str:
    """What changes with the password: made from the hub's hash of it, which holds a salt."""
    return hashlib.sha256(account.password_hash.encode()).hexdigest()[:16]


def _known(path: Path) -> dict[tuple[str, str], str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return {(found["name"], found["stamp"]): found["hash"] for found in KNOWN.finditer(text)}
