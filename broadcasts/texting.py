"""The pumps of text messages, in whichever process serves their lanes, and the forgetting of old numbers."""

from functools import partial

from broadcasts.delivery.last_said import last_said
from broadcasts.delivery.rules import Rules
from broadcasts.feedback.crying import CryingComplaints
from broadcasts.feedback.forgetting import ForgettingCallers
from broadcasts.pumps import Pumps
from broadcasts.sms.forgetting import Forgetting
from broadcasts.sms.gateway import PolledGateway, SteppingGateway
from broadcasts.sms.letters.answering import Answers, LastSaid
from broadcasts.sms.letters.crying import CryingLetters
from broadcasts.sms.letters.waking import Waking
from broadcasts.sms.polling import Poller
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.purposes import Limits
from broadcasts.sms.sending.pump import SmsPump
from broadcasts.sms.states import Lane
from hub.core.background import Background
from hub.core.db import moment
from hub.core.roles import WorkLane
from hub.core.runtime import Runtime
from hub.residents.phones import PhoneSafe
from hub.watching.processes import serving

SHARERS_S = 5.0


class _Threads:
    """The threads of the text-message pumps: let go of after their loops have stopped."""

    def __init__(self) -> None:
        self.pumps: list[SmsPump] = []

    def start(self) -> None:
        """Do nothing: they start when they are needed."""

    def stop(self) -> None:
        """Let go of them."""
        for pump in self.pumps:
            pump.close()


def add(runtime: Runtime, rules: Rules, pumps: Pumps) -> Background:
    """Add the pumps and all that goes with them; return what lets go of their threads at the end."""
    safe, provider = runtime.get(PhoneSafe), runtime.get(SmsProvider)
    threads = _Threads()
    posts = {Lane.EMERGENCY: WorkLane.EMERGENCY, Lane.ORDINARY: WorkLane.NORMAL}
    for lane in Lane:
        pump = SmsPump(
            runtime.sessions,
            safe,
            provider.routes,
            runtime.clock,
            rules.sms,
            zone=rules.zone,
            lane=lane,
            way=pumps.way,
        )
        threads.pumps.append(pump)
        patient = lane is not Lane.EMERGENCY
        pumps.add(f"sms-{lane.value}", pump.step, at=posts[lane], urgent=True, patient=patient)
    if not runtime.duties.whole:
        pumps.add("sms-sharers", partial(_count_sharers, runtime), at=(WorkLane.EMERGENCY, WorkLane.NORMAL))
    pumps.add("sms-answers", _answers(runtime, rules, safe).step, at=WorkLane.NORMAL)
    doors = (CryingLetters(), CryingComplaints())
    pumps.add("sms-waking", Waking(runtime.sessions, rules.sms, doors, clock=runtime.clock).step, at=WorkLane.EMERGENCY)
    for gateway in provider.gateways:
        if isinstance(gateway, SteppingGateway):
            pumps.add(f"{gateway.name}-gateway", gateway.step, at=WorkLane.NORMAL, alone=True)
        if isinstance(gateway, PolledGateway):
            pumps.add(
                f"{gateway.name}-reports",
                Poller(runtime.sessions, safe, gateway.name, gateway, runtime.clock).step,
                at=WorkLane.NORMAL,
                alone=True,
            )
    return threads


def _count_sharers(runtime: Runtime) -> float:
    """Ask how many send beside us. Emergencies are counted with the rest: too slow by half is better than refused."""
    with runtime.sessions.read() as session:
        now = moment(session, runtime.clock)
        most = max(serving(session, lane, now=now) for lane in (WorkLane.EMERGENCY, WorkLane.NORMAL))
    runtime.get(SmsProvider).routes.sharers = max(1, most)
    return SHARERS_S


def _answers(runtime: Runtime, rules: Rules, safe: PhoneSafe) -> Answers:
    return Answers(
        runtime.sessions,
        safe,
        rules.sms,
        LastSaid(last_said),
        clock=runtime.clock,
        day_began=Limits.of(rules.sms, rules.zone).day_began,
        spell=lambda moment: f"{moment.astimezone(rules.zone):%H:%M}",
    )


def forget_in_time(runtime: Runtime, rules: Rules, pumps: Pumps) -> None:
    """Add what forgets the numbers of people who have not been written to for long."""
    days = rules.sms.forget_numbers_after_d
    callers = ForgettingCallers(runtime.sessions, after_days=days, clock=runtime.clock)
    pumps.add("forgetting-callers", callers.step, at=WorkLane.BULK, alone=True)
    forgetting = Forgetting(runtime.sessions, rules.sms, clock=runtime.clock)
    pumps.add("forgetting", forgetting.step, at=WorkLane.BULK, alone=True)
