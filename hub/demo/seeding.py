"""Fill an empty database with the invented county: regions, accounts, loudspeakers, residents."""

import math
import random
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from uuid6 import uuid7

from hub.accounts import passwords
from hub.accounts import service as accounts
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM
from hub.core.runtime import Runtime
from hub.demo import county
from hub.demo.outlines import outlines, village_seeds
from hub.duty import service as duty
from hub.duty.service import PersonInput
from hub.first_run.models import FirstStep, Said
from hub.first_run.steps import WHOLE
from hub.regions import service as regions
from hub.regions.models import Region, RegionShape
from hub.regions.tree import path_of
from hub.residents.models import AwayConsent, NumberKind, Phone, Resident, ResidentTag
from hub.residents.phones import PhoneSafe, mask
from hub.speakers import registry
from hub.speakers.device.device_file import DeviceFile
from hub.speakers.models import Speaker
from hub.speakers.station import KEY_ID, signing_key

PASSWORD = passwords.DEMO
RESIDENTS = 5000
DEVICES = "devices.jsonl"
Step = Callable[[str, int, int], None]
"""Told what is being made, how much of it is done, and how much there is."""


def is_seeded(session: Session) -> bool:
    """Return whether there is a county already."""
    return session.scalar(select(Region.code).limit(1)) is not None


def seed(runtime: Runtime, step: Step) -> None:
    """Make the whole county."""
    now = runtime.now()
    with runtime.sessions.begin() as session:
        _regions(session, now, step)
        _accounts(session, now)
        session.add(FirstStep(key=WHOLE, said=Said.DONE, by_name="", at=now))  # there is nothing left to set up
        _speakers(runtime, session, now, step)
    with runtime.sessions.begin() as session:
        _residents(runtime, session, now, step)
        _roster(runtime, session, now)


def _regions(session: Session, now: datetime, step: Step) -> None:
    code, name = county.COUNTY
    regions.add_region(session, SYSTEM, code=code, name=name, now=now)
    seeds = village_seeds()
    shapes = iter(outlines([point for township in seeds for point in township]))
    total = len(county.TOWNSHIPS)
    for t, (township, villages) in enumerate(county.TOWNSHIPS):
        regions.add_region(session, SYSTEM, code=county.township_code(t), name=township, now=now, position=t)
        for v, village in enumerate(villages):
            code = county.village_code(t, v)
            outline = next(shapes)
            regions.add_region(session, SYSTEM, code=code, name=village, now=now, position=v, outline=outline)
            session.add(RegionShape(code=code, geometry=_border(outline), at=now))
            for g, group in enumerate(county.GROUPS):
                regions.add_region(
                    session, SYSTEM, code=county.group_code(code, g), name=village[:2] + group, now=now, position=g
                )
        step("regions", t + 1, total)


def _accounts(session: Session, now: datetime) -> None:
    whole, first, second = path_of(county.COUNTY[0]), path_of(county.township_code(0)), path_of(county.township_code(1))
    village = path_of(county.village_code(0, 1))
    people = (
        ("clerk", "石笛镇广播员", Role.CLERK, first),
        ("approver", "石笛镇副镇长", Role.APPROVER, first),
        ("duty", "石笛镇值班员", Role.DUTY_OFFICER, first),
        ("secretary", "竹影村村支书", Role.SECRETARY, village),
        ("clerk2", "柚溪镇广播员", Role.CLERK, second),
        ("approver2", "柚溪镇副镇长", Role.APPROVER, second),
        ("county", "云岫县管理员", Role.COUNTY_ADMIN, whole),
        ("editor", "县广播站编辑", Role.CLERK, whole),
        ("chief", "县广播站站长", Role.APPROVER, whole),
        ("chief2", "县应急局副局长", Role.APPROVER, whole),
        ("viewer", "县督查员", Role.VIEWER, whole),
        ("weather", "县气象台", Role.SOURCE, whole),
    )
    for login, name, role, path in people:
        accounts.create_account(
            session, SYSTEM, login=login, name=name, password=PASSWORD, grants=[(role, path)], now=now, demo=True
        )


def _speakers(runtime: Runtime, session: Session, now: datetime, step: Step) -> None:
    total = sum(len(villages) for _, villages in county.TOWNSHIPS) * len(county.SPOTS)
    devices = []
    seeds = village_seeds()
    for t, (_, villages) in enumerate(county.TOWNSHIPS):
        for v, village in enumerate(villages):
            for s, spot in enumerate(county.SPOTS):
                named = (f"cx-{t + 1}{v + 1}{s + 1}", village[:2] + spot, county.village_code(t, v))
                speaker, device = _enrolled(runtime, session, named, now)
                _hang(speaker, seeds[t][v], s)
                devices.append(device)
            step("speakers", len(devices), total)
    for t, (township, _) in enumerate(county.TOWNSHIPS):
        for s, spot in enumerate(county.DRILL_SPOTS):
            named = (f"yl-{t + 1}{s + 1}", f"{township}{spot}（演练）", county.village_code(t, 0))
            speaker, device = _enrolled(runtime, session, named, now)
            speaker.drill = True
            devices.append(device)
    write_devices(runtime.config.data_dir / DEVICES, devices)


