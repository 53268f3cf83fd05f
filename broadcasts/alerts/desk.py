"""What the emergency desk shows: where one may call an emergency, what would be said, and whom it would reach."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from broadcasts.alerts.forms import OWN, Choice
from broadcasts.alerts.hazards import Hazard, hazards, wording
from broadcasts.alerts.plans import service as plans
from broadcasts.alerts.plans.service import InForce
from broadcasts.alerts.plans.starting import usual_words
from broadcasts.alerts.plans.words import PlanWords
from broadcasts.audience.selection import Audience
from broadcasts.kinds import Colour, Mode
from broadcasts.sms.sending import outbox
from hub.core.actor import Actor, Permission
from hub.core.errors import BadInput
from hub.regions import service as regions
from hub.regions.outlines import Shape, fitted
from hub.regions.service import Node
from hub.regions.tree import Level, codes_in, level_of, outermost, parent_code, path_of
from hub.speakers import registry
from hub.speakers.registry import Count
from hub.speakers.ticking import NONE, Branch, branch

MAP_WIDTH, MAP_HEIGHT = 480, 290
MOST_NAMED = 3
"""More places than that are called by what lies above them: people must know at once whether they are meant."""


@dataclass(frozen=True, slots=True)
class Area:
    """One line of the choice of areas. `depth` counts from the topmost one."""

    code: str
    name: str
    speakers: int
    depth: int


@dataclass(frozen=True, slots=True)
class Place:
    """A village that will sound."""

    code: str
    name: str
    speakers: int
    offline: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """One village on the map."""

    shape: Shape
    meant: bool


@dataclass(frozen=True, slots=True)
class Reached:
    """Whom it would reach: loudspeakers, those of them that are silent now, and telephones."""

    speakers: int
    offline: int
    phones: int


@dataclass(frozen=True, slots=True)
class Usual:
    """Where a signed plan is usually meant: one place by name, or so many."""

    name: str
    places: int


@dataclass(frozen=True)
class Desk:
    """Everything on the page. `words` is None until hazard and area are chosen."""

    choice: Choice
    hazard: Hazard | None
    words: PlanWords | None
    plan: InForce | None
    """Who stands behind these words already; None: a second person has to."""
    mode: Mode
    title: str
    place: str
    regions: tuple[str, ...]
    unknown: tuple[str, ...]
    areas: tuple[Area, ...]
    branches: tuple[Branch, ...]
    places: tuple[Place, ...]
    drawn: tuple[Drawn, ...]
    reached: Reached
    hushed: bool
    """Quiet hours, and not grave enough: loudspeakers stay silent."""
    usual: Mapping[str, Usual]
    """Where each hazard's signed plan is usually meant, of those that have one in this colour."""

    @property
    def ready(self) -> bool:
        """Whether there is something to send and somebody to send it to."""
        phones = self.reached.phones if self.choice.sms else 0
        return self.words is not None and bool(self.reached.speakers or phones)


def lay_out(session: Session, actor: Actor, choice: Choice, *, hushed: bool, mode: Mode = Mode.LIVE) -> Desk:
    """Return the desk for a choice. What lies outside the actor's places counts as not chosen.

    `hushed`: only telephones are reached. A drill counts drill loudspeakers and no telephone.
    """
    drill = mode is Mode.DRILL
    right = Permission.DRILL if drill else Permission.EMERGENCY
    ground = _Ground(regions.forest(session, actor, right))
    counts = registry.count_by_region(session, actor, right, drill=drill)
    choice = replace(_usual_area(session, ground, choice), sms=choice.sms and not drill)
    chosen = ground.chosen(choice)
    paths = Audience(chosen).paths
    hazard = hazards().get(choice.hazard)
    place = _place_name(session, chosen)
    plan = plans.in_force(session, hazard.key, choice.colour, paths) if hazard and chosen else None
    words = (plan.words if plan else usual_words(hazard, choice.colour)).at(place) if hazard and chosen else None
    places = () if hushed else tuple(_places(ground, paths, counts))
    return Desk(
        choice=ground.settled(choice),
        hazard=hazard,
        words=as_drill(words) if words and drill else words,
        plan=plan,
        mode=mode,
        title=wording().title_of(hazard, choice.colour) if hazard else "",
        place=place,
        regions=chosen,
        unknown=ground.unknown(choice),
        areas=tuple(Area(n.code, n.name, counts.get(n.code, NONE).total, depth) for n, depth in ground.flat),
        branches=ground.branches(choice, counts) if choice.area == OWN else (),
        places=places,
        drawn=_draw(ground, chosen, [path_of(place.code) for place in places]),
        reached=_reached(session, chosen, {} if hushed else counts, phones=not drill),
        hushed=hushed,
        usual=_usual(session, ground, choice.colour),
    )


def _usual(session: Session, ground: "_Ground", colour: Colour) -> dict[str, Usual]:
    if not ground.tops:
        return {}
    top = ground.tops[0]
    found = {}
    for kind, codes in plans.usual_areas(session, colour, top.path).items():
        named = [ground.known[code] for code in codes if code in ground.known] or [top]
        found[kind] = Usual(named[0].name, len(named))
    return found


