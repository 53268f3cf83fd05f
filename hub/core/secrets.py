"""The hub's own secrets: made on first start, kept in a file that only its owner can read."""

import base64
import contextlib
import json
import os
import secrets
import stat
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

FILE_NAME = "secrets.toml"
FIRST_KEY = "h1"
LOCK_S = 30.0
NOT_PLAIN = frozenset({"signing", "newer_phone_keys"})
HEAD = "# Secrets of this hub. Keep this file private and in your backup: phone numbers cannot be read without it.\n"


class SecretsError(Exception):
    """The secrets file cannot be used; the message says what to do."""


@dataclass(frozen=True, repr=False)
class Signing:
    """The Ed25519 keys by which loudspeakers know this hub, each a name and a 32-byte seed.

    `keys` are those that loudspeakers are told to accept; `active` signs. `archive` are dropped ones, kept only as long
    as a loudspeaker that has not heard of any other may still come back. `made` says when each key that ever was came
    into being (ms UTC), so that no name is used twice.
    """

    active: str
    keys: Mapping[str, bytes]
    archive: Mapping[str, bytes] = field(default_factory=dict)
    made: Mapping[str, int] = field(default_factory=dict)

    @property
    def active_seed(self) -> bytes:
        """The seed of the key that signs."""
        return self.keys[self.active]


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
    broker_password: str
    """The hub's own password at the MQTT broker."""
    signing: Signing
    """The keys that sign every command to a loudspeaker, as they were at the start. See `read_signing`."""
    newer_phone_keys: tuple[bytes, ...] = ()
    """Keys that came after `phone_key`, the newest first: it seals. See `read_phone_keys`."""

    @property
    def phone_keys(self) -> tuple[bytes, ...]:
        """Every key by which numbers may be sealed, the newest first."""
        return (*self.newer_phone_keys, self.phone_key)

    @property
    def signing_seed(self) -> bytes:
        """The Ed25519 seed that signed at the start."""
        return self.signing.active_seed


def first_signing(seed: bytes) -> Signing:
    """Return the keys of a hub that has only ever had one."""
    return Signing(active=FIRST_KEY, keys={FIRST_KEY: seed}, made={FIRST_KEY: 0})


def load_or_create(data_dir: Path, mode: str) -> Secrets:
    """Return the secrets in `data_dir`, making them if there are none. Raises SecretsError."""
    path = data_dir / FILE_NAME
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(path, _fresh(mode))
    return _fitting(path, mode)


def look(data_dir: Path, mode: str) -> None:
    """Raise SecretsError when there are secrets that `load_or_create` would refuse; nothing is made."""
    path = data_dir / FILE_NAME
    if path.exists():
        _fitting(path, mode)


def _fitting(path: Path, mode: str) -> Secrets:
    found = _read(path)
    if mode == "production" and found.origin == "demo":
        raise SecretsError(
            f"{path} was made by a demo. A hub in production needs its own: use another data_dir, "
            "or delete the demo's folder first."
        )
    return found


def read_signing(data_dir: Path) -> Signing:
    """Return the signing keys as they are now: a command may have changed them beside a running hub."""
    return _read(data_dir / FILE_NAME).signing


def read_phone_keys(data_dir: Path) -> tuple[bytes, ...]:
    """Return the keys of phone numbers as they are now, the newest first."""
    return _read(data_dir / FILE_NAME).phone_keys


def add_phone_key(data_dir: Path) -> None:
    """Make a key that seals phone numbers from now on. Raises SecretsError.

    The one before still opens them; those before it are forgotten, so no number may hang on them. The first stays:
    secrets of webhooks are sealed by what comes from it.
    """
    path = data_dir / FILE_NAME
    with _locked(path):
        values = _read(path)
        changed = replace(values, newer_phone_keys=(secrets.token_bytes(32), *values.newer_phone_keys[:1]))
        _replace(path, _text(_plain(changed), changed.signing))


def signing_stamp(data_dir: Path) -> tuple[int, int]:
    """Return what changes whenever the file is written; (0, 0) when there is none."""
    try:
        found = (data_dir / FILE_NAME).stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


