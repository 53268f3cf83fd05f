"""The keys by which loudspeakers know this hub, and how one replaces another without a visit to every horn.

A loudspeaker accepts the keys its newest settings name. So a new key first travels in settings signed by an old one;
when everybody has taken it, it may sign; then the old one may go.
"""

import base64
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.core.errors import NotFound, WrongState
from hub.core.secrets import Signing, change_signing, read_signing, signing_stamp
from hub.speakers.envelope import SigningKey
from hub.speakers.models import Speaker, SpeakerState

log = logging.getLogger(__name__)

MOST: Final = 8
"""Keys that settings can carry."""
IN_TOUCH: Final = timedelta(days=30)
"""Whoever was silent for longer does not hold up a change of keys."""
MARGIN_MS: Final = 60_000
"""A running hub may give out papers without a new key for a moment after the key was made."""


class Knows(Protocol):
    """What must be known of a loudspeaker to tell which keys it accepts."""

    @property
    def enrolled_at(self) -> datetime:
        """When its device file or its papers were made."""
        ...

    @property
    def keys_taken(self) -> list[str]:
        """The keys in the settings it last said it follows."""
        ...


@dataclass(frozen=True, slots=True)
class Lacking:
    """A loudspeaker in service that has not taken a key."""

    id: str
    name: str
    in_touch: bool
    """Whether it was heard of lately."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key as a person sees it."""

    kid: str
    active: bool
    accepted: bool
    """False: it was dropped, and is only kept for loudspeakers that have heard of no other."""
    made_at: datetime | None
    lacking: tuple[Lacking, ...]


class KeyBook:
    """The keys of a running hub. `refresh` takes over what a command has changed in the secrets file."""

    def __init__(self, data_dir: Path, signing: Signing) -> None:
        self._data_dir = data_dir
        self._stamp = signing_stamp(data_dir)
        self._take(signing)

    @property
    def active(self) -> SigningKey:
        """The key that signs from now on. Ask for it every time: it can change under a running hub."""
        return self._keys[self.signing.active]

    def accepted(self) -> dict[str, str]:
        """The public keys that loudspeakers are to accept: name to base64."""
        return dict(self._accepted)

    def for_device(self, speaker: Knows) -> SigningKey:
        """Return a key that this loudspeaker accepts, for its settings; the active one if that may be."""
        known = known_to(speaker, self.signing)
        if self.signing.active in known:
            return self.active
        newest = sorted(known & self._keys.keys(), key=lambda kid: self.signing.made.get(kid, 0))
        return self._keys[newest[-1]] if newest else self.active

    def refresh(self) -> bool:
        """Read the file again if it was written; return whether the keys are others now."""
        stamp = signing_stamp(self._data_dir)
        if stamp == self._stamp:
            return False
        before, signing = self.signing, read_signing(self._data_dir)
        self._take(signing)
        self._stamp = stamp
        if signing == before:
            return False
        log.info("signing_keys_changed", extra={"active": signing.active, "accepted": sorted(signing.keys)})
        return True

    def _take(self, signing: Signing) -> None:
        everything = {**signing.archive, **signing.keys}
        self._keys = {kid: key_of(kid, seed) for kid, seed in everything.items()}
        self._accepted = {kid: self._keys[kid].public() for kid in signing.keys}
        self.signing = signing


def key_of(kid: str, seed: bytes) -> SigningKey:
    """Return the key with that name and seed."""
    return SigningKey.from_secret(kid, base64.b64encode(seed).decode())


def known_to(speaker: Knows, signing: Signing) -> frozenset[str]:
    """Return the names of the keys a loudspeaker accepts, as far as it has said, or as its papers told it."""
    if speaker.keys_taken:
        return frozenset(speaker.keys_taken)
    given_ms = round(speaker.enrolled_at.timestamp() * 1000)
    everything = {*signing.keys, *signing.archive}
    return frozenset(kid for kid in everything if _made(signing, kid) <= given_ms)


def _made(signing: Signing, kid: str) -> int:
    moment = signing.made.get(kid, 0)
    return moment + MARGIN_MS if moment else 0


def overview(session: Session, signing: Signing, *, now: datetime) -> list[KeyState]:
    """Return every key with the loudspeakers that have not taken it, oldest key first."""
    rows = _rows(session, (SpeakerState.ACTIVE,))
    found = []
    for kid in sorted({*signing.keys, *signing.archive}, key=lambda each: (signing.made.get(each, 0), each)):
        moment = signing.made.get(kid, 0)
        found.append(
            KeyState(
                kid=kid,
                active=kid == signing.active,
                accepted=kid in signing.keys,
                made_at=datetime.fromtimestamp(moment / 1000, now.tzinfo) if moment else None,
                lacking=_lacking(rows, {kid}, signing, now),
            )
        )
    return found


