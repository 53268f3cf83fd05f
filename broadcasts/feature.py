"""Plug announcements, emergencies, loudspeakers and text messages into the hub."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from broadcasts import echoes, examples, mornings, shifts, texting
from broadcasts.afterwards.settings import ApprovalSettings
from broadcasts.alerts import ending, firing
from broadcasts.alerts.calling import answering, telling
from broadcasts.alerts.calling import service as calls
from broadcasts.alerts.calling.service import Calling
from broadcasts.alerts.pack import Packer, Signed
from broadcasts.alerts.plans import seeding
from broadcasts.alerts.plans import service as plans
from broadcasts.alerts.settings import EmergencySettings
from broadcasts.alerts.voice import Warmer
from broadcasts.announcements.preparing import Preparer
from broadcasts.announcements.relaying import RelayCheck
from broadcasts.bulletins import summoning
from broadcasts.bulletins.commands import warnings
from broadcasts.bulletins.notices import Issuer, Publisher, load_key
from broadcasts.bulletins.polling import FeedReader
from broadcasts.bulletins.settings import WarningSettings
from broadcasts.delivery import service as delivery
from broadcasts.delivery.commands import stop
from broadcasts.delivery.quiet import QuietHours
from broadcasts.delivery.rules import Rules
from broadcasts.feedback import intake as complaints
from broadcasts.feedback.forgetting import forget_numbers as forget_callers
from broadcasts.feedback.settings import FeedbackSettings
from broadcasts.hearing.service import count_reply, forget_names
from broadcasts.keeping import add_to_backups
from broadcasts.lexicon.book import WordBook
from broadcasts.lexicon.commands import read_text
from broadcasts.loudspeaker.intake import Intake
from broadcasts.loudspeaker.sender import Sender
from broadcasts.materials import starting
from broadcasts.numbers import add_gauges
from broadcasts.pages import install_pages, provide_desks
from broadcasts.pumps import DUE, Pumps
from broadcasts.reports.rolling import Rolling
from broadcasts.settings import BroadcastSettings, SpeechSettings
from broadcasts.shout.desk import LiveDesk
from broadcasts.sms.command_line import sms
from broadcasts.sms.forgetting import forget_numbers
from broadcasts.sms.gateways.sections import SECTIONS
from broadcasts.sms.letters import inbound
from broadcasts.sms.opening import open_provider
from broadcasts.sms.providers import watching as sms_watching
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.settings import SmsSettings
from broadcasts.speech.engine import SpeechEngine
from broadcasts.speech.finding import EngineContext, UnknownEngine, context_of, installed_engines, load_engine
from broadcasts.speech.library import Library
from broadcasts.speech.reading_rules import warm_up
from broadcasts.studio import ALWAYS_THERE, LAST_RESORT, Studio
from broadcasts.uploads.settings import UploadSettings
from broadcasts.uploads.workshop import Workshop
from broadcasts.village_pages.limits import VillageFormsPerMinute, VillagePagesPerMinute
from broadcasts.voices.choices import Choices
from broadcasts.voices.commands import voices
from broadcasts.voices.fetching import Fetching
from broadcasts.voices.service import count_chosen
from hub.core.background import Background
from hub.core.bell import Bell
from hub.core.celery_engine import CeleryEngine
from hub.core.checks import Checks
from hub.core.feature import Feature
from hub.core.gauges import Gauges
from hub.core.lanes import Engine, WorkSettings
from hub.core.reaching import guard_of
from hub.core.roles import Role, WorkLane
from hub.core.runtime import Runtime
from hub.core.secrets import read_phone_keys
from hub.core.turns import Turns
from hub.core.writing import in_a_hurry
from hub.first_run.steps import FirstSteps, Step
from hub.residents.erasing import Erasure
from hub.residents.import_jobs import ImportWork
from hub.residents.phones import PhoneSafe
from hub.speakers.care.awaited import Awaited
from hub.speakers.care.patrol import Patrol
from hub.speakers.care.quiet import QuietTimes
from hub.speakers.care.watching import Watch, attach
from hub.speakers.joining import desk as joining
from hub.speakers.joining.arrivals import Arrivals
from hub.speakers.settings_book import SettingsBook
from hub.speakers.station import Station
from hub.watching.processes import Troubles
from hub.web.uploads import Uploads

ALERT_TICK_S = 0.1
CALL_S = 1.0
LOOK_BACK_S = 3.0
SETTLE_S = 2.0
TIDY_S, TIDY_SOON_S = 10.0, 1.0
NOTE_AFTER_S = 1.5
LIST_AFTER_S = 0.25
TEST_S = 5.0
NEVER_S = 86_400.0
SETTINGS = "speaker-settings"
"""What is rung for when settings of loudspeakers have changed; the name of the loop that publishes them."""


def provide(runtime: Runtime) -> None:
    """Offer rules, studio, station and what the pages ask for."""
    rules = runtime.provide(Rules, rules_of(runtime))
    pumps = runtime.provide(Pumps, Pumps(runtime.duties, runtime.get(Bell), runtime.get(Turns), _engine(runtime)))
    add_gauges(runtime.get(Gauges), runtime.clock)
    runtime.get(Checks).add("loops", lambda _: pumps.look())
    runtime.get(Troubles).ask = pumps.failing
    keys_now = partial(read_phone_keys, runtime.config.data_dir)
    safe = runtime.provide(PhoneSafe, PhoneSafe(runtime.secrets, keys_now))
    imports = ImportWork(runtime.sessions, runtime.get(Uploads), safe, clock=runtime.clock)
    runtime.provide(ImportWork, imports)
    erasure = runtime.provide(Erasure, Erasure())
    for forget in (forget_numbers, forget_callers, forget_names):
        erasure.add(forget)
    studio = runtime.provide(Studio, open_studio(runtime))
    uploads = runtime.config.section(UploadSettings)
    runtime.provide(Workshop, Workshop(runtime.config.data_dir / "decoding", uploads))
    runtime.provide(Warmer, Warmer(runtime.sessions, studio))
    runtime.provide(Preparer, Preparer(studio))
    texts = runtime.provide(SmsProvider, open_provider(runtime))
    runtime.get(Checks).add("text_messages", lambda _: sms_watching.examine(texts))
    station = runtime.provide(Station, Station(runtime))
    book = runtime.provide(SettingsBook, _settings_book(runtime, station, rules))
    runtime.provide(Packer, Packer(studio, book, lambda: runtime.base_url, lambda: _signed_words(runtime)))
    arrivals = runtime.provide(Arrivals, Arrivals(runtime))
    station.on_came(arrivals.note_came)
    station.on_beats(arrivals.note_beats)
    Intake(runtime.sessions, station, runtime.clock).plug_in(station)
    attach(runtime, station)
    runtime.get(FirstSteps).add(Step("voice", 50, "voices.every", count_chosen))
    runtime.provide(QuietTimes, QuietTimes(lambda now: _free_at(rules, now)))
    runtime.provide(
        LiveDesk,
        LiveDesk(
            runtime.sessions,
            studio.library,
            station,
            lambda: station.key,
            clock=runtime.clock,
            shared=not runtime.duties.whole,
        ),
    )
    provide_desks(runtime)
    _listen_to_people(runtime)
    add_to_backups(runtime)


def _engine(runtime: Runtime) -> Engine | None:
    """Return the engine that hands out tickets; None where loops have threads of their own."""
    settings = runtime.config.section(WorkSettings)
    if settings.engine == "local" or runtime.duties.whole:
        return None
    return CeleryEngine(settings.broker_url.get_secret_value(), ticks=runtime.duties.has(Role.SCHEDULER))


def _settings_book(runtime: Runtime, station: Station, rules: Rules) -> SettingsBook:
    """Return the book; a process that is no bridge only says that there is something to publish."""
    bell, here = runtime.get(Bell), runtime.duties.has(Role.BRIDGE)
    elsewhere = None if here else partial(bell.ring, SETTINGS)
    book = SettingsBook(runtime, station, rules.quiet.as_day(), elsewhere=elsewhere)
    if here:
        bell.hear(SETTINGS, book.review)
    return book


def _listen_to_people(runtime: Runtime) -> None:
    settings = runtime.config.section(FeedbackSettings)
    inbound.listen("feedback", complaints.listener(settings))
    inbound.count_answers("hearing", count_reply)
    runtime.provide(VillagePagesPerMinute, VillagePagesPerMinute(settings.pages_per_minute))
    runtime.provide(VillageFormsPerMinute, VillageFormsPerMinute(settings.forms_per_minute))
    echoes.provide(runtime)
    shifts.provide(runtime)


def _signed_words(runtime: Runtime) -> Signed:
    with runtime.sessions.read() as session:
        return plans.signed_speech(session)


def _seed(runtime: Runtime) -> None:
    """Put words into the library, and plans that invented people have signed."""
    starting.seed(runtime)
    seeding.seed(runtime)
    examples.seed(runtime)


def rules_of(runtime: Runtime) -> Rules:
    """Return the county's rules from the configuration."""
    settings, emergency = runtime.config.section(BroadcastSettings), runtime.config.section(EmergencySettings)
    return Rules(
        quiet=QuietHours.of(settings.quiet_hours, runtime.zone),
        zone=runtime.zone,
        sms=runtime.config.section(SmsSettings),
        valid=timedelta(minutes=settings.routine_valid_minutes),
        emergency_valid=timedelta(minutes=settings.emergency_valid_minutes),
        countdown=timedelta(seconds=settings.countdown_seconds),
        daily_minutes=settings.daily_minutes,
        weekly_minutes=settings.weekly_minutes,
        repeat_for=timedelta(minutes=emergency.repeat_minutes),
        repeat_pause_ms=emergency.repeat_pause_seconds * 1000,
        proposal_valid=timedelta(minutes=emergency.proposal_minutes),
        alone_after=timedelta(seconds=emergency.break_glass_after_seconds) if emergency.break_glass else None,
    )


