"""What can become of a message to one person, what may follow what, and which report counts."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum


class Priority(IntEnum):
    """Who goes first. Emergencies have a lane of their own, ignore opting-out, and go at any hour."""

    EMERGENCY = 0
    DRILL = 1
    ROUTINE = 2


class Lane(StrEnum):
    """Which messages a pump takes."""

    EMERGENCY = "emergency"
    ORDINARY = "ordinary"


class RunState(StrEnum):
    """How far the messages of one broadcast are, all together."""

    EXPANDING = "expanding"
    GOING = "going"
    CANCELLED = "cancelled"
    DONE = "done"


class SubmissionState(StrEnum):
    """How far one call to the provider is."""

    LEASED = "leased"
    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    DROPPED = "dropped"
    """Never made: the worker died before it, or everybody in it was called off."""


class MessageState(StrEnum):
    """How far the message to one person is, as far as the hub knows."""

    CREATED = "created"
    LEASED = "leased"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    SENT = "sent"
    NO_RECEIPT = "no_receipt"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why nobody was written to, or why it did not work. Providers' own codes stand beside it."""

    NOT_SMSABLE = "not_smsable"
    OPTED_OUT = "opted_out"
    TOPIC_OPTED_OUT = "topic_opted_out"
    AWAY_UNASKED = "away_unasked"
    AWAY_REFUSED = "away_refused"
    DAILY_LIMIT = "daily_limit"
    SAME_TEXT = "same_text"
    WRONG_NUMBER = "wrong_number"
    INVALID_NUMBER = "invalid_number"
    CARRIER_BLOCKED = "carrier_blocked"
    REJECTED = "rejected"
    TEMPORARY = "temporary"
    UNREADABLE = "unreadable"


S = MessageState
REPORTED = frozenset({S.SENT, S.UNDELIVERED, S.DELIVERED})
"""The states a provider's report can name."""
FOLLOWS: Mapping[MessageState, frozenset[MessageState]] = {
    # A message that waits for its second try can still be reported on from the first.
    S.CREATED: frozenset({S.LEASED, S.CANCELLED, S.EXPIRED, S.UNKNOWN, S.FAILED}) | REPORTED,
    S.LEASED: frozenset({S.CREATED, S.SUBMITTING, S.CANCELLED, S.EXPIRED, S.UNKNOWN, S.FAILED}) | REPORTED,
    S.SUBMITTING: frozenset({S.CREATED, S.UNKNOWN, S.FAILED}) | REPORTED,
    S.UNKNOWN: frozenset({S.CREATED, S.FAILED}) | REPORTED,
    S.SENT: frozenset({S.NO_RECEIPT, S.UNDELIVERED, S.DELIVERED}),
    S.NO_RECEIPT: frozenset({S.UNDELIVERED, S.DELIVERED}),
    S.UNDELIVERED: frozenset({S.DELIVERED}),
    S.FAILED: frozenset({S.DELIVERED}),
    S.CANCELLED: frozenset({S.DELIVERED}),
    S.EXPIRED: frozenset({S.DELIVERED}),
    S.SUPPRESSED: frozenset(),
    S.DELIVERED: frozenset(),
}
RANK: Mapping[MessageState, int] = {
    S.CREATED: 0,
    S.LEASED: 1,
    S.SUBMITTING: 2,
    S.UNKNOWN: 3,
    S.SENT: 4,
    S.NO_RECEIPT: 5,
    S.UNDELIVERED: 6,
    S.FAILED: 6,
    S.CANCELLED: 6,
    S.EXPIRED: 6,
    S.DELIVERED: 7,
    S.SUPPRESSED: 8,
}
"""A report only ever raises the rank; that somebody has it beats everything that was believed before."""
WAITING = frozenset({S.CREATED, S.LEASED})
"""Nothing of this try has left the hub: can be called off."""
IN_HAND = frozenset({S.CREATED, S.LEASED, S.SUBMITTING})
"""The hub still has to do something."""
BILLED = frozenset({S.SENT, S.NO_RECEIPT, S.UNDELIVERED, S.DELIVERED, S.UNKNOWN})
"""The provider took it, or may have: what it costs at most."""


def may_follow(current: MessageState, new: MessageState) -> bool:
    """Return whether a message may go from one state to the other."""
    return new in FOLLOWS[current]


def raises(current: MessageState, reported: MessageState) -> bool:
    """Return whether a provider's report changes what is known."""
    return reported in REPORTED and RANK[reported] > RANK[current]


def lower(reported: MessageState) -> frozenset[MessageState]:
    """Return the states a report of that kind changes."""
    return frozenset(state for state in MessageState if raises(state, reported))


def before(new: MessageState) -> frozenset[MessageState]:
    """Return the states from which `new` may be reached; every UPDATE names them in its condition."""
    return frozenset(state for state in MessageState if may_follow(state, new))
