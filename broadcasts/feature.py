"""Plug announcements, emergencies, loudspeakers and text messages into the hub."""

from collections.abc import Sequence
from datetime import timedelta

from broadcasts.alerts import service as alerts
from broadcasts.alerts.voice import Warmer
from broadcasts.delivery import service as delivery
from broadcasts.delivery.quiet import QuietHours
from broadcasts.delivery.rules import Rules
from broadcasts.loudspeaker import receipts
from broadcasts.loudspeaker.sender import Sender
from broadcasts.pages import install_pages, provide_desks
from broadcasts.pumps import Pumps
from broadcasts.settings import BroadcastSettings, SpeechSettings
from broadcasts.sms.gateways.finding import find_gateway
from broadcasts.sms.gateways.gateway import GatewayContext
from broadcasts.sms.gateways.local import LocalGateway
from broadcasts.sms.provider import SmsProvider
from broadcasts.sms.pump import SmsPump
from broadcasts.sms.settings import SmsSettings
from broadcasts.sms.states import Lane
from broadcasts.speech.engine import load_engine
from broadcasts.speech.library import Library
from broadcasts.studio import LAST_RESORT, Studio
from hub.core.background import Background
from hub.core.feature import Feature
from hub.core.runtime import Runtime
from hub.residents.phones import PhoneSafe
from hub.speakers import presence
from hub.speakers.protocol import Beat, Receipt
from hub.speakers.settings import MqttSettings
from hub.speakers.station import Station

ALERT_TICK_S = 0.1
SETTLE_S = 2.0
SWEEP_S = 10.0


def provide(runtime: Runtime) -> None:
    """Offer rules, studio, station and what the pages ask for."""
    rules = runtime.provide(Rules, rules_of(runtime))
    runtime.provide(Pumps, Pumps())
    runtime.provide(PhoneSafe, PhoneSafe(runtime.secrets))
    studio = runtime.provide(Studio, open_studio(runtime))
    runtime.provide(Warmer, Warmer(runtime.sessions, studio))
    runtime.provide(SmsProvider, open_provider(runtime, rules))
    station = runtime.provide(Station, Station(runtime, rules.quiet.as_day()))
    station.on_receipts(lambda found: _note_receipts(runtime, found))
    station.on_beats(lambda found: _note_beats(runtime, found))
    provide_desks(runtime)


def rules_of(runtime: Runtime) -> Rules:
    """Return the county's rules from the configuration."""
    settings = runtime.config.section(BroadcastSettings)
    return Rules(
        quiet=QuietHours.of(settings.quiet_hours, runtime.zone),
        zone=runtime.zone,
        sms=runtime.config.section(SmsSettings),
        valid=timedelta(minutes=settings.routine_valid_minutes),
        emergency_valid=timedelta(minutes=settings.emergency_valid_minutes),
        countdown=timedelta(seconds=settings.countdown_seconds),
        daily_minutes=settings.daily_minutes,
    )


def open_studio(runtime: Runtime) -> Studio:
    """Return the studio with the configured engines, and the tone engine as an emergency's last resort."""
    settings = runtime.config.section(SpeechSettings)
    engines = {name: load_engine(name) for name in (*settings.engines, LAST_RESORT)}
    return Studio(Library(settings.cache_dir or runtime.config.data_dir / "sound", engines), settings)


def start(runtime: Runtime) -> Sequence[Background]:
    """Return broker and link first, then everything that sends."""
    rules, station, pumps = runtime.get(Rules), runtime.get(Station), runtime.get(Pumps)
    settings = runtime.config.section(BroadcastSettings)
    sender = Sender(
        runtime.sessions,
        station,
        station.key,
        clock=runtime.clock,
        base_url=lambda: runtime.base_url,
        lead_s=settings.prepare_seconds,
    )
    loop = pumps.add("loudspeakers", sender.step, urgent=True)

    def came_back(speaker_ids: Sequence[str]) -> None:
        sender.came_back(speaker_ids)
        loop.kick()

    station.on_came(came_back)
    _add_text_messages(runtime, rules, pumps)

    def fire() -> float:
        if alerts.fire_due(runtime.sessions, rules=rules, now=runtime.now()):
            pumps.kick()
        return ALERT_TICK_S

    def settle() -> float:
        with runtime.sessions.begin() as session:
            delivery.settle(session, now=runtime.now())
        return SETTLE_S

    def sweep() -> float:
        heartbeat = runtime.config.section(MqttSettings).heartbeat_seconds
        with runtime.sessions.begin() as session:
            presence.sweep(session, now=runtime.now(), heartbeat_s=heartbeat)
        return SWEEP_S

    warmer = runtime.get(Warmer)
    warmer.kick = pumps.add("alarm-voices", warmer.step).kick
    pumps.add("emergencies", fire)
    pumps.add("closing", settle)
    pumps.add("presence", sweep)
    return (station, *pumps.loops)


def open_provider(runtime: Runtime, rules: Rules) -> SmsProvider:
    """Return the configured provider of text messages. Raises GatewayError."""
    context = GatewayContext(
        settings=rules.sms,
        sessions=runtime.sessions,
        safe=runtime.get(PhoneSafe),
        clock=runtime.clock,
        base_url=runtime.base_url,
    )
    return SmsProvider(find_gateway(context))


def _add_text_messages(runtime: Runtime, rules: Rules, pumps: Pumps) -> None:
    safe, gateway = runtime.get(PhoneSafe), runtime.get(SmsProvider).gateway
    for lane in Lane:
        pump = SmsPump(runtime.sessions, safe, gateway, runtime.clock, rules.sms, zone=rules.zone, lane=lane)
        pumps.add(f"sms-{lane.value}", pump.step, urgent=True)
    if isinstance(gateway, LocalGateway):
        pumps.add("local-gateway", gateway.step)


def _note_receipts(runtime: Runtime, found: list[Receipt]) -> None:
    _note(runtime, [report for receipt in found if (report := receipts.from_receipt(receipt)) is not None])


def _note_beats(runtime: Runtime, found: list[Beat]) -> None:
    _note(runtime, [report for beat in found for report in receipts.from_beat(beat)])


def _note(runtime: Runtime, reports: list[receipts.Report]) -> None:
    if reports:
        with runtime.sessions.begin() as session:
            receipts.record(session, reports, now=runtime.now())


feature = Feature(
    name="broadcasts",
    settings=(BroadcastSettings, SpeechSettings, SmsSettings),
    provide=provide,
    plug_in=install_pages,
    start=start,
)
