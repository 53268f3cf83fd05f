"""The emergency pack: words without places, made once, given out whole, never swept away."""

import re
from dataclasses import replace
from pathlib import Path

from builders import BRIDGE, COUNTY, EARLIER, FERRY, NORTH, a_county, an_actor, the_actor
from sqlalchemy.orm import Session

from broadcasts.alerts import service
from broadcasts.alerts.asking import ask
from broadcasts.alerts.desk import audience_of
from broadcasts.alerts.hazards import MOST_PACKED, hazards, pack_colours, slot_of, wording
from broadcasts.alerts.models import Alert, Authority
from broadcasts.alerts.pack import BETWEEN_S, FAILED_S, ROUND_S, Packer
from broadcasts.alerts.plans import service as plans
from broadcasts.alerts.plans import starting
from broadcasts.alerts.voice import speak
from broadcasts.alerts.wishes import Wish
from broadcasts.delivery.rules import Rules
from broadcasts.delivery.sound import ReleasedSound
from broadcasts.kinds import Colour
from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import EngineInfo, Script, SpeechEngine, SpeechFailed, VoiceSpec
from broadcasts.speech.library import Library, RenderOrder
from broadcasts.speech.tone_engine import ToneEngine
from broadcasts.studio import LAST_RESORT, Studio
from hub.accounts.roles import Role
from hub.core.runtime import Runtime
from hub.speakers.commands import Audio
from hub.speakers.models import Speaker
from hub.speakers.settings_book import SettingsBook
from hub.speakers.wire import SLOT


class Book:
    """A settings book that counts."""

    def __init__(self) -> None:
        self.pack: dict[str, Audio] = {}
        self.own_packs: dict[str, dict[str, Audio]] = {}
        self.published = 0

    def publish(self, speaker_ids: object = ()) -> None:
        self.published += 1


class Broken:
    """A voice that is out of order."""

    name = "broken"

    def info(self) -> EngineInfo:
        return EngineInfo("broken", "坏的", "1", (), reproducible=True, ready=True)

    def fingerprint(self, voice: VoiceSpec) -> str:
        return "broken"

    def synthesize(self, script: Script, voice: VoiceSpec, target: Path, *, timeout_s: float) -> None:
        raise SpeechFailed("broken on purpose")


class Short(Packer):
    """A pack of two, so that a test need not make sixteen."""

    def slots(self) -> dict[str, RenderOrder]:
        """Return the first two."""
        return dict(list(super().slots().items())[:2])


def a_studio(folder: Path, engine: str = LAST_RESORT) -> Studio:
    engines: dict[str, SpeechEngine] = {LAST_RESORT: ToneEngine(), "broken": Broken()}
    return Studio(Library(folder, engines), SpeechSettings(engines=(engine,)))


def a_packer(folder: Path, book: Book, engine: str = LAST_RESORT) -> Short:
    return Short(a_studio(folder, engine), book, lambda: "http://hub:8600")  # type: ignore[arg-type]


def test_every_hazard_has_words_for_red_and_orange_and_they_fit_a_loudspeaker() -> None:
    slots = [slot_of(hazard, colour) for hazard in hazards() for colour in pack_colours()]
    assert len(slots) == len(set(slots)) == 2 * len(hazards()) <= MOST_PACKED
    assert all(re.fullmatch(SLOT, slot) for slot in slots)
    assert slot_of("flash_flood", Colour.YELLOW) == slot_of("no_such", Colour.RED) == ""


def test_the_words_name_no_place_and_leave_nothing_to_fill_in() -> None:
    for words in wording().pack.values():
        assert not re.search(r"[{}<>a-zA-Z]|预警|[您]", words), words
        assert words.startswith("紧急通知！")
        assert 15 <= len(words) <= 60, words


def test_it_is_made_piece_by_piece_and_given_out_once_it_is_whole(tmp_path: Path) -> None:
    book = Book()
    packer = a_packer(tmp_path, book)
    assert not packer.recall()
    assert packer.step() == BETWEEN_S
    assert (book.pack, book.published) == ({}, 0), "half a pack is none"
    assert packer.step() == BETWEEN_S
    assert packer.step() == ROUND_S
    assert book.published == 1
    assert set(book.pack) == {"flash_flood-red", "flash_flood-orange"}
    for audio in book.pack.values():
        assert audio.url == f"http://hub:8600/a/{audio.sha256}.mp3"
        assert packer.holds(audio.sha256)
    packer.step()
    assert book.published == 1, "nothing changed"


def test_after_a_restart_it_is_there_before_anything_is_told_to_loudspeakers(tmp_path: Path) -> None:
    first = a_packer(tmp_path, Book())
    while first.step() != ROUND_S:
        pass
    again = Book()
    assert a_packer(tmp_path, again).recall()
    assert len(again.pack) == 2


def test_without_the_usual_voice_nothing_else_takes_its_place(tmp_path: Path) -> None:
    book = Book()
    packer = a_packer(tmp_path, book, "broken")
    assert packer.step() == FAILED_S
    assert (book.pack, book.published, packer.wanted()) == ({}, 0, set())


def test_the_clean_up_leaves_it_alone(tmp_path: Path) -> None:
    packer = a_packer(tmp_path, Book())
    while packer.step() != ROUND_S:
        pass
    library = a_studio(tmp_path).library
    library.evict(0, packer.wanted(), spare_s=0.0)
    assert all(library.path_of(sha) for sha in packer.wanted())
    assert len(packer.wanted()) == 2
    library.evict(0, spare_s=0.0)
    assert packer.wanted() == set()