def change_signing(data_dir: Path, change: Callable[[Signing], Signing]) -> Signing:
    """Replace the signing keys, one writer at a time; everything else in the file stays. Raises SecretsError."""
    path = data_dir / FILE_NAME
    with _locked(path):
        values = _read(path)
        signing = change(values.signing)
        if signing.active not in signing.keys:
            raise SecretsError("the key that signs must be among the keys")
        _replace(path, _text({**_plain(values)}, signing))
    return signing


def _fresh(mode: str) -> Secrets:
    return Secrets(
        origin=mode,
        session_key=secrets.token_bytes(32),
        phone_key=secrets.token_bytes(32),
        phone_index_key=secrets.token_bytes(32),
        broker_password=secrets.token_hex(16),
        signing=first_signing(secrets.token_bytes(32)),
    )


def _plain(values: Secrets) -> dict[str, str]:
    found = {item.name: getattr(values, item.name) for item in fields(values) if item.name not in NOT_PLAIN}
    plain = {name: _base64(value) if isinstance(value, bytes) else value for name, value in found.items()}
    newer = " ".join(_base64(key) for key in values.newer_phone_keys)
    return {**plain, **({"newer_phone_keys": newer} if newer else {})}


def _text(plain: Mapping[str, str], signing: Signing) -> str:
    lines = [HEAD, *(f"{name} = {json.dumps(value)}\n" for name, value in plain.items())]
    lines += ["\n[signing]\n", f"active = {json.dumps(signing.active)}\n"]
    for title, seeds in (("keys", signing.keys), ("archive", signing.archive)):
        lines += [f"\n[signing.{title}]\n", *(f"{kid} = {json.dumps(_base64(seed))}\n" for kid, seed in seeds.items())]
    lines += ["\n[signing.made]\n", *(f"{kid} = {moment}\n" for kid, moment in signing.made.items())]
    return "".join(lines)


def _create(path: Path, values: Secrets) -> None:
    # Two hubs starting at once must not each write their own keys, and neither may read what is half written.
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    _write(beside, _text(_plain(values), values.signing))
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(beside)
    beside.unlink()


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, text: str) -> None:
    """Write beside, then rename: after a power cut the file is the old one or the new one, never half of it."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    _write(beside, text)
    beside.replace(path)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_suffix(".lock")
    if lock.exists() and time.time() - lock.stat().st_mtime > LOCK_S:
        lock.unlink(missing_ok=True)  # left behind by a command that was killed
    try:
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise SecretsError(f"Another command is changing {path}. Try again in {LOCK_S:.0f} seconds.") from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _read(path: Path) -> Secrets:
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise SecretsError(f"{path} can be read by others. Run: chmod 600 {path}")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        return Secrets(
            origin=str(raw["origin"]),
            session_key=_bytes(raw["session_key"]),
            phone_key=_bytes(raw["phone_key"]),
            phone_index_key=_bytes(raw["phone_index_key"]),
            broker_password=str(raw["broker_password"]),
            signing=_signing(raw),
            newer_phone_keys=tuple(_seed(text) for text in str(raw.get("newer_phone_keys", "")).split()),
        )
    except (KeyError, ValueError, TypeError, AttributeError, tomllib.TOMLDecodeError) as error:
        raise SecretsError(f"{path} is damaged ({type(error).__name__}). Restore it from your backup.") from None


def _signing(raw: Mapping[str, Any]) -> Signing:
    """Read the keys; a file from before there could be several holds one seed."""
    if "signing" not in raw:
        return first_signing(_seed(raw["signing_seed"]))
    table = raw["signing"]
    found = Signing(
        active=str(table["active"]),
        keys={kid: _seed(text) for kid, text in table["keys"].items()},
        archive={kid: _seed(text) for kid, text in table.get("archive", {}).items()},
        made={kid: int(moment) for kid, moment in table.get("made", {}).items()},
    )
    found.active_seed  # noqa: B018 - a file whose active key is missing is damaged: KeyError
    return found


def _seed(text: object) -> bytes:
    found = _bytes(text)
    if len(found) != 32:
        raise ValueError("a seed has 32 bytes")
    return found


def _bytes(text: object) -> bytes:
    return base64.b64decode(str(text), validate=True)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
