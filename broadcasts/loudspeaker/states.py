"""What became of one broadcast on one loudspeaker, and which report may change it."""

from collections.abc import Mapping
from enum import StrEnum


class PlayState(StrEnum):
    """How far a loudspeaker has come with a broadcast, as far as the hub knows."""

    QUEUED = "queued"
    SENT = "sent"
    RECEIVED = "received"
    FETCHED = "fetched"
    STARTED = "started"
    INTERRUPTED = "interrupted"
    EXPIRED = "expired"
    REFUSED = "refused"
    FAILED = "failed"
    STOPPED = "stopped"
    FINISHED = "finished"


RANK: Mapping[PlayState, int] = {
    PlayState.QUEUED: 0,
    PlayState.SENT: 1,
    PlayState.RECEIVED: 2,
    PlayState.FETCHED: 3,
    PlayState.STARTED: 4,
    PlayState.INTERRUPTED: 4,
    PlayState.EXPIRED: 6,
    PlayState.REFUSED: 6,
    PlayState.FAILED: 6,
    PlayState.STOPPED: 7,
    PlayState.FINISHED: 8,
}
FINAL = frozenset(s for s, rank in RANK.items() if rank >= 6)
OPEN = tuple(s for s in PlayState if s not in FINAL)
SILENT = (PlayState.QUEUED, PlayState.SENT)
"""Nothing was heard of it yet. Of a sent order `queued` becomes `sent` a little later (`Sender.note_after_s`)."""
HEARD = frozenset({PlayState.STARTED, PlayState.INTERRUPTED, PlayState.STOPPED, PlayState.FINISHED})
GUESSED = ("no_receipt", "no_end", "offline")
"""Reasons the hub writes by itself, knowing nothing."""
PRESUMED = (*GUESSED, "stopped_before", "called_off")
"""Reasons of ends that the hub writes down itself, until the loudspeaker's own word about it comes in, however late."""


def may_follow(current: PlayState, reported: PlayState) -> bool:
    """Return whether a report changes the state: only upwards, but playing and interrupted may take turns."""
    if current is reported:
        return False
    if RANK[current] == RANK[reported] == RANK[PlayState.STARTED]:
        return True
    return RANK[reported] > RANK[current]
