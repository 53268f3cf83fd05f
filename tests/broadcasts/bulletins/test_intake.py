"""A document comes in: once, in its place, for what it is, and nobody hears the same thing four times."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from builders import an_actor, the_actor
from caplab import (
    BRIDGE,
    COUNTY,
    FERRY,
    HILL,
    NORTH,
    NOW,
    SENDER,
    area,
    at,
    codes,
    document,
    geocode,
    hand_in,
    hand_in_national,
    info,
    national,
    reference,
    with_comment,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from broadcasts.alerts import service as alerts
from broadcasts.alerts.firing import fire_due
from broadcasts.alerts.incidents.models import Incident, IncidentSource, IncidentState
from broadcasts.alerts.models import Alert, AlertState, Authority
from broadcasts.alerts.wishes import Spoken
from broadcasts.bulletins import deciding
from broadcasts.bulletins.deciding import Passing
from broadcasts.bulletins.models import Bulletin, BulletinState, Door, Envelope, TrustedSender
from broadcasts.cap.document import Status
from broadcasts.delivery.models import Broadcast, BroadcastState
from broadcasts.delivery.rules import Rules
from broadcasts.feature import rules_of
from broadcasts.kinds import Colour
from broadcasts.loudspeaker.orders import Sound
from hub.accounts.roles import Role
from hub.core.actor import SYSTEM
from hub.core.errors import BadInput, NotAllowed, NotFound, WrongState
from hub.core.runtime import Runtime
from hub.regions import shapes
from hub.regions.geojson import Border
from hub.regions.tree import path_of

VOICE = Spoken(Sound("a" * 64, 3000, 9000), "tone")


@pytest.fixture
def session(runtime: Runtime) -> Iterator[Session]:
    with runtime.sessions.begin() as session:
        yield session


@pytest.fixture
def rules(runtime: Runtime) -> Rules:
    return rules_of(runtime)


def one(session: Session, data: bytes, **given: object) -> Bulletin:
    received = hand_in(session, data, **given)  # type: ignore[arg-type]
    assert not received.refused, codes(received)
    assert len(received.bulletins) == 1
    return received.bulletins[0]


def passing(colour: Colour = Colour.ORANGE, speakers: int = 4) -> Passing:
    return Passing(str(uuid4()), colour, speakers)


def know(session: Session, sender: str) -> None:
    """Let the hub know a sender."""
    if session.scalar(select(TrustedSender).where(TrustedSender.sender == sender)) is None:
        session.add(TrustedSender(sender=sender, name="县气象台", home_path=path_of(COUNTY), at=NOW))
        session.flush()


def take(session: Session, bulletin: Bulletin, rules: Rules, *, speakers: int = 4, login: str = "duty") -> Alert:
    know(session, bulletin.sender)
    wanted = passing(bulletin.colour or Colour.YELLOW, speakers)
    return deciding.take(session, the_actor(session, login), bulletin.id, wanted, VOICE, rules=rules, now=NOW)


def test_a_warning_waits_for_a_person_and_says_whose_it_is(session: Session) -> None:
    bulletin = one(session, document())
    assert bulletin.state is BulletinState.PROPOSED
    assert (bulletin.issuer, bulletin.hazard, bulletin.colour) == ("县气象台", "rainstorm", Colour.ORANGE)
    assert bulletin.title == "暴雨橙色预警"
    assert bulletin.regions == [NORTH]
    assert session.scalars(select(Alert)).all() == []
    words = deciding.words_for(session, bulletin, Colour.ORANGE, bulletin.regions)
    assert words.speech.startswith(
        "县气象台发布暴雨橙色预警。北镇的村民请注意：预计未来三小时北镇降雨超过五十毫米。沿河"
    )
    assert "9901-1" in words.sms
    assert "县气象台" in words.sms


def test_the_same_document_twice_is_one_and_another_under_its_name_is_refused(session: Session) -> None:
    first = hand_in(session, document())
    again = hand_in(session, with_comment(document(), "by another way"))
    assert again.again
    assert [b.id for b in again.bulletins] == [b.id for b in first.bulletins]
    other = hand_in(session, document(info(description="没有雨了。")))
    assert codes(other) == ["policy_identity_reused"]
    assert len(session.scalars(select(Bulletin)).all()) == 1
    assert len(session.scalars(select(Envelope).where(Envelope.key.is_(None))).all()) == 1


def test_a_refused_document_may_come_again_mended(session: Session) -> None:
    assert codes(hand_in(session, document(info(area(geocode("990101009000")))))) == ["policy_area_unknown_code"]
    assert not hand_in(session, document()).refused


@pytest.mark.parametrize("status", ["Exercise", "System", "Test"])
def test_what_is_not_actual_is_noted_and_can_never_be_passed_on(session: Session, status: str, rules: Rules) -> None:
    bulletin = one(session, document(status=status, note="演练"))
    assert bulletin.state is BulletinState.NOTED
    assert bulletin.incident_id is None
    with pytest.raises((WrongState, NotFound, NotAllowed)):
        take(session, bulletin, rules)
    assert session.scalars(select(Alert)).all() == []


def test_a_draft_is_refused(session: Session) -> None:
    assert codes(hand_in(session, document(status=Status.DRAFT.value))) == ["policy_draft"]


@pytest.mark.parametrize(
    ("scope", "more"), [("Restricted", {"restriction": "干部"}), ("Private", {"addresses": "a@b"})]
)
def test_what_is_not_for_the_public_is_never_proposed(session: Session, scope: str, more: dict[str, str]) -> None:
    assert one(session, document(scope=scope, **more)).state is BulletinState.NOTED


OWN_RULES = {
    "policy_over_already": document(info(expires=at(-0.5))),
    "policy_from_the_future": document(sent=at(20)),
    "policy_says_nothing": document(""),
    "policy_area_nothing": document(info(area(geocode("440000000000")))),
    "policy_area_code_malformed": document(info(area(geocode("9901x")))),
    "policy_area_unknown_code": document(info(area(geocode(NORTH) + geocode("990101001999")))),
    "policy_name_too_long": document(identifier="1" * 201),
    "policy_references_too_many": document(
        msgType="Update", references=" ".join(reference(f"o{n}") for n in range(101))
    ),
}


@pytest.mark.parametrize("code", OWN_RULES)
def test_this_hubs_own_rules(session: Session, code: str) -> None:
    received = hand_in(session, OWN_RULES[code])
    assert codes(received) == [code]
    assert received.verdicts == {"schema": "valid", "prose": "valid", "policy": "invalid"}
    assert received.bulletins == ()


LIFE = {
    "蓝色": ("暴雨", 12),
    "黄色": ("暴雨", 6),
    "橙色": ("暴雨", 3),
    "红色": ("暴雨", 3),
    "大风蓝色": ("大风", 24),
    "雷电黄色": ("雷电", 6),
    "冰雹红色": ("冰雹", 6),
    "道路结冰橙色": ("道路结冰", 12),
    "高温橙色": ("高温", 6),
}


@pytest.mark.parametrize("named", LIFE)
def test_a_missing_end_is_the_tables_never_for_ever(session: Session, named: str) -> None:
    event, hours = LIFE[named]
    colour = named.removeprefix(event)
    received = hand_in(
        session, document(info(event=event, headline=f"发布{event}{colour}预警", severity="Unknown", expires=""))
    )
    (bulletin,) = received.bulletins
    assert bulletin.ends == NOW - timedelta(minutes=1) + timedelta(hours=hours)
    assert bulletin.ends_assumed
    assert "policy_no_end" in codes(received, warnings=True)


PLACES = {
    "a village": ([geocode(BRIDGE)], [BRIDGE]),
    "a township": ([geocode(NORTH)], [NORTH]),
    "a county": ([geocode(COUNTY)], [COUNTY]),
    "six digits": ([geocode("990101", "GB/T 2260 行政区划代码")], [COUNTY]),
    "the prefecture above": ([geocode("990100000000")], [COUNTY]),
    "the province above": ([geocode("990000000000")], [COUNTY]),
    "one of ours among others": ([geocode("440101000000"), geocode(FERRY)], [FERRY]),
    "every village of a township": ([geocode(BRIDGE), geocode(HILL)], [NORTH]),
    "a village and its township": ([geocode(BRIDGE), geocode(NORTH)], [NORTH]),
}


@pytest.mark.parametrize("what", PLACES)
def test_codes_are_laid_on_the_tree(session: Session, what: str) -> None:
    given, expected = PLACES[what]
    assert one(session, document(info(area(*given)))).regions == expected


def test_codes_under_another_name_mean_something_else(session: Session) -> None:
    assert codes(hand_in(session, document(info(area(geocode(NORTH, "SAME")))))) == ["policy_area_nothing"]


def square(lat: float, lon: float, size: float = 0.1) -> list[list[float]]:
    corners = [(lon, lat), (lon + size, lat), (lon + size, lat + size), (lon, lat + size), (lon, lat)]
    return [list(point) for point in corners]


def test_polygons_and_circles_find_the_villages_they_touch(session: Session) -> None:
    borders = [
        Border(BRIDGE, {"type": "MultiPolygon", "coordinates": [[square(1.0, 2.0)]]}),
        Border(HILL, {"type": "MultiPolygon", "coordinates": [[square(1.0, 2.2)]]}),
        Border(FERRY, {"type": "Point", "coordinates": [3.0, 5.0]}),
    ]
    shapes.keep(session, SYSTEM, borders, now=NOW)

    def found(inside: str, identifier: str) -> list[str]:
        return one(session, document(info(area(inside)), identifier=identifier)).regions

    assert found("<polygon>1.05,2.05 1.06,2.05 1.06,2.06 1.05,2.05</polygon>", "in-one") == [BRIDGE]
    assert found("<polygon>0.9,2.05 1.2,2.05 1.2,2.25 0.9,2.25 0.9,2.05</polygon>", "over-both") == [NORTH]
    assert found("<polygon>0,0 9,0 9,9 0,9 0,0</polygon>", "around-all") == [COUNTY]
    assert found("<circle>5.0,3.05 8</circle>", "near-a-point") == [FERRY]
    assert found("<circle>1.05,2.15 6.5</circle>", "between") == [NORTH]
    beside = hand_in(session, document(info(area("<circle>1.05,2.15 1</circle>")), identifier="beside"))
    assert codes(beside) == ["policy_area_nothing"]


def test_horns_stand_in_for_a_village_without_a_border(session: Session) -> None:
    from_speakers = document(info(area("<circle>7.0,8.0 2</circle>")))
    assert hand_in(session, from_speakers).refused
    session.connection().exec_driver_sql(
        f"UPDATE speaker SET lat = 7.001, lon = 8.0 WHERE region_code = '{HILL}'"  # noqa: S608 - a test's own words
    )
    assert one(session, from_speakers).regions == [HILL]


def test_a_key_of_one_township_cannot_wake_another(session: Session) -> None:
    whole = document(info(area(geocode(COUNTY))))
    assert one(session, whole, place=NORTH).regions == [NORTH]
    other = document(info(area(geocode(FERRY))), identifier="2")
    assert codes(hand_in(session, other, place=NORTH)) == ["policy_area_nothing"]


def test_blocks_of_several_languages_and_colours(session: Session) -> None:
    english = info(language="en-US", event="Heavy rain", headline="Heavy rain warning", description="Rain.")
    north = info(area(geocode(BRIDGE)), event="暴雨", headline="暴雨红色预警", severity="Extreme")
    south = info(area(geocode(FERRY)), event="暴雨", headline="暴雨黄色预警", severity="Moderate")
    received = hand_in(session, document(english, north, south))
    assert [(b.colour, b.regions) for b in received.bulletins] == [(Colour.RED, [BRIDGE]), (Colour.YELLOW, [FERRY])]


def test_a_foreign_warning_is_announced_in_chinese_words_only(session: Session) -> None:
    english = info(
        language="en-US", event="Flood Warning", headline="Flood", description="RIVER {place} RISES", instruction="RUN"
    )
    received = hand_in(session, document(english))
    (bulletin,) = received.bulletins
    assert "policy_no_chinese" in codes(received, warnings=True)
    words = deciding.words_for(session, bulletin, Colour.ORANGE, [NORTH])
    assert "RIVER" not in words.speech
    assert words.speech.startswith("县气象台发布突发事件橙色预警。北镇的村民请注意：没有急事不要出门")


def test_the_colour_in_words_counts_when_severity_says_another(session: Session) -> None:
    received = hand_in(session, document(info(headline="发布暴雨红色预警", severity="Minor")))
    assert received.bulletins[0].colour is Colour.RED
    assert "policy_colours_differ" in codes(received, warnings=True)


# ---- the same event, several departments


def test_four_departments_tell_of_one_event_and_it_sounds_once(session: Session, rules: Rules) -> None:
    issuers = ("县气象台", "县水利局", "县应急局", "北镇防汛办")
    waiting = [
        one(session, document(info(senderName=name), sender=f"{n}@x.example", identifier=f"d{n}"))
        for n, name in enumerate(issuers[:3])
    ]
    (incident,) = session.scalars(select(Incident)).all()
    assert {b.incident_id for b in waiting} == {incident.id}
    alert = take(session, waiting[1], rules)
    assert [b.state for b in waiting] == [BulletinState.JOINED, BulletinState.TAKEN, BulletinState.JOINED]
    late = one(session, document(info(senderName=issuers[3]), sender="3@x.example", identifier="d3"))
    assert late.state is BulletinState.JOINED
    assert late.alert_id == alert.id
    sources = session.scalars(select(IncidentSource).where(IncidentSource.incident_id == incident.id)).all()
    assert {s.issuer for s in sources} >= set(issuers)
    assert len(session.scalars(select(Alert)).all()) == 1
    assert (alert.issuer, alert.issuer_ref, alert.authority) == ("县水利局", "d1", Authority.ISSUED)


@pytest.mark.parametrize(
    "other",
    [
        info(event="大风", headline="大风橙色预警"),
        info(area(geocode(FERRY))),
    ],
    ids=["another hazard", "another place"],
)
def test_another_event_stays_another(session: Session, other: str) -> None:
    first, second = one(session, document()), one(session, document(other, identifier="2", sender="b@x.example"))
    assert first.incident_id != second.incident_id


def test_what_is_graver_or_wider_waits_for_a_person_again(session: Session, rules: Rules) -> None:
    take(session, one(session, document(info(area(geocode(BRIDGE))))), rules, speakers=2)
    graver = info(area(geocode(BRIDGE)), headline="暴雨红色预警", severity="Extreme")
    wider = info(area(geocode(NORTH)))
    milder = info(area(geocode(BRIDGE)), headline="暴雨黄色预警", severity="Moderate")
    states = [
        one(session, document(block, identifier=name, sender="b@x.example")).state
        for name, block in (("graver", graver), ("wider", wider), ("milder", milder))
    ]
    assert states == [BulletinState.PROPOSED, BulletinState.PROPOSED, BulletinState.JOINED]


def test_a_person_can_say_that_it_is_another_event(session: Session) -> None:
    first, second = one(session, document()), one(session, document(identifier="2", sender="b@x.example"))
    deciding.split(session, the_actor(session, "duty"), second.id, now=NOW)
    assert first.incident_id != second.incident_id
    assert second.state is BulletinState.PROPOSED
    moved = session.scalars(select(IncidentSource).where(IncidentSource.incident_id == second.incident_id)).all()
    assert [s.reference for s in moved] == ["2"]
    with pytest.raises(WrongState):
        deciding.split(session, the_actor(session, "duty"), second.id, now=NOW)


# ---- update and cancel


def test_calling_off_what_waits_makes_it_go_away(session: Session) -> None:
    bulletin = one(session, document())
    received = hand_in(session, document("", identifier="c", msgType="Cancel", references=reference()))
    assert not received.refused
    assert bulletin.state is BulletinState.WITHDRAWN
    assert session.get_one(Incident, bulletin.incident_id).state is IncidentState.CLOSED


def test_calling_off_in_the_countdown_sends_nothing(session: Session, rules: Rules) -> None:
    alert = take(session, one(session, document()), rules)
    hand_in(session, document("", identifier="c", msgType="Cancel", references=reference()))
    assert alert.state is AlertState.CANCELLED


def test_calling_off_what_sounds_stops_it(runtime: Runtime, rules: Rules) -> None:
    with runtime.sessions.begin() as session:
        alert_id = take(session, one(session, document()), rules).id
    assert fire_due(runtime.sessions, rules=rules, now=NOW + timedelta(seconds=5)) == 1
    with runtime.sessions.begin() as session:
        received = hand_in(session, document("", identifier="c", msgType="Cancel", references=reference()))
        assert not received.refused
    with runtime.sessions.read() as session:
        alert = session.get_one(Alert, alert_id)
        assert alert.state is AlertState.STOPPED
        assert session.get_one(Broadcast, alert.broadcast_id).state is BroadcastState.STOPPED


def test_one_department_calling_off_does_not_silence_what_another_still_says(session: Session, rules: Rules) -> None:
    alert = take(session, one(session, document()), rules)
    one(session, document(identifier="2", sender="b@x.example"))
    hand_in(session, document("", identifier="c", msgType="Cancel", references=reference()))
    assert alert.state is AlertState.ARMED


@pytest.mark.parametrize(
    ("cancel", "code"),
    [
        (document("", identifier="c", msgType="Cancel", references=reference("never")), "policy_cancel_unknown"),
        (
            document("", identifier="c", sender="b@x.example", msgType="Cancel", references=reference()),
            "policy_reference_foreign",
        ),
    ],
)
def test_calling_off_what_is_not_there_or_not_ones_own_is_an_error(session: Session, cancel: bytes, code: str) -> None:
    bulletin = one(session, document())
    assert codes(hand_in(session, cancel)) == [code]
    assert bulletin.state is BulletinState.PROPOSED


def test_calling_off_twice_is_an_error(session: Session) -> None:
    one(session, document())
    assert not hand_in(session, document("", identifier="c", msgType="Cancel", references=reference())).refused
    again = hand_in(session, document("", identifier="c2", msgType="Cancel", references=reference()))
    assert codes(again) == ["policy_cancel_twice"]


def test_calling_off_several_events_at_once_is_ambiguous(session: Session) -> None:
    one(session, document())
    one(session, document(info(event="大风", headline="大风橙色预警"), identifier="2"))
    both = document("", identifier="c", msgType="Cancel", references=f"{reference()} {reference('2')}")
    assert codes(hand_in(session, both)) == ["policy_cancel_ambiguous"]


def test_an_update_takes_the_place_of_what_it_names(session: Session) -> None:
    old = one(session, document())
    new = one(
        session, document(info(headline="暴雨红色预警"), identifier="u", msgType="Update", references=reference())
    )
    assert (old.state, new.state, new.replaces_id) == (BulletinState.REPLACED, BulletinState.PROPOSED, old.id)
    assert new.incident_id == old.incident_id
    late = hand_in(session, document("", identifier="c", msgType="Cancel", references=reference()))
    assert codes(late) == ["policy_cancel_replaced"]
    chain = document("", identifier="c3", msgType="Cancel", references=f"{reference()} {reference('u')}")
    assert not hand_in(session, chain).refused
    assert new.state is BulletinState.WITHDRAWN


def test_an_update_of_something_unknown_is_news_and_says_so(session: Session) -> None:
    received = hand_in(session, document(identifier="u", msgType="Update", references=reference("missed")))
    assert received.bulletins[0].state is BulletinState.PROPOSED
    assert "policy_update_unknown" in codes(received, warnings=True)


def test_nobody_updates_what_another_has_sent(session: Session) -> None:
    one(session, document())
    foreign = document(identifier="u", sender="b@x.example", msgType="Update", references=reference())
    assert codes(hand_in(session, foreign)) == ["policy_reference_foreign"]


def test_all_clear_is_noted_and_nothing_sounds_by_itself(session: Session) -> None:
    old = one(session, document())
    new = one(
        session, document(info(responseType="AllClear"), identifier="u", msgType="Update", references=reference())
    )
    assert (old.state, new.state, new.over) == (BulletinState.REPLACED, BulletinState.NOTED, True)


# ---- deciding


def test_a_township_passes_on_its_own_part_of_a_countys_warning(session: Session, rules: Rules) -> None:
    bulletin = one(session, document(info(area(geocode(COUNTY)))))
    alert = take(session, bulletin, rules)
    assert alert.audience["regions"] == [NORTH]
    assert bulletin.state is BulletinState.PROPOSED, "the south has not been told"
    assert deciding.waiting(session, the_actor(session, "duty"), now=NOW) == 0
    assert deciding.waiting(session, the_actor(session, "strange_duty"), now=NOW) == 1
    with pytest.raises(WrongState):
        take(session, bulletin, rules)
    take(session, bulletin, rules, speakers=2, login="strange_duty")
    assert deciding.get(session, SYSTEM, bulletin.id).state is BulletinState.TAKEN


def test_a_stranger_sees_nothing_and_changes_nothing(session: Session, rules: Rules) -> None:
    bulletin = one(session, document())
    stranger = the_actor(session, "strange_duty")
    assert deciding.waiting(session, stranger, now=NOW) == 0
    for deed in (
        lambda: deciding.get(session, stranger, bulletin.id),
        lambda: deciding.take(session, stranger, bulletin.id, passing(), VOICE, rules=rules, now=NOW),
        lambda: deciding.dismiss(session, stranger, bulletin.id, reason="x", now=NOW),
        lambda: deciding.split(session, stranger, bulletin.id, now=NOW),
    ):
        with pytest.raises(NotFound):
            deed()
    assert bulletin.state is BulletinState.PROPOSED


def test_who_only_looks_decides_nothing(session: Session, rules: Rules) -> None:
    bulletin = one(session, document())
    viewer = an_actor(Role.VIEWER, NORTH)
    with pytest.raises(NotAllowed):
        deciding.take(session, viewer, bulletin.id, passing(), VOICE, rules=rules, now=NOW)
    with pytest.raises(NotAllowed):
        deciding.dismiss(session, viewer, bulletin.id, reason="不播", now=NOW)


def test_a_wrong_number_sends_nothing_and_the_same_press_twice_sends_once(session: Session, rules: Rules) -> None:
    bulletin = one(session, document())
    duty = the_actor(session, "duty")
    with pytest.raises(WrongState):
        deciding.take(session, duty, bulletin.id, passing(speakers=3), VOICE, rules=rules, now=NOW)
    wanted = passing()
    first = deciding.take(session, duty, bulletin.id, wanted, VOICE, rules=rules, now=NOW)
    assert deciding.take(session, duty, bulletin.id, wanted, VOICE, rules=rules, now=NOW).id == first.id
    assert len(session.scalars(select(Alert)).all()) == 1


def test_the_issuers_colour_is_not_changed_on_the_way(session: Session, rules: Rules) -> None:
    bulletin = one(session, document())
    with pytest.raises(BadInput):
        deciding.take(
            session, the_actor(session, "duty"), bulletin.id, passing(Colour.RED), VOICE, rules=rules, now=NOW
        )


def test_leaving_it_needs_a_reason_and_closes_the_event(session: Session) -> None:
    bulletin = one(session, document())
    duty = the_actor(session, "duty")
    with pytest.raises(BadInput):
        deciding.dismiss(session, duty, bulletin.id, reason=" ", now=NOW)
    deciding.dismiss(session, duty, bulletin.id, reason="雨已经停了", now=NOW)
    assert (bulletin.state, bulletin.reason) == (BulletinState.DISMISSED, "雨已经停了")
    assert session.get_one(Incident, bulletin.incident_id).state is IncidentState.CLOSED


def test_what_nobody_decided_in_time_lapses(session: Session, rules: Rules) -> None:
    bulletin = one(session, document())
    assert deciding.lapse(session, now=NOW + timedelta(minutes=179)) == 0
    assert deciding.lapse(session, now=NOW + timedelta(minutes=181)) == 1
    assert bulletin.state is BulletinState.LAPSED
    with pytest.raises(WrongState):
        take(session, bulletin, rules)


def test_an_emergency_made_of_it_ends_when_the_warning_does(session: Session, rules: Rules) -> None:
    alert = take(session, one(session, document(info(expires=at(10)))), rules)
    assert alert.expires_at == NOW + timedelta(minutes=10)


# ---- senders


def test_a_known_sender_is_called_by_the_name_this_hub_gave_it(session: Session) -> None:
    assert "policy_sender_unknown" in codes(hand_in(session, document()), warnings=True)
    session.add(TrustedSender(sender="k@x.example", name="云岫县气象台", home_path=path_of(NORTH), at=NOW))
    session.flush()
    received = hand_in(session, document(info(area(geocode(COUNTY))), sender="k@x.example", identifier="k"))
    assert received.bulletins[0].issuer == "云岫县气象台"
    assert received.bulletins[0].regions == [NORTH], "it may speak to no other place than it was entrusted with"
    assert "policy_sender_unknown" not in codes(received, warnings=True)


def test_a_feed_for_known_senders_only_takes_nothing_else(session: Session) -> None:
    received = hand_in(session, document(), door=Door.FEED, only_known=True)
    assert codes(received) == ["policy_sender_refused"]
    assert received.document is None


# ---- the national platform


def test_a_message_of_the_national_platform_is_judged_by_the_same_rules(session: Session) -> None:
    received = hand_in_national(session, national())
    (bulletin,) = received.bulletins
    assert (bulletin.colour, bulletin.hazard, bulletin.regions) == (Colour.ORANGE, "rainstorm", [NORTH])
    assert (bulletin.sender, bulletin.identifier) == ("12379:990101416", "99010141600000_20261123095900")
    assert bulletin.codes == [{"name": "12379 eventType", "value": "11B03"}]
    assert hand_in_national(session, national()).again
    assert codes(hand_in_national(session, national(headline="大风红色预警"))) == ["policy_identity_reused"]


def test_both_doors_lead_to_one_event(session: Session) -> None:
    a, b = one(session, document()), hand_in_national(session, national()).bulletins[0]
    assert a.incident_id == b.incident_id


def test_a_message_takes_back_an_earlier_one_of_its_office(session: Session) -> None:
    first = hand_in_national(session, national()).bulletins[0]
    off = national(id="99010141600000_20261123100000", msgType="解除", references=national()["id"])
    assert not hand_in_national(session, off, now=NOW + timedelta(minutes=1)).refused
    assert first.state is BulletinState.WITHDRAWN
    other = national(id="99010141700000_20261123100000", msgType="解除", references=national()["id"])
    assert codes(hand_in_national(session, other, now=NOW + timedelta(minutes=1))) == ["policy_reference_foreign"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"id": "7"}, "national_id_malformed"),
        ({"id": ""}, "national_field_missing"),
        ({"sender": ""}, "national_field_missing"),
        ({"sendTime": "gestern"}, "national_time_malformed"),
        ({"msgType": "Ausruf"}, "national_purpose_unknown"),
        ({"severity": "紫色", "headline": "暴雨预警"}, "national_colour_unknown"),
        ({"msgType": "解除"}, "cap_references_missing"),
        ({"areaCodes": "990101777000"}, "policy_area_unknown_code"),
        ({"description": {"a": 1}}, "national_field_malformed"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(session: Session, given: dict[str, object], code: str) -> None:
    received = hand_in_national(session, national(**given))
    assert code in codes(received)
    assert received.bulletins == ()


def test_without_codes_the_number_says_the_county(session: Session) -> None:
    received = hand_in_national(session, national(areaCodes=""))
    assert received.bulletins[0].regions == [COUNTY]
    assert "national_area_from_id" in codes(received, warnings=True)


def test_the_sender_is_the_one_in_the_document(session: Session) -> None:
    assert one(session, document()).sender == SENDER


def test_a_warning_of_an_unknown_sender_waits_for_a_second_person(session: Session, rules: Rules) -> None:
    bulletin = one(session, document())
    duty = the_actor(session, "duty")
    alert = deciding.take(session, duty, bulletin.id, passing(), VOICE, rules=rules, now=NOW)
    assert (alert.state, alert.authority) == (AlertState.PROPOSED, Authority.SECOND_PERSON)


def test_what_was_called_off_in_the_countdown_waits_again(session: Session, rules: Rules) -> None:
    bulletin = one(session, document())
    alert = take(session, bulletin, rules)
    assert deciding.reopen(session, now=NOW) == 0
    alerts.cancel(session, the_actor(session, "duty"), alert.id, now=NOW)
    assert deciding.reopen(session, now=NOW) == 1
    assert bulletin.state is BulletinState.PROPOSED
    assert deciding.waiting(session, the_actor(session, "duty"), now=NOW) == 1
