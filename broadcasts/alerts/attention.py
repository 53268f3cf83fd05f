"""What the emergency desk has to say on the overview."""

from sqlalchemy.orm import Session

from broadcasts.alerts import service
from broadcasts.alerts.models import AlertState
from broadcasts.delivery.desk import Countdown
from hub.core.actor import Actor


def countdowns(session: Session, actor: Actor) -> list[Countdown]:
    """Return the emergencies that will sound in a moment where the actor may see them."""
    return [
        Countdown(alert.id, alert.title, alert.fires_at, alert.speakers_confirmed)
        for alert in service.live(session, actor)
        if alert.state is AlertState.ARMED
    ]
