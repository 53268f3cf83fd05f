"""A hub's pumps in a process whose name server never answers; see tests/broadcasts/sms/test_slow_names.py."""

import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from smslab import LabGateway, accept, crowd, lab_context, lab_routes, lab_run, lab_safe, lab_sessions, lab_settings
from sqlalchemy import func, select

from broadcasts.sms.gateway import Caps
from broadcasts.sms.gateways.sections import HttpSettings
from broadcasts.sms.gateways.sms_http import HttpGateway
from broadcasts.sms.models import SmsMessage
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane, MessageState, Priority
from hub.core.background import Loop
from hub.core.clock import utc_now
from hub.core.db import Sessions

PEOPLE = 20
WITHIN_S = 60.0


def sent(sessions: Sessions, run: object) -> int:
    """How many of a run's people a provider has taken."""
    taken = SmsMessage.state.not_in((MessageState.CREATED, MessageState.SUBMITTING))
    with sessions.read() as session:
        return session.scalar(select(func.count()).where(SmsMessage.broadcast_id == run, taken)) or 0


def seconds_until(sessions: Sessions, run: object) -> float:
    """Wait until everybody of a run was taken."""
    begin = time.monotonic()
    while sent(sessions, run) < PEOPLE:
        if time.monotonic() > begin + WITHIN_S:
            raise SystemExit("not all were sent")
        time.sleep(0.02)
    return time.monotonic() - begin


def main(name: str) -> None:
    """Send ordinary messages by way of a name that nobody answers for, and an emergency by way of an address."""
    with tempfile.TemporaryDirectory() as folder:
        sessions = lab_sessions(Path(folder) / "hub.db")
        crowd(sessions, PEOPLE)
        settings = lab_settings(calls_at_once=2, window_from="00:00", window_until="23:59")
        section = HttpSettings.model_validate({"url": f"http://{name}:8080/send", "reference": '"id": "([^"]+)"'})
        alone = Caps(max_per_call=1, receipts=True, inbound=True, query=False)
        named = LabGateway(HttpGateway(lab_context(None, settings, section)).submit, alone, "named")
        loops = []
        for lane, gateways in (
            (Lane.ORDINARY, [named, LabGateway(answer=accept, name="other")]),
            (Lane.EMERGENCY, [LabGateway(answer=accept, name="address")]),
        ):
            routes = lab_routes(*gateways, calls_at_once=2)
            zone = ZoneInfo("Asia/Shanghai")
            pump = SmsPump(sessions, lab_safe(), routes, utc_now, settings, zone=zone, lane=lane)
            loops.append(Loop(lane.value, pump.step))
        for loop in loops:
            loop.start()
        runs = {}
        for priority in (Priority.ROUTINE, Priority.EMERGENCY):
            with sessions.begin() as session:
                run = lab_run(
                    session, priority=priority, text=f"通知{priority}", now=utc_now(), lasts=timedelta(hours=1)
                )
                runs[priority] = run.broadcast_id
            if priority is Priority.ROUTINE:
                loops[0].kick()
                until = time.monotonic() + WITHIN_S
                while not named.calls and time.monotonic() < until:
                    time.sleep(0.01)
        loops[1].kick()
        emergency = seconds_until(sessions, runs[Priority.EMERGENCY])
        hanging = sent(sessions, runs[Priority.ROUTINE])
        routine = seconds_until(sessions, runs[Priority.ROUTINE])
        for loop in loops:
            loop.stop()
    sys.stdout.write(f"{emergency:.2f} {hanging} {routine:.2f} {len(named.calls)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