def open_studio(runtime: Runtime) -> Studio:
    """Return the studio with the configured engines, and the tone engine as an emergency's last resort."""
    settings = runtime.config.section(SpeechSettings)
    context = context_of(settings)
    needed = (*settings.engines, ALWAYS_THERE, LAST_RESORT)
    engines = {name: load_engine(name, context) for name in needed}
    engines |= {
        name: engine for name in installed_engines() if name not in engines and (engine := _opened(name, context))
    }
    choices = runtime.provide(Choices, Choices(runtime.sessions))
    book = runtime.provide(WordBook, WordBook(runtime.sessions))
    library = Library(settings.cache_dir or runtime.config.data_dir / "sound", engines)
    return Studio(library, settings, choices, book.lexicon, book.lint)


def _opened(name: str, context: EngineContext) -> SpeechEngine | None:
    """Return an engine that nobody asked for by name; one that cannot be opened is not offered."""
    try:
        return load_engine(name, context)
    except UnknownEngine:
        return None


def start(runtime: Runtime) -> Sequence[Background]:
    """Return broker and link first, then everything that sends."""
    rules, station, pumps = runtime.get(Rules), runtime.get(Station), runtime.get(Pumps)
    settings = runtime.config.section(BroadcastSettings)
    sender = Sender(
        runtime.sessions,
        station,
        lambda: station.key,
        clock=runtime.clock,
        base_url=lambda: runtime.base_url,
        lead_s=settings.prepare_seconds,
        note_after_s=NOTE_AFTER_S,
        list_after_s=LIST_AFTER_S,
    )
    loop = pumps.add("loudspeakers", sender.step, at=Role.BRIDGE, urgent=True)

    def came_back(speaker_ids: Sequence[str]) -> None:
        sender.came_back(speaker_ids)
        loop.kick()

    station.on_came(came_back)
    station.on_connected(sender.line_is_new)
    texts = texting.add(runtime, rules, pumps)

    def fire() -> float:
        if firing.fire_due(runtime.sessions, rules=rules, now=runtime.now(), make_way=partial(pumps.make_way, DUE)):
            pumps.kick()
        return ALERT_TICK_S

    def sweep() -> float:
        station.sweep()
        return station.sweep_s

    def tidy_up() -> float:
        return TIDY_SOON_S if runtime.sessions.tidy_up() else TIDY_S

    warmer = runtime.get(Warmer)
    warmer.kick = pumps.add("alarm-voices", warmer.step, at=Role.WEB).kick
    pumps.add("emergencies", in_a_hurry()(fire), at=Role.SCHEDULER)
    pumps.add("spoken-ahead", runtime.get(Preparer).step, at=Role.WEB)
    _call_people(runtime, rules, pumps)
    pumps.add("relays", RelayCheck(runtime.sessions, guard_of(runtime.settings)).step, at=Role.SCHEDULER, alone=True)
    pumps.add("closing", partial(_settle, runtime), at=Role.SCHEDULER, alone=True)
    rolling = Rolling(runtime.sessions, runtime.zone, runtime.clock)
    pumps.add("adding-up", rolling.step, at=WorkLane.BULK, alone=True, patient=True)
    mornings.add(runtime, rules, pumps)
    _exchange_warnings(runtime, pumps)
    pumps.add("joining", lambda: joining.expire(runtime), at=Role.SCHEDULER, alone=True)
    runtime.get(Packer).recall()
    pumps.add("emergency-pack", runtime.get(Packer).step, at=(Role.WEB, Role.BRIDGE), patient=True)
    pumps.add("reading-rules", _read_once, at=Role.WEB)
    pumps.add(SETTINGS, runtime.get(SettingsBook).step, at=Role.BRIDGE)
    pumps.add("presence", sweep, at=Role.BRIDGE)
    pumps.add("broker-question", station.question.step, at=Role.BRIDGE)
    pumps.add("database", tidy_up)
    pumps.add("imports", runtime.get(ImportWork).step, at=WorkLane.BULK, alone=True)
    texting.forget_in_time(runtime, rules, pumps)
    _look_after_loudspeakers(runtime, pumps)
    if not runtime.duties.whole:
        pumps.add("lost-shouts", runtime.get(LiveDesk).look_after_lost, at=Role.WEB)
    line = (station,) if runtime.duties.has(Role.WEB, Role.BRIDGE) else ()
    desk = (runtime.get(LiveDesk),) if runtime.duties.has(Role.WEB) else ()
    return (*line, texts, *pumps.loops, *desk, *_fetching(runtime))