def as_drill(words: PlanWords) -> PlanWords:
    """Return the words as a drill says them: its name at the beginning and at the end, and nothing for telephones."""
    around, opening = wording().drill, wording().drill_opening
    speech, back, clear = (
        f"{around}{opening}{text}{around}" for text in (words.speech, words.correction_speech, words.clear_speech)
    )
    return PlanWords(speech, "", back, "", clear, "")


def _usual_area(session: Session, ground: "_Ground", choice: Choice) -> Choice:
    """Return the choice with the area its plan is meant for, as long as nobody has chosen one."""
    if not choice.free or choice.hazard not in hazards() or not ground.tops:
        return choice
    found = plans.in_force(session, choice.hazard, choice.colour, [ground.tops[0].path])
    usual = [code for code in found.version.regions if code in ground.known] if found else []
    if not usual:
        return replace(choice, area="", villages=())
    if len(usual) == 1:
        return replace(choice, area=usual[0], villages=())
    return replace(choice, area=OWN, villages=tuple(usual))


class _Ground:
    """The actor's part of the tree, down to villages."""

    def __init__(self, tops: Sequence[Node]) -> None:
        self.tops = tops
        self.flat = [(node, depth) for top in tops for node, depth in _walk(top, 0)]
        self.known = {node.code: node for node, _ in self.flat}

    def settled(self, choice: Choice) -> Choice:
        """Return the choice with the topmost area filled in where none was chosen."""
        if choice.area == OWN or choice.area in self.known or not self.tops:
            return choice
        return replace(choice, area=self.tops[0].code, villages=())

    def chosen(self, choice: Choice) -> tuple[str, ...]:
        """Return the regions a choice means, those inside others left out."""
        area = self.settled(choice).area
        codes = [code for code in (choice.villages if area == OWN else (area,)) if code in self.known]
        return tuple(_outermost(codes))

    def unknown(self, choice: Choice) -> tuple[str, ...]:
        """Return what was asked for although it is not the actor's, or does not exist."""
        asked = choice.villages if choice.area == OWN else (choice.area,)
        return tuple(code for code in asked if code not in self.known)

    def branches(self, choice: Choice, counts: Mapping[str, Count]) -> tuple[Branch, ...]:
        """Return what can be ticked."""
        return tuple(branch(top, choice.villages, counts, within=self.known) for top in self.tops)


def _walk(node: Node, depth: int) -> list[tuple[Node, int]]:
    below = [] if node.level in (Level.VILLAGE, Level.GROUP) else node.children
    return [(node, depth), *(found for child in below for found in _walk(child, depth + 1))]


def _outermost(codes: Iterable[str]) -> list[str]:
    return [codes_in(path)[-1] for path in outermost([path_of(code) for code in codes])]


def _place_name(session: Session, codes: tuple[str, ...]) -> str:
    wanted = list(codes)
    while len(wanted) > MOST_NAMED and level_of(wanted[0]) is not Level.COUNTY:
        wanted = _outermost(parent_code(code) or code for code in wanted)
    known = regions.names(session, set(wanted))
    return wording().listed([known[code] for code in wanted if code in known])


def _places(ground: _Ground, paths: Sequence[str], counts: Mapping[str, Count]) -> list[Place]:
    """Return the villages that will sound, and a township itself for what hangs in none of its villages."""
    found = []
    for node, _ in ground.flat:
        if not any(node.path.startswith(path) for path in paths):
            continue
        here = counts.get(node.code, NONE)
        below = [counts.get(child.code, NONE) for child in node.children if child.code in ground.known]
        own = here.total - sum(count.total for count in below)
        if own > 0:
            offline = here.offline - sum(count.offline for count in below)
            found.append(Place(node.code, node.name, own, offline))
    return found


def _draw(ground: _Ground, chosen: tuple[str, ...], paths: Sequence[str]) -> tuple[Drawn, ...]:
    """Draw the township that is meant, or everything when several are."""
    villages = [node for node, _ in ground.flat if node.outline]
    near = {code[:9] for code in chosen}
    if chosen and len(near) == 1 and level_of(chosen[0]) is not Level.COUNTY:
        villages = [node for node in villages if node.code[:9] in near]
    shapes = fitted(((n.code, n.outline) for n in villages), width=MAP_WIDTH, height=MAP_HEIGHT)
    return tuple(
        Drawn(shape, any(ground.known[shape.code].path.startswith(path) for path in paths)) for shape in shapes
    )


def _reached(session: Session, chosen: tuple[str, ...], counts: Mapping[str, Count], *, phones: bool) -> Reached:
    if not chosen:
        return Reached(0, 0, 0)
    found = [counts.get(code, NONE) for code in chosen]
    people = outbox.reach(session, Audience(chosen, sms=True)).emergency if phones else 0
    return Reached(sum(c.total for c in found), sum(c.offline for c in found), people)


def audience_of(desk: Desk) -> Audience:
    """Return who is meant; BadInput when no area was chosen, or one that is not the actor's."""
    if desk.unknown or not desk.regions:
        raise BadInput("no_region_chosen", field="area")
    return Audience(desk.regions, speakers=True, sms=desk.choice.sms)
