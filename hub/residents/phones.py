"""Telephone numbers: read what people type, show them half hidden, keep them so that only this hub can read them."""

import hashlib
import hmac
import os
import re
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import phonenumbers
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.core.errors import BadInput, Unavailable
from hub.core.secrets import Secrets


class NumberKind(StrEnum):
    """Whether a number can take a text message."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    OTHER = "other"


_JOINTS = re.compile(r"[\s\-‐-―−.()()·'’_]+")
_HOME_PREFIX = re.compile(r"(?:\+86|0086|86(?=1\d{10}$)|86(?=0\d{10}))")
_MOBILE = re.compile(r"1[3-9]\d{9}")
_LANDLINE = re.compile(r"0(?:(?:10|2\d)\d{8}|[3-9]\d{2}\d{7,8})")
_LANDLINE_WITHOUT_ZERO = re.compile(r"(?:(?:10|2\d)\d{8}|[3-9]\d{2}\d{7,8})")
_SHARED_COST = re.compile(r"[48]00\d{7}")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d{1,2}")
_TWO = re.compile(r"[/、,;|&和或]")
_KIND_ABROAD = {
    phonenumbers.PhoneNumberType.MOBILE: NumberKind.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberKind.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE: NumberKind.LANDLINE,
}
_PURPOSE = b"cunxiang phone number v1"
_NONCE = 12
LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class Number:
    """One number in E.164 (`+8613800001122`). Its `repr` hides it: numbers must not reach a log by accident."""

    e164: str = field(repr=False)
    kind: NumberKind

    @property
    def masked(self) -> str:
        """The number as it may be shown."""
        return mask(self.e164)


def normalise(text: str) -> Number:
    """Return the one number in `text`, however it was typed; BadInput says what is wrong without repeating it."""
    plain = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf").strip()
    if not plain:
        raise _wrong("phone_missing")
    if _SCIENTIFIC.fullmatch(plain):
        raise _wrong("phone_scientific")
    digits = _JOINTS.sub("", plain)
    if _TWO.search(digits):
        raise _wrong("phone_several")
    if not re.fullmatch(r"\+?\d+", digits, re.ASCII):
        raise _wrong("phone_not_digits")
    if digits.startswith("+") or (digits.startswith("00") and not digits.startswith("000")):
        return _international(digits)
    return _at_home(_HOME_PREFIX.sub("", digits, count=1) if _HOME_PREFIX.match(digits) else digits)


def mask(e164: str) -> str:
    """Return a number as it may be shown: `138****1122`, `0871-****456`, `+852****4567`."""
    if not e164.startswith("+86"):
        return f"{e164[:4]}****{e164[-4:]}" if len(e164) > 10 else f"{e164[:3]}****"
    national = e164[3:]
    if _MOBILE.fullmatch(national) or _SHARED_COST.fullmatch(national):
        return f"{national[:3]}****{national[-4:]}"
    area = national[:2] if national.startswith(("10", "2")) else national[:3]
    return f"0{area}-****{national[-3:]}"


class PhoneSafe:
    """Seals numbers with AES-256-GCM and finds them again by a keyed hash. A lost key file means lost numbers.

    `keys_now` says which keys there are, the newest first; a running hub learns of a new one by it.
    """

    def __init__(self, secrets: Secrets, keys_now: Callable[[], tuple[bytes, ...]] | None = None) -> None:
        self._ciphers = _ciphers(secrets.phone_keys)
        self._keys_now = keys_now
        self._known = secrets.phone_keys
        self._looked_at = time.monotonic()
        self._index_key = secrets.phone_index_key

    def seal(self, e164: str) -> bytes:
        """Return the number sealed; two sealings of one number look different."""
        self._look(LOOK_S)
        nonce = os.urandom(_NONCE)
        return nonce + self._ciphers[0].encrypt(nonce, e164.encode("ascii"), _PURPOSE)

    def open(self, sealed: bytes) -> str:
        """Return the number; Unavailable when it was sealed with another key or was damaged."""
        found = self._open(sealed)
        if found is None and self._look(0.0):
            found = self._open(sealed)
        if found is None:
            raise Unavailable("phone_unreadable")
        return found

    def is_newest(self, sealed: bytes) -> bool:
        """Whether the number was sealed with the newest key."""
        return _opened(self._ciphers[0], sealed) is not None

    def _open(self, sealed: bytes) -> str | None:
        return next((found for cipher in self._ciphers if (found := _opened(cipher, sealed)) is not None), None)

    def _look(self, after_s: float) -> bool:
        """Take over keys that a command has made meanwhile; whether there are any."""
        if self._keys_now is None or time.monotonic() - self._looked_at < after_s:
            return False
        self._looked_at = time.monotonic()
        keys = self._keys_now()
        if keys == self._known:
            return False
        self._known, self._ciphers = keys, _ciphers(keys)
        return True

    def index(self, e164: str) -> bytes:
        """Return the 16 bytes by which the number is found without being readable."""
        return hmac.digest(self._index_key, e164.encode("ascii"), hashlib.sha256)[:16]


def _ciphers(keys: tuple[bytes, ...]) -> tuple[AESGCM, ...]:
    return tuple(AESGCM(key) for key in keys)


def _opened(cipher: AESGCM, sealed: bytes) -> str | None:
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _PURPOSE).decode("ascii")
    except (InvalidTag, ValueError):
        return None


def _at_home(digits: str) -> Number:
    if _MOBILE.fullmatch(digits):
        return Number(f"+86{digits}", NumberKind.MOBILE)
    if _LANDLINE.fullmatch(digits):
        return Number(f"+86{digits[1:]}", NumberKind.LANDLINE)
    if _SHARED_COST.fullmatch(digits):
        return Number(f"+86{digits}", NumberKind.OTHER)
    raise _explain(digits)


def _explain(digits: str) -> BadInput:
    """Return what is wrong with digits that are no number."""
    if re.match(r"1[3-9]", digits) and len(digits) >= 9:
        return _wrong("phone_several") if len(digits) == 22 else _wrong("phone_wrong_length", count=len(digits))
    if digits.startswith("0"):
        return _wrong("phone_landline_length", count=len(digits))
    if len(digits) in (7, 8) and digits[0] in "2345678":
        return _wrong("phone_area_code_missing")
    if len(digits) < 7 or digits.startswith("106"):
        return _wrong("phone_service_number")
    return _wrong("phone_unknown")


def _international(digits: str) -> Number:
    if home := re.match(r"(?:\+|00)86", digits):
        rest = digits[home.end() :]
        return _at_home(f"0{rest}" if _LANDLINE_WITHOUT_ZERO.fullmatch(rest) and not _MOBILE.fullmatch(rest) else rest)
    try:
        parsed = phonenumbers.parse(digits if digits.startswith("+") else f"+{digits[2:]}")
    except phonenumbers.NumberParseException:
        raise _wrong("phone_foreign") from None
    if not phonenumbers.is_valid_number(parsed):
        raise _wrong("phone_foreign")
    kind = _KIND_ABROAD.get(phonenumbers.number_type(parsed), NumberKind.OTHER)
    return Number(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164), kind)


def _wrong(code: str, **params: object) -> BadInput:
    return BadInput(code, field="phone", **params)