def new(data_dir: Path, *, seed: bytes, now: datetime) -> Signing:
    """Add a key that loudspeakers shall accept from now on; it does not sign yet."""

    def change(signing: Signing) -> Signing:
        if len(signing.keys) >= MOST:
            raise WrongState("too_many_keys", most=MOST)
        kid = next_name(signing)
        made = {**signing.made, kid: round(now.timestamp() * 1000)}
        return replace(signing, keys={**signing.keys, kid: seed}, made=made)

    return change_signing(data_dir, change)


def use(session: Session, data_dir: Path, kid: str, *, now: datetime, anyway: bool = False) -> Signing:
    """Let a key sign. WrongState names who has not taken it yet, unless `anyway`."""

    def change(signing: Signing) -> Signing:
        _require(signing, kid)
        if not anyway:
            _refuse_if_lacking(session, {kid}, signing, now)
        return replace(signing, active=kid)

    return change_signing(data_dir, change)


def drop(session: Session, data_dir: Path, kid: str, *, now: datetime, anyway: bool = False) -> Signing:
    """Tell loudspeakers to accept a key no longer. WrongState names who would be left without any, unless `anyway`."""

    def change(signing: Signing) -> Signing:
        _require(signing, kid)
        if kid == signing.active:
            raise WrongState("key_in_use", kid=kid)
        if not anyway:
            _refuse_if_lacking(session, signing.keys.keys() - {kid}, signing, now)
        return _without(session, kid, signing)

    return change_signing(data_dir, change)


def revoke(session: Session, data_dir: Path, kid: str) -> Signing:
    """Drop a key at once, whoever has taken what; another one signs if it was the active one.

    A loudspeaker that has heard of no other key can only be told by a message which that key signs: for it alone the
    key stays in the archive.
    """

    def change(signing: Signing) -> Signing:
        _require(signing, kid)
        others = [each for each in signing.keys if each != kid]
        if not others:
            raise WrongState("last_key", kid=kid)
        if kid == signing.active:
            newest = max(others, key=lambda each: signing.made.get(each, 0))
            signing = replace(signing, active=newest)
        return _without(session, kid, signing)

    return change_signing(data_dir, change)


def erase_unneeded(session: Session, data_dir: Path, signing: Signing) -> Signing:
    """Erase the dropped keys that no loudspeaker needs any more; return the keys that are left."""
    if not signing.archive or _needed(session, signing) >= signing.archive.keys():
        return signing

    def change(found: Signing) -> Signing:
        needed = _needed(session, found)
        return replace(found, archive={kid: seed for kid, seed in found.archive.items() if kid in needed})

    return change_signing(data_dir, change)


def next_name(signing: Signing) -> str:
    """Return a name that no key has ever had."""
    names = {*signing.keys, *signing.archive, *signing.made}
    numbers = [int(name[1:]) for name in names if name.startswith("h") and name[1:].isdigit()]
    return f"h{max(numbers, default=0) + 1}"


def _without(session: Session, kid: str, signing: Signing) -> Signing:
    keys = {name: seed for name, seed in signing.keys.items() if name != kid}
    dropped = replace(signing, keys=keys, archive={**signing.archive, kid: signing.keys[kid]})
    needed = _needed(session, dropped)
    return replace(dropped, archive={name: seed for name, seed in dropped.archive.items() if name in needed})


def _needed(session: Session, signing: Signing) -> set[str]:
    """The dropped keys that somebody still needs: who accepts none of those that are left."""
    needed: set[str] = set()
    for row in _rows(session, (SpeakerState.ACTIVE, SpeakerState.EXPECTED)):
        known = known_to(row, signing)
        if not known & signing.keys.keys():
            needed |= known & signing.archive.keys()
    return needed


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    name: str
    enrolled_at: datetime
    keys_taken: list[str]
    seen_at: datetime | None


def _rows(session: Session, states: Iterable[SpeakerState]) -> list[_Row]:
    found = session.execute(
        select(Speaker.id, Speaker.name, Speaker.enrolled_at, Speaker.keys_taken, Speaker.seen_at)
        .where(Speaker.state.in_(tuple(states)))
        .order_by(Speaker.id)
    )
    return [_Row(*row) for row in found]


def _lacking(rows: list[_Row], wanted: Iterable[str], signing: Signing, now: datetime) -> tuple[Lacking, ...]:
    keys = frozenset(wanted)
    return tuple(
        Lacking(row.id, row.name, row.seen_at is not None and row.seen_at >= now - IN_TOUCH)
        for row in rows
        if not keys & known_to(row, signing)
    )


def _refuse_if_lacking(session: Session, wanted: Iterable[str], signing: Signing, now: datetime) -> None:
    lacking = _lacking(_rows(session, (SpeakerState.ACTIVE,)), wanted, signing, now)
    late = [each for each in lacking if each.in_touch]
    if late:
        names = ", ".join(each.id for each in late[:20]) + (", …" if len(late) > 20 else "")
        raise WrongState("key_not_taken", count=len(late), speakers=names)


def _require(signing: Signing, kid: str) -> None:
    if kid not in signing.keys:
        raise NotFound("key_unknown", kid=kid)
