"""The ledger as a table: what is known of every loudspeaker, and how it does."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.core.actor import Actor
from hub.regions import service as regions
from hub.regions.tree import codes_in
from hub.speakers.care.attention import visible
from hub.speakers.care.models import EventKind, Repair, SelfTestRun, SpeakerEvent
from hub.speakers.care.patrol import Result, result_of
from hub.speakers.ledger.importing import COLUMNS
from hub.speakers.models import Speaker, SpeakerState

TOWNSHIP: Final = "镇"
MORE: Final = ("在线", "从什么时候", "最近故障", "报修次数", "巡检", "音量")
"""What the hub adds to the columns that people fill in; an import does not read these."""
HEADER: Final = (COLUMNS[0], COLUMNS[1], TOWNSHIP, *COLUMNS[2:], *MORE)
STATES: Final = {True: "在线", False: "离线"}
RESULTS: Final = {
    Result.PASSED: "通过",
    Result.FAILED: "没过",
    Result.SILENT: "没回音",
    Result.UNASKED: "没问到",
    Result.WAITING: "正在查",
    Result.NEVER: "没查过",
}

Row = list[object]


def rows(session: Session, actor: Actor, *, path: str | None, now: datetime, zone: ZoneInfo) -> Sequence[Row]:
    """Return a row for every loudspeaker that is not retired, in the order of the tree. Times are local."""
    speakers = session.scalars(
        select(Speaker)
        .where(Speaker.state != SpeakerState.RETIRED, visible(actor, path))
        .order_by(Speaker.region_path, Speaker.id)
    ).all()
    names = regions.names(session, {code for s in speakers for code in codes_in(s.region_path)})
    ids = select(Speaker.id).where(visible(actor, path))
    last_fault = session.execute(
        select(SpeakerEvent.speaker_id, func.max(SpeakerEvent.at))
        .where(SpeakerEvent.kind == EventKind.FAULT, SpeakerEvent.speaker_id.in_(ids))
        .group_by(SpeakerEvent.speaker_id)
    )
    faults = {row[0]: row[1] for row in last_fault}
    orders = session.execute(
        select(Repair.speaker_id, func.count()).where(Repair.speaker_id.in_(ids)).group_by(Repair.speaker_id)
    )
    mended = {row[0]: row[1] for row in orders}
    tests = {run.speaker_id: run for run in session.scalars(select(SelfTestRun).where(SelfTestRun.speaker_id.in_(ids)))}
    return [
        [
            *_place(speaker, names),
            _state(speaker),
            _local(speaker.online_since, zone),
            _local(faults.get(speaker.id), zone),
            mended.get(speaker.id, 0),
            RESULTS[result_of(tests.get(speaker.id), now)],
            speaker.volume,
        ]
        for speaker in speakers
    ]


def _place(speaker: Speaker, names: dict[str, str]) -> Row:
    codes = (*codes_in(speaker.region_path), "", "", "", "")
    township, village, group = (names.get(code, "") for code in codes[1:4])
    return [
        speaker.id,
        speaker.name,
        township,
        village,
        group,
        speaker.place,
        speaker.households,
        speaker.installed_on,
        speaker.keeper,
        speaker.model,
        speaker.lat,
        speaker.lon,
        speaker.note,
    ]


def _state(speaker: Speaker) -> str:
    return "没装好" if speaker.state is SpeakerState.EXPECTED else STATES[speaker.online]


def _local(moment: datetime | None, zone: ZoneInfo) -> str:
    return "" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")