def _enrolled(
    runtime: Runtime, session: Session, named: tuple[str, str, str], now: datetime
) -> tuple[Speaker, DeviceFile]:
    """Enrol a simulated loudspeaker of that number, name and village."""
    speaker_id, name, region_code = named
    key = signing_key(runtime.secrets.signing_seed)
    enrolled = registry.enrol(
        session, SYSTEM, speaker_id=speaker_id, name=name, region_code=region_code, now=now, simulated=True
    )
    device = DeviceFile(
        id=enrolled.speaker.id,
        number=enrolled.speaker.number,
        secret=enrolled.secret,
        broker_host="127.0.0.1",
        broker_port=1883,
        regions=tuple(enrolled.speaker.region_path.strip("/").split("/")),
        hub_keys={KEY_ID: key.public()},
    )
    return enrolled.speaker, device


def _border(outline: str) -> dict[str, object]:
    """Return an outline as it lies on the earth, where its loudspeakers hang."""
    points = [[int(x) / 1000, (700 - int(y)) / 1000] for x, y in (pair.split(",") for pair in outline.split())]
    return {"type": "MultiPolygon", "coordinates": [[[*points, points[0]]]]}


def _hang(speaker: Speaker, middle: tuple[float, float], spot: int) -> None:
    """Say where it hangs: around the middle of its village, in a sea without land, so that no real place is meant."""
    angle = 2 * math.pi * spot / len(county.SPOTS)
    x, y = middle[0] + 34 * math.cos(angle), middle[1] + 34 * math.sin(angle)
    speaker.lon, speaker.lat = round(x / 1000, 5), round((700 - y) / 1000, 5)
    speaker.keeper = county.SURNAMES[(speaker.number * 7) % len(county.SURNAMES)] + county.GIVEN[speaker.number % 20]
    speaker.households = 40 + speaker.number * 13 % 90
    speaker.installed_on = date(2025, 3, 1 + speaker.number % 28)


def write_devices(path: Path, devices: list[DeviceFile]) -> None:
    """Write the simulated devices' file for its owner alone: it holds their passwords."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    path.write_text("".join(device.model_dump_json() + "\n" for device in devices), encoding="utf-8")


def _residents(runtime: Runtime, session: Session, now: datetime, step: Step) -> None:
    dice = random.Random(20261123)  # noqa: S311 - invented people, the same in every demo
    safe = PhoneSafe(runtime.secrets)
    groups = [
        county.group_code(county.village_code(t, v), g)
        for t, (_, villages) in enumerate(county.TOWNSHIPS)
        for v in range(len(villages))
        for g in range(len(county.GROUPS))
    ]
    residents, phones, tags = [], [], []
    for i in range(RESIDENTS):
        code = groups[i % len(groups)]
        resident_id = uuid7()
        chosen = _tags(dice)
        residents.append(
            {
                "id": resident_id,
                "region_code": code,
                "region_path": path_of(code),
                "name": dice.choice(county.SURNAMES) + dice.choice(county.GIVEN),
                "away": "外出务工" in chosen,
                "away_consent": AwayConsent.YES if "外出务工" in chosen and i % 4 else AwayConsent.UNASKED,
                "household": f"{i // len(groups) // 3 + 1}号",
                "created_at": now,
            }
        )
        tags += [{"resident_id": resident_id, "tag": tag} for tag in chosen]
        number = _number(dice, i)
        if number is not None:
            e164, kind = number
            phones.append(
                {
                    "id": uuid7(),
                    "resident_id": resident_id,
                    "index": safe.index(e164),
                    "sealed": safe.seal(e164),
                    "masked": mask(e164),
                    "kind": kind,
                }
            )
        if i % 500 == 499:
            step("residents", i + 1, RESIDENTS)
    session.execute(insert(Resident), residents)
    session.execute(insert(Phone), phones)
    session.execute(insert(ResidentTag), tags)


def _roster(runtime: Runtime, session: Session, now: datetime) -> None:
    """Somebody to call in every village and township, and at the county."""
    safe = PhoneSafe(runtime.secrets)
    places = [(county.COUNTY[0], "县应急局值班室", "")]
    for t, (_, villages) in enumerate(county.TOWNSHIPS):
        places.append((county.township_code(t), "镇值班员", "duty" if t == 0 else ""))
        places += [
            (county.village_code(t, v), "村支书", "secretary" if (t, v) == (0, 1) else "") for v in range(len(villages))
        ]
    for n, (code, title, login) in enumerate(places):
        name = county.SURNAMES[n % len(county.SURNAMES)] + county.GIVEN[n % len(county.GIVEN)]
        given = PersonInput(code, name, title, f"1990000{n:04}", login)
        duty.add_person(session, SYSTEM, given, safe=safe, now=now)


def _tags(dice: random.Random) -> list[str]:
    shares = zip(county.TAGS, (0.06, 0.12, 0.2, 0.01, 0.02), strict=True)
    return [tag for tag, share in shares if dice.random() < share]


def _number(dice: random.Random, i: int) -> tuple[str, NumberKind] | None:
    """Return a number of the 154 range, which no operator uses; some have a landline, a shared phone, or none."""
    roll = dice.random()
    if roll < 0.06:
        return None
    if roll < 0.10:
        return f"+860990{2200000 + i}", NumberKind.LANDLINE
    shared = i - 48 if roll > 0.97 and i >= 48 else i
    return f"+86154{shared:08d}", NumberKind.MOBILE
