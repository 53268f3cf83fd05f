"""What the hub asks itself: database, clock, disk, broker, certificates, addresses, backups."""

import ctypes
import ipaddress
import shutil
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import select, text

from hub.core import migrating
from hub.core.backups import latest_backup
from hub.core.checks import Checks, Finding, Level
from hub.core.runtime import Runtime
from hub.regions import service as regions
from hub.speakers.envelope import MAX_MESSAGE
from hub.speakers.models import Speaker
from hub.speakers.probing import Found
from hub.speakers.settings import MqttSettings
from hub.speakers.station import Station
from hub.watching.certificates import certificate, public_certificate
from hub.watching.processes import processes
from hub.watching.settings import WatchSettings

SLOW_MS: Final = 500.0
MB: Final = 1_000_000
TIME_ERROR: Final = 5
"""What adjtimex(2) returns when nothing keeps the clock right."""


def add_questions(checks: Checks) -> None:
    """Add all of them."""
    for name, question in {
        "database": database,
        "migrations": migrations,
        "clock": clock,
        "disk": disk,
        "broker": broker,
        "broker_abilities": broker_abilities,
        "brokers_of_places": brokers_of_places,
        "certificate": certificate,
        "public_certificate": public_certificate,
        "address": address,
        "backup": backup,
        "processes": processes,
    }.items():
        checks.add(name, question)


def database(runtime: Runtime) -> Iterable[Finding]:
    """How fast the database answers, and whether its clock is ours: with several machines its clock decides."""
    started = time.perf_counter()
    with runtime.sessions.read() as session:
        session.execute(text("SELECT 1"))
        took = (time.perf_counter() - started) * 1000
        theirs = _database_now(runtime, session.connection().dialect.name)
    yield Finding("check_database", Level.GOOD if took < SLOW_MS else Level.LOOK, {"ms": round(took)})
    if theirs is not None:
        off = abs((theirs - runtime.now()).total_seconds()) * 1000
        if off > runtime.config.section(WatchSettings).clock_off_ms:
            yield Finding("check_database_clock", Level.BAD, {"seconds": round(off / 1000, 1)})


def _database_now(runtime: Runtime, dialect: str) -> datetime | None:
    if dialect != "postgresql":
        return None
    with runtime.sessions.read() as session:
        found: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        return found


def migrations(runtime: Runtime) -> Iterable[Finding]:
    """Whether tables and program fit together."""
    if not migrating.is_current(runtime.sessions.engine):
        yield Finding("check_migrations", Level.BAD)


def clock(runtime: Runtime) -> Iterable[Finding]:
    """Whether something keeps this machine's clock right (Linux only)."""
    if sys.platform != "linux":
        return
    kept = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    if kept == TIME_ERROR:
        yield Finding("check_clock_free", Level.LOOK)


def disk(runtime: Runtime) -> Iterable[Finding]:
    """How much room is left."""
    settings = runtime.config.section(WatchSettings)
    free = shutil.disk_usage(runtime.config.data_dir).free // MB
    level = Level.BAD if free < settings.disk_full_mb else Level.LOOK if free < settings.disk_low_mb else Level.GOOD
    yield Finding("check_disk" if level is Level.GOOD else "check_disk_low", level, {"mb": free})


def broker(runtime: Runtime) -> Iterable[Finding]:
    """Whether the broker is reached, and who could listen on the way."""
    station, settings = runtime.find(Station), runtime.config.section(MqttSettings)
    if station is None or station.link is None:
        return  # nothing is started in this process
    if station.connected:
        yield Finding("check_broker", Level.GOOD, {"engine": settings.engine})
    else:
        yield Finding("check_broker_away", Level.BAD, {"engine": settings.engine})
    if settings.engine != "external" and settings.is_open:
        yield Finding("check_broker_open", Level.LOOK)


def broker_abilities(runtime: Runtime) -> Iterable[Finding]:
    """Whether the broker keeps strangers out, and does what the protocol needs; a running hub asks now and then."""
    station = runtime.find(Station)
    if station is None:
        return ()
    found, started = station.question.found, station.link is not None
    if found is None and not started and not runtime.config.section(MqttSettings).own:
        found = station.ask_broker()  # `cunxiang check`, before the first start
    if found is None or (started and not found.reached):
        return ()
    return _of_broker(found)


def _of_broker(found: Found) -> Iterable[Finding]:
    if not found.reached:
        yield Finding("check_broker_away", Level.BAD, {"engine": "external"})
    if found.strangers:
        yield Finding("check_broker_anybody", Level.BAD, in_part=True)
    if not found.asked:
        return
    size = MAX_MESSAGE // 1024
    if found.echo_ms is None:
        yield Finding("check_broker_mute", Level.BAD, {"kb": size})
    elif found.keeps:
        yield Finding("check_broker_able", Level.GOOD, {"ms": found.echo_ms, "kb": size})
    else:
        yield Finding("check_broker_forgets", Level.BAD)


def brokers_of_places(runtime: Runtime) -> Iterable[Finding]:
    """Whether each is reached, where places have brokers of their own."""
    station = runtime.find(Station)
    if station is None or station.shards is None or not station.connected:
        return
    away = station.shards.away
    with runtime.sessions.read() as session:
        names = regions.names(session, {place for place in away if place})
    for place in away:
        found = {"place": names.get(place, place)} if place else {}
        code = "check_broker_of_place_away" if place else "check_broker_of_others_away"
        yield Finding(code, Level.BAD, dict(found), in_part=True)


def address(runtime: Runtime) -> Iterable[Finding]:
    """Whether loudspeakers elsewhere can fetch sound files from the address they are given."""
    host = urlsplit(runtime.base_url).hostname or ""
    if runtime.settings.mode == "demo" or not _this_machine(host):
        return
    with runtime.sessions.read() as session:
        anyone = session.scalar(select(Speaker.id).limit(1))
    if anyone is not None:
        yield Finding("check_address_local", Level.LOOK, {"url": runtime.base_url})


def _this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def backup(runtime: Runtime) -> Iterable[Finding]:
    """Whether there is a fresh backup."""
    days = runtime.config.section(WatchSettings).backup_days
    if days == 0 or runtime.settings.mode == "demo":
        return
    made = latest_backup(runtime.config.data_dir)
    if made is None:
        yield Finding("check_backup_never", Level.LOOK)
        return
    age = (runtime.now() - made).days
    if age < days:
        yield Finding("check_backup", Level.GOOD, {"days": age})
    else:
        yield Finding("check_backup_old", Level.LOOK, {"days": age})