def test_loudspeakers_may_fetch_it_and_nobody_fetches_what_is_neither_released_nor_kept(
    tmp_path: Path, runtime: Runtime
) -> None:
    packer = a_packer(tmp_path, Book())
    while packer.step() != ROUND_S:
        pass
    studio = a_studio(tmp_path)
    other = studio.render(studio.alarm("别的话。", colour=Colour.RED, repeats=1)).sha256
    sound = ReleasedSound(runtime.sessions, studio.library, packer.holds)
    assert all(sound.path(sha) for sha in packer.wanted())
    assert sound.path(other) is None


def test_what_two_people_signed_for_the_county_is_what_loudspeakers_keep(tmp_path: Path) -> None:
    usual = a_packer(tmp_path, Book())
    said = {("flash_flood", Colour.RED): "试县的话，快往高处走！", ("flash_flood", Colour.BLUE): "不在包里"}
    signed = Packer(usual._studio, Book(), lambda: "http://hub:8600", lambda: {COUNTY: said})  # type: ignore[arg-type]
    slots = signed.slots()
    assert slots["flash_flood-red"].text == "试县的话，快往高处走！"
    assert slots["flash_flood-orange"].text == wording().pack["flash_flood", Colour.ORANGE]
    assert set(slots) == {slot_of(hazard, colour) for hazard in hazards() for colour in pack_colours()}


def test_a_townships_own_words_are_kept_there_once_they_are_made_and_until_then_the_countys(tmp_path: Path) -> None:
    book, said = (
        Book(),
        {("flash_flood", Colour.RED): "北镇的话，快往东山走！", ("flash_flood", Colour.BLUE): "不在包里"},
    )
    studio = a_packer(tmp_path, book)._studio
    packer = Short(studio, book, lambda: "http://hub:8600", lambda: {NORTH: said})  # type: ignore[arg-type]
    assert {slot: order.text for slot, order in packer.own_slots()[NORTH].items()} == {
        "flash_flood-red": "北镇的话，快往东山走！"
    }
    assert packer.slots()["flash_flood-red"].text == wording().pack["flash_flood", Colour.RED]
    for _ in packer.slots():
        packer.step()
    assert packer.recall()
    assert (len(book.pack), book.own_packs) == (2, {})
    packer.step()
    packer.step()
    own = book.own_packs[NORTH]["flash_flood-red"]
    assert own.sha256 != book.pack["flash_flood-red"].sha256
    assert packer.holds(own.sha256)
    assert own.sha256 in packer.wanted()


def test_loudspeakers_keep_the_words_of_their_own_township(runtime: Runtime, app: object) -> None:
    book = runtime.get(SettingsBook)
    county, own = (Audio(sha256=each * 64, url="http://hub/a", size=1, duration_ms=1, codec="mp3") for each in "ab")
    book.pack, book.own_packs = {"flash_flood-red": county, "fire-red": county}, {NORTH: {"flash_flood-red": own}}
    with runtime.sessions.read() as session:
        north, south = (session.get_one(Speaker, f"s{code[-4:]}-1") for code in (BRIDGE, FERRY))
        assert book.settings_of(north, 1).pack == {"flash_flood-red": own, "fire-red": county}
        assert book.settings_of(south, 1).pack == book.pack


def test_plans_of_county_and_townships_are_what_is_kept(session: Session) -> None:
    a_county(session)
    writer, signers = the_actor(session, "clerk"), [an_actor(Role.APPROVER, NORTH, name) for name in ("甲", "乙")]
    starting.begin(session, writer, NORTH, signature="村响", now=EARLIER)
    assert NORTH not in plans.signed_speech(session)
    starting.sign_all(session, NORTH, signers, now=EARLIER)
    said = plans.signed_speech(session)[NORTH]
    assert "北镇" in said["flash_flood", Colour.RED]


def test_when_no_voice_works_a_plans_words_are_left_to_what_loudspeakers_keep(runtime: Runtime, app: object) -> None:
    studio = a_studio(runtime.config.data_dir / "silent", "broken")
    spoken = speak(studio, "紧急通知！", Colour.RED)
    assert (spoken.stand_in, spoken.engine) == (True, LAST_RESORT)
    rules, now = runtime.get(Rules), runtime.now()
    with runtime.sessions.begin() as session:
        duty = the_actor(session, "duty")

        def armed(key: str, colour: Colour, *, own_words: bool = False) -> Alert:
            laid = ask(session, duty, kind="flash_flood", colour=colour, codes=[NORTH], sms=False, hushed=False)
            words = laid.words
            assert words is not None
            said = replace(words, speech="紧急通知！老桥要塌了，不要过桥！") if own_words else words
            wish = Wish(key, hazards()["flash_flood"], colour, said, audience_of(laid), 4, own_words, laid.place)
            return service.arm(session, duty, wish, spoken, rules=rules, now=now)

        plan, own, mild = armed("pack-1", Colour.RED), armed("pack-2", Colour.RED, own_words=True), None
        if not rules.quiet.holds_at(now):
            mild = armed("pack-3", Colour.YELLOW)
        assert (plan.authority, plan.audio_sha256, plan.engine) == (Authority.PLAN, "", LAST_RESORT)
        assert own.audio_sha256, "what somebody wrote just now is not what loudspeakers keep"
        assert mild is None or mild.audio_sha256, "loudspeakers keep nothing for a yellow one"