def _settle(runtime: Runtime) -> float:
    with runtime.sessions.read() as session:
        if not delivery.anything_open(session):
            return SETTLE_S
    with runtime.sessions.begin() as session:
        delivery.settle(session, now=runtime.now())
    return SETTLE_S


def _fetching(runtime: Runtime) -> tuple[Background, ...]:
    settings = runtime.config.section(SpeechSettings)
    return (Fetching(context_of(settings)),) if settings.fetch_voice and runtime.duties.has(Role.WEB) else ()


def _read_once() -> float:
    """Load what the first reading would wait for, once."""
    warm_up()
    return NEVER_S


def _free_at(rules: Rules, now: datetime) -> datetime | None:
    """Return `now` when a short test may sound, else when it may."""
    return now if not rules.quiet.touches(now, TEST_S) else rules.quiet.next_free(now, TEST_S)


def _look_after_loudspeakers(runtime: Runtime, pumps: Pumps) -> None:
    with runtime.sessions.read() as session:
        runtime.get(Awaited).remember(session, runtime.now())
    patrol = runtime.get(Patrol)
    patrol.kick = pumps.add("self-tests", patrol.step, at=Role.BRIDGE).kick
    pumps.add("loudspeaker-alarms", runtime.get(Watch).step, at=Role.BRIDGE)


