"""The emergency pack: short recordings without place names that loudspeakers keep, for when nothing can be fetched."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from broadcasts.alerts.hazards import MOST_PACKED, hazards, pack_colours, slot_of, wording
from broadcasts.alerts.service import REPEATS
from broadcasts.kinds import Colour
from broadcasts.speech.engine import SpeechFailed
from broadcasts.speech.library import Rendering, RenderOrder
from broadcasts.studio import Studio
from hub.regions.tree import Level, level_of
from hub.speakers.commands import Audio
from hub.speakers.settings_book import SettingsBook

log = logging.getLogger(__name__)
BETWEEN_S: Final = 3.0
"""A rest after each rendering; it takes a core for a second or two."""
ROUND_S: Final = 600.0
FAILED_S: Final = 1800.0
Slots = dict[str, RenderOrder]
Said = Mapping[tuple[str, Colour], str]
Signed = Mapping[str, Said]
"""What plans in force say, by the code of the place whose they are."""


def _nothing() -> Signed:
    return {}


class Packer:
    """Makes the recordings of the pack in the background, and gives it out once it is whole."""

    def __init__(
        self, studio: Studio, book: SettingsBook, base_url: Callable[[], str], signed: Callable[[], Signed] = _nothing
    ) -> None:
        self._studio, self._book, self._base_url, self._signed = studio, book, base_url, signed
        self._hashes: frozenset[str] = frozenset()

    def slots(self) -> Slots:
        """Return what is to be said in each slot: the words of a plan in force for the county, else the hub's own."""
        words = dict(wording().pack)
        for code, said in self._signed().items():
            if level_of(code) is Level.COUNTY:
                words.update(said)
        return self._orders(words)

    def own_slots(self) -> dict[str, Slots]:
        """Return what loudspeakers of single townships keep instead: the words of plans of their own."""
        found = {code: self._orders(said) for code, said in self._signed().items() if level_of(code) is Level.TOWNSHIP}
        return {code: slots for code, slots in found.items() if slots}

    def recall(self) -> bool:
        """Give out the pack if all of it is there; nothing is rendered. Return whether it is.

        A township's own words are given out when all of hers are there, and until then the county's.
        To be called before anything is told to loudspeakers: settings without the pack would make them drop theirs.
        """
        pack = self._made(self.slots())
        own = {code: self._made(slots) for code, slots in self.own_slots().items()}
        whole = {code: made for code, made in own.items() if all(made.values())}
        kept = [each for made in (pack, *whole.values()) for each in made.values() if each is not None]
        self._hashes = frozenset(each.sha256 for each in kept)
        if not all(pack.values()):
            return False
        given = self._audios(pack), {code: self._audios(made) for code, made in whole.items()}
        if given != (self._book.pack, self._book.own_packs):
            self._book.pack, self._book.own_packs = given
            self._book.publish()
        return True

    def step(self) -> float:
        """Make one recording if one is missing; return the seconds to rest."""
        missing = next((order for order in self._every() if self._found(order) is None), None)
        if missing is None:
            self.recall()
            return ROUND_S
        try:
            made = self._studio.render(missing)
        except SpeechFailed as failure:
            log.warning("the emergency pack could not be made: %s", failure)
            return FAILED_S
        # What another voice made instead is kept by its own name and not found here: better the former pack.
        return BETWEEN_S if made.engine == missing.voice.engine else FAILED_S

    def wanted(self) -> set[str]:
        """Return the recordings that must stay, as they lie in the library now."""
        return {made.sha256 for order in self._every() if (made := self._found(order)) is not None}

    def holds(self, sha256: str) -> bool:
        """Return whether a recording belongs to the pack."""
        return sha256 in self._hashes

    def _every(self) -> Iterator[RenderOrder]:
        yield from self.slots().values()
        for slots in self.own_slots().values():
            yield from slots.values()

    def _orders(self, words: Said) -> Slots:
        return {
            slot_of(hazard, colour): self._studio.alarm(words[hazard, colour], colour=colour, repeats=REPEATS)
            for hazard in list(hazards())[:MOST_PACKED]
            for colour in pack_colours()
            if (hazard, colour) in words
        }

    def _made(self, slots: Slots) -> dict[str, Rendering | None]:
        return {slot: self._found(order) for slot, order in slots.items()}

    def _audios(self, made: Mapping[str, Rendering | None]) -> dict[str, Audio]:
        return {slot: self._audio(each) for slot, each in made.items() if each is not None}

    def _found(self, order: RenderOrder) -> Rendering | None:
        return self._studio.library.find_order(order)

    def _audio(self, made: Rendering) -> Audio:
        return Audio(
            sha256=made.sha256,
            url=f"{self._base_url()}/a/{made.sha256}.mp3",
            size=made.bytes,
            duration_ms=made.duration_ms,
            codec="mp3",
        )
