"""The hub's own secrets: made on first start, kept in a file that only its owner can read."""

import base64
import os
import secrets
import stat
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

FILE_NAME = "secrets.toml"


class SecretsError(Exception):
    """The secrets file cannot be used; the message says what to do."""


@dataclass(frozen=True, repr=False)
class Secrets:
    """Random values of this installation. Never printed: `repr` shows nothing."""

    origin: str
    """`demo` or `production`: a hub in production refuses secrets that a demo made."""
    session_key: bytes
    phone_key: bytes
    """AES-256 key for phone numbers at rest."""
    phone_index_key: bytes
    """HMAC key of the blind index by which a number is found without being readable."""
    signing_seed: bytes
    """Ed25519 seed; every command to a loudspeaker is signed with it."""
    broker_password: str
    """The hub's own password at the MQTT broker."""


def load_or_create(data_dir: Path, mode: str) -> Secrets:
    """Return the secrets in `data_dir`, making them if there are none. Raises SecretsError."""
    path = data_dir / FILE_NAME
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, _fresh(mode))
    found = _read(path)
    if mode == "production" and found.origin == "demo":
        raise SecretsError(
            f"{path} was made by a demo. A hub in production needs its own: use another data_dir, "
            "or delete the demo's folder first."
        )
    return found


def _fresh(mode: str) -> Secrets:
    return Secrets(
        origin=mode,
        session_key=secrets.token_bytes(32),
        phone_key=secrets.token_bytes(32),
        phone_index_key=secrets.token_bytes(32),
        signing_seed=secrets.token_bytes(32),
        broker_password=secrets.token_hex(16),
    )


def _write(path: Path, values: Secrets) -> None:
    lines = [
        "# Secrets of this hub. Keep this file private and in your backup: phone numbers cannot be read without it.\n"
    ]
    for item in fields(values):
        value = getattr(values, item.name)
        text = base64.b64encode(value).decode() if isinstance(value, bytes) else value
        lines.append(f'{item.name} = "{text}"\n')
    # O_EXCL: two hubs starting at once must not each write their own keys.
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> Secrets:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SecretsError(f"{path} can be read by others. Run: chmod 600 {path}")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))

        def key(name: str) -> bytes:
            return base64.b64decode(raw[name], validate=True)

        return Secrets(
            origin=str(raw["origin"]),
            session_key=key("session_key"),
            phone_key=key("phone_key"),
            phone_index_key=key("phone_index_key"),
            signing_seed=key("signing_seed"),
            broker_password=str(raw["broker_password"]),
        )
    except (KeyError, ValueError, TypeError, tomllib.TOMLDecodeError) as error:
        raise SecretsError(f"{path} is damaged ({type(error).__name__}). Restore it from your backup.") from None