def _call_people(runtime: Runtime, rules: Rules, pumps: Pumps) -> None:
    """Call whoever is responsible, take their answers, and tell those who turn out to have heard what was recalled."""
    emergency = runtime.config.section(EmergencySettings)
    calling = Calling(
        wait=timedelta(minutes=emergency.call_minutes),
        errand_within=timedelta(minutes=emergency.errand_minutes),
        sms=rules.sms,
        key=runtime.secrets.session_key,
        base_url=lambda: runtime.base_url,
    )

    def call() -> float:
        called = calls.step(runtime.sessions, calling, now=runtime.now())
        called += telling.ask_seconds(runtime.sessions, calling, now=runtime.now())
        if called + summoning.summon(runtime.sessions, calling, now=runtime.now()):
            pumps.kick()
        answering.take_replies(runtime.sessions, now=runtime.now())
        return CALL_S

    def look_back() -> float:
        calls.note_silent(runtime.sessions, calling, now=runtime.now())
        if ending.reach_late_hearers(runtime.sessions, rules=rules, now=runtime.now()):
            pumps.kick()
        return LOOK_BACK_S

    pumps.add("calls", call, at=Role.SCHEDULER, alone=True)
    pumps.add("late-hearers", look_back, at=Role.SCHEDULER, alone=True)


def _exchange_warnings(runtime: Runtime, pumps: Pumps) -> None:
    settings = runtime.config.section(WarningSettings)
    publisher = Publisher(
        runtime.sessions,
        Issuer(settings.sender, settings.sender_name),
        lambda: load_key(runtime.config.data_dir, settings.sender, now=runtime.now()),
    )
    if settings.feed != "off":
        pumps.add("cap-documents", lambda: publisher.step(runtime.now()), at=Role.SCHEDULER, alone=True)
    kept = timedelta(days=settings.refused_days)
    most = settings.largest_document_kb * 1000
    feeds = FeedReader(runtime.sessions, runtime.clock, most_bytes=most, kept=kept)
    pumps.add("warning-feeds", feeds.step, at=Role.SCHEDULER, alone=True)


feature = Feature(
    name="broadcasts",
    settings=(
        ApprovalSettings,
        BroadcastSettings,
        EmergencySettings,
        FeedbackSettings,
        SpeechSettings,
        SmsSettings,
        *SECTIONS,
        UploadSettings,
        WarningSettings,
    ),
    provide=provide,
    plug_in=install_pages,
    seed_demo=_seed,
    start=start,
    commands=(stop, sms, voices, read_text, warnings),
)
