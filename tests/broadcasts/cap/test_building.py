"""What is built is read again as it was, whatever stands in it; other people's tools agree."""

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from broadcasts.cap import values
from broadcasts.cap.building import build, serialise
from broadcasts.cap.document import (
    CATEGORIES,
    CERTAINTIES,
    RESPONSES,
    SEVERITIES,
    URGENCIES,
    Area,
    CapAlert,
    Circle,
    Info,
    MsgType,
    Named,
    Reference,
    Resource,
    Scope,
    Status,
)
from broadcasts.cap.examining import examine
from broadcasts.cap.schema import SCHEMA

ROUNDS = 1500 if os.environ.get("CUNXIANG_LONG") else 50
QUICK = (Phase.explicit, Phase.generate)
"""A failure is shown as it was found: making it smaller takes minutes."""
text = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"), max_size=30).map(
    lambda value: value.strip(" \t\r\n")
)
some = text.map(lambda value: f"{value}雨")
name = st.text("Az09@._:;()*/-雨", min_size=1, max_size=12)
moment = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=0)
)
lat, lon = st.floats(-90, 90).map(lambda d: round(d, 7)), st.floats(-180, 180).map(lambda d: round(d, 7))
ring = st.lists(st.tuples(lat, lon), min_size=3, max_size=6).map(lambda points: (*points, points[0]))
named = st.builds(Named, some, text)
areas = st.builds(
    Area,
    desc=some,
    polygons=st.lists(ring, max_size=2).map(tuple),
    circles=st.lists(st.builds(Circle, lat, lon, st.floats(0, 20_000).map(lambda km: round(km, 3))), max_size=2).map(
        tuple
    ),
    geocodes=st.lists(named, max_size=2).map(tuple),
)
resources = st.builds(
    Resource, some, st.just("image/png"), st.none() | st.integers(0, 10**9), st.just("http://x.example/a.png")
)


@st.composite
def infos(draw: st.DrawFn) -> Info:
    begin = draw(moment)
    return Info(
        event=draw(some),
        urgency=draw(st.sampled_from(URGENCIES)),
        severity=draw(st.sampled_from(SEVERITIES)),
        certainty=draw(st.sampled_from(CERTAINTIES)),
        categories=tuple(draw(st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=3))),
        language=draw(st.sampled_from(["zh-CN", "en-US", "bo"])),
        responses=tuple(draw(st.lists(st.sampled_from(RESPONSES), max_size=2))),
        audience=draw(text),
        event_codes=tuple(draw(st.lists(named, max_size=2))),
        effective=draw(st.none() | st.just(begin)),
        onset=draw(st.none() | st.just(begin)),
        expires=draw(st.none() | st.just(datetime(2199, 1, 1, tzinfo=UTC))),
        sender_name=draw(text),
        headline=draw(text),
        description=draw(text),
        instruction=draw(text),
        contact=draw(text),
        parameters=tuple(draw(st.lists(named, max_size=2))),
        resources=tuple(draw(st.lists(resources, max_size=1))),
        areas=tuple(draw(st.lists(areas, max_size=2))),
    )


@st.composite
def alerts(draw: st.DrawFn) -> CapAlert:
    kind = draw(st.sampled_from(MsgType))
    scope = draw(st.sampled_from(Scope))
    own = draw(name)
    references = draw(
        st.lists(st.builds(Reference, name, name.filter(lambda n: n != own), moment), min_size=1, max_size=3)
    )
    return CapAlert(
        identifier=own,
        sender=draw(name),
        sent=draw(moment),
        status=draw(st.sampled_from(Status)),
        msg_type=kind,
        scope=scope,
        source=draw(text),
        restriction=draw(some) if scope is Scope.RESTRICTED else "",
        addresses=("a b", "c@d.example") if scope is Scope.PRIVATE else (),
        codes=tuple(draw(st.lists(some, max_size=2))),
        note=draw(text),
        references=() if kind is MsgType.ALERT else tuple(references),
        incidents=tuple(draw(st.lists(st.sampled_from(["flood", "big flood"]), max_size=2))),
        infos=tuple(draw(st.lists(infos(), max_size=2))),
    )


@pytest.mark.slow
@settings(max_examples=ROUNDS, deadline=None, derandomize=True, phases=QUICK, suppress_health_check=list(HealthCheck))
@given(alerts())
def test_what_is_built_is_sound_and_read_again_as_it_was(alert: CapAlert) -> None:
    found = examine(serialise(build(alert)))
    assert found.alert == alert, found.findings


@given(moment, st.integers(-14 * 60, 14 * 60))
@settings(max_examples=ROUNDS, deadline=None, derandomize=True, phases=QUICK)
def test_moments_of_every_zone_are_read_as_they_were_meant(at: datetime, minutes: int) -> None:
    there = at.astimezone(timezone(timedelta(minutes=minutes)))
    assert values.moment(values.written(there)) == at
    assert not values.written(there).endswith("+00:00")


def test_a_bell_character_does_not_spoil_a_document() -> None:
    info = Info("暴\x07雨", "Unknown", "Unknown", "Unknown", ("Met",), headline="a\x00b\ud800c")
    alert = CapAlert(
        "1", "a", datetime(2026, 1, 1, tzinfo=UTC), Status.ACTUAL, MsgType.ALERT, Scope.PUBLIC, infos=(info,)
    )
    found = examine(serialise(build(alert)))
    assert found.alert is not None
    assert (found.alert.infos[0].event, found.alert.infos[0].headline) == ("暴雨", "abc")


@pytest.mark.skipif(shutil.which("xmllint") is None, reason="xmllint is not here (libxml2-utils)")
def test_xmllint_finds_nothing_wrong_with_what_is_built(tmp_path: Path) -> None:
    made: list[Path] = []

    @settings(max_examples=12, deadline=None, derandomize=True, phases=QUICK, suppress_health_check=list(HealthCheck))
    @given(alerts())
    def keep(alert: CapAlert) -> None:
        path = tmp_path / f"{len(made)}.xml"
        path.write_bytes(serialise(build(alert)))
        made.append(path)

    keep()
    command = ["xmllint", "--nonet", "--noout", "--schema", str(SCHEMA), *map(str, made)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert said.stderr.count("validates") == len(made) >= 10
