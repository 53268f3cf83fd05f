"""The approved words of emergencies, from `templates/messages/emergency/`."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from broadcasts.kinds import Colour
from hub.core.errors import BadInput

MOST_PACKED = 24
"""So many recordings a loudspeaker keeps for emergencies."""
FOLDER = Path(__file__).resolve().parents[2] / "templates" / "messages" / "emergency"


@dataclass(frozen=True, slots=True)
class Words:
    """What is said and written; `{place}` still stands in both."""

    speech: str
    sms: str

    def at(self, place: str) -> "Words":
        """Return the words with the place filled in."""
        return self.filled({"place": place})

    def filled(self, values: Mapping[str, str]) -> "Words":
        """Return the words with blanks filled in; others stay."""
        speech, sms = self.speech, self.sms
        for name, value in values.items():
            speech, sms = speech.replace(f"{{{name}}}", value), sms.replace(f"{{{name}}}", value)
        return Words(speech, sms)


@dataclass(frozen=True, slots=True)
class Hazard:
    """One kind of emergency with its words for every colour."""

    key: str
    name: str
    name_en: str
    icon: str
    words: Mapping[Colour, Words]


@dataclass(frozen=True, slots=True)
class Wording:
    """What an emergency is called, and how places are listed."""

    title: str
    between: str
    colours: Mapping[Colour, str]
    pack: Mapping[tuple[str, Colour], str]
    """What a loudspeaker keeps for an emergency: by hazard and colour, without a place."""
    correction: Words
    all_clear: Words
    """How an emergency is taken back, and how it ends; `{place}` and `{hazard}` stand in both."""
    drill: str
    """What is said before and after a drill."""
    drill_opening: str
    reserved: str
    """What only an authority may call it."""

    def title_of(self, hazard: Hazard, colour: Colour) -> str:
        """Return the title of an emergency."""
        return self.title.format(hazard=hazard.name, colour=self.colours[colour])

    def listed(self, names: Sequence[str]) -> str:
        """Return places as they stand in a sentence."""
        return self.between.join(names)


@cache
def wording() -> Wording:
    """Return titles and colours in words."""
    raw = tomllib.loads((FOLDER / "wording.toml").read_text(encoding="utf-8"))
    pack = {(key, Colour(name)): words for key, said in raw["pack"].items() for name, words in said.items()}
    return Wording(
        raw["title"],
        raw["between"],
        {colour: raw["colours"][colour] for colour in Colour},
        pack,
        Words(**raw["correction"]),
        Words(**raw["all_clear"]),
        raw["drill"]["around"],
        raw["drill"]["opening"],
        raw["reserved"],
    )


@cache
def hazards() -> Mapping[str, Hazard]:
    """Return all hazards in the order of the file."""
    raw = tomllib.loads((FOLDER / "hazards.toml").read_text(encoding="utf-8"))
    return {
        key: Hazard(
            key=key,
            name=item["name"],
            name_en=item["name_en"],
            icon=item["icon"],
            words={colour: Words(item[colour]["speech"], item[colour]["sms"]) for colour in Colour},
        )
        for key, item in raw.items()
    }


def hazard(key: str) -> Hazard:
    """Return one hazard; BadInput when there is none of that name."""
    found = hazards().get(key)
    if found is None:
        raise BadInput("hazard_unknown", field="hazard")
    return found


def colour(value: str) -> Colour:
    """Return the colour of that name; BadInput when there is none."""
    try:
        return Colour(value)
    except ValueError:
        raise BadInput("colour_unknown", field="colour") from None


def pack_colours() -> tuple[Colour, ...]:
    """Return the colours that are in the pack: red alone when there are too many hazards for two."""
    both = (Colour.RED, Colour.ORANGE)
    return both if len(hazards()) * len(both) <= MOST_PACKED else both[:1]


def slot_of(hazard: str, colour: Colour) -> str:
    """Return the name of an emergency's recording in the pack; empty when it has none."""
    return f"{hazard}-{colour.value}" if colour in pack_colours() and (hazard, colour) in wording().pack else ""
