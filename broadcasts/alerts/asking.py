"""The emergency desk for exactly these regions: nothing that was asked for is left out without a word."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from broadcasts.alerts.desk import Desk, lay_out
from broadcasts.alerts.forms import OWN, Choice
from broadcasts.alerts.hazards import hazard
from broadcasts.audience.selection import Audience
from broadcasts.kinds import Colour
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput
from hub.regions import service as regions


def ask(
    session: Session, actor: Actor, *, kind: str, colour: Colour, codes: Sequence[str], sms: bool, hushed: bool
) -> Desk:
    """Return the desk with that choice made. NotFound for a region that is not the actor's to call an emergency in."""
    hazard(kind)
    for code in codes:
        regions.get_region(session, actor, code, Permission.EMERGENCY)
    wanted = Audience(tuple(codes), sms=sms).checked().regions
    laid = lay_out(session, actor, Choice(kind, colour, OWN, wanted, sms), hushed=hushed)
    if laid.regions != wanted:
        raise BadInput("alert_needs_villages", field="regions")
    return laid
