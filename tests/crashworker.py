"""A process that pumps messages to a counting provider until they are all out, unless it is killed before.

Arguments: database file, address of the provider, lane, seconds its clock is ahead.
"""

import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta

import requests
from smslab import SHANGHAI, LabGateway, lab_routes, lab_safe, lab_settings
from sqlalchemy import select

from broadcasts.sms.gateway import Accepted, Submission, SubmitResult, Unknown
from broadcasts.sms.models import SmsRun
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane, RunState
from hub.core.clock import utc_now
from hub.core.db import Sessions, make_engine

PEOPLE_PER_CALL = 5
CALLS_AT_ONCE = 4


@dataclass
class HttpGateway(LabGateway):
    """Posts numbers and refs to the counting provider, once."""

    address: str = ""
    session: requests.Session = field(default_factory=requests.Session)

    def submit(self, submission: Submission) -> SubmitResult:
        """Make the one attempt."""
        form = {
            "To": ",".join(person.number for person in submission.people),
            "Ref": ",".join(person.ref for person in submission.people),
        }
        try:
            answer = self.session.post(self.address, data=form, timeout=(1, 1.5))
        except requests.RequestException:
            return Unknown("connection_lost")
        if answer.status_code != 201:
            return Unknown(f"http_{answer.status_code}")
        sid = answer.json()["sid"]
        return Accepted({person.ref: f"{sid}.{i}" for i, person in enumerate(submission.people)})


def main(database: str, address: str, lane: Lane, ahead: timedelta) -> None:
    """Pump until every run is over."""
    sessions = Sessions(make_engine(f"sqlite:///{database}"))
    settings = lab_settings(
        lease_s=5,
        connect_timeout_s=1,
        answer_timeout_s=1.5,
        calls_at_once=CALLS_AT_ONCE,
        emergency_resend_after_s=1,
        window_from="00:00",
        window_until="23:59:59.999999",
    )
    gateway = HttpGateway(address=address, name="counting")
    gateway.caps = type(gateway.caps)(max_per_call=PEOPLE_PER_CALL, receipts=False, inbound=False, query=False)
    routes = lab_routes(gateway, calls_at_once=CALLS_AT_ONCE)
    pump = SmsPump(
        sessions,
        lab_safe(),
        routes,
        lambda: utc_now() + ahead,
        settings,
        zone=SHANGHAI,
        lane=lane,
    )
    while True:
        rest = pump.step()
        with sessions.read() as session:
            if set(session.scalars(select(SmsRun.state))) == {RunState.DONE}:
                return
        time.sleep(min(rest, 0.05))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Lane(sys.argv[3]), timedelta(seconds=float(sys.argv[4])))
