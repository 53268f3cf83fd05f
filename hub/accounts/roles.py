"""What a role may hold: the roles that come with the program, and the rules that no county can change away."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from hub.core.actor import Permission


class Role(StrEnum):
    """The roles that come with the program. A county may change them and add its own; see `role_book`."""

    COUNTY_ADMIN = "county_admin"
    CLERK = "clerk"
    APPROVER = "approver"
    SECRETARY = "secretary"
    DUTY_OFFICER = "duty_officer"
    VIEWER = "viewer"
    SOURCE = "source"
    """A programme of an authority that hands in warnings, and may only look besides."""


P = Permission
PERMISSIONS_OF: Mapping[Role, frozenset[Permission]] = {
    Role.COUNTY_ADMIN: frozenset(Permission) - {P.COMPOSE, P.APPROVE, P.SHOUT},
    Role.CLERK: frozenset({P.SEE, P.COMPOSE, P.STOP, P.SEE_RESIDENTS, P.EDIT_RESIDENTS, P.ANSWER, P.EDIT_SPEAKERS}),
    Role.APPROVER: frozenset(
        {P.SEE, P.APPROVE, P.SHOUT, P.STOP, P.EMERGENCY, P.DRILL, P.SEE_RESIDENTS, P.ANSWER, P.SEE_AUDIT}
    ),
    Role.SECRETARY: frozenset({P.SEE, P.COMPOSE, P.SHOUT, P.STOP, P.SEE_RESIDENTS, P.ANSWER}),
    Role.DUTY_OFFICER: frozenset({P.SEE, P.SHOUT, P.STOP, P.EMERGENCY, P.DRILL, P.ANSWER}),
    Role.VIEWER: frozenset({P.SEE}),
    Role.SOURCE: frozenset({P.SEE, P.DELIVER_WARNINGS}),
}
"""A county administrator runs the system and answers for emergencies, but neither writes nor approves programmes:
whoever hands out rights must not be able to pass an announcement alone. Whoever answers for a place may speak to it
with their own voice; a clerk, who writes for others, may not: the words of a clerk go through an approval."""

HANDED_ON: frozenset[Permission] = frozenset({P.COMPOSE, P.APPROVE, P.SHOUT})
"""What an administrator never holds and may hand out all the same: it is kept from them so that nobody passes an
announcement alone. Everything else nobody can give who does not hold it."""


def kept_apart(permissions: Iterable[Permission]) -> frozenset[Permission]:
    """Return what must not stand in one role together with the right to edit accounts."""
    held = frozenset(permissions)
    return held & HANDED_ON if P.EDIT_ACCOUNTS in held else frozenset()


def writes_and_approves(permissions: Iterable[Permission]) -> bool:
    """Return whether one role would both write and approve."""
    return {P.COMPOSE, P.APPROVE} <= frozenset(permissions)
