"""Which role holds which permission."""

from collections.abc import Mapping
from enum import StrEnum

from hub.core.actor import Permission


class Role(StrEnum):
    """What somebody is in their part of the tree."""

    COUNTY_ADMIN = "county_admin"
    CLERK = "clerk"
    APPROVER = "approver"
    SECRETARY = "secretary"
    DUTY_OFFICER = "duty_officer"
    VIEWER = "viewer"
    SOURCE = "source"
    """A programme of an authority that hands in warnings, and may do nothing else."""


P = Permission
PERMISSIONS_OF: Mapping[Role, frozenset[Permission]] = {
    Role.COUNTY_ADMIN: frozenset(Permission) - {P.COMPOSE, P.APPROVE, P.SHOUT},
    Role.CLERK: frozenset({P.SEE, P.COMPOSE, P.STOP, P.SEE_RESIDENTS, P.EDIT_RESIDENTS, P.EDIT_SPEAKERS}),
    Role.APPROVER: frozenset({P.SEE, P.APPROVE, P.SHOUT, P.STOP, P.EMERGENCY, P.DRILL, P.SEE_RESIDENTS, P.SEE_AUDIT}),
    Role.SECRETARY: frozenset({P.SEE, P.COMPOSE, P.SHOUT, P.STOP, P.SEE_RESIDENTS}),
    Role.DUTY_OFFICER: frozenset({P.SEE, P.SHOUT, P.STOP, P.EMERGENCY, P.DRILL}),
    Role.VIEWER: frozenset({P.SEE}),
    Role.SOURCE: frozenset({P.DELIVER_WARNINGS}),
}
"""A county administrator runs the system and answers for emergencies, but neither writes nor approves programmes:
whoever hands out rights must not be able to pass an announcement alone. Whoever answers for a place may speak to it
with their own voice; a clerk, who writes for others, may not: the words of a clerk go through an approval."""
