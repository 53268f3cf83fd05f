"""New, moved and replaced loudspeakers, for programs."""

from collections.abc import Sequence

from flask import Response
from pydantic import Field, StrictInt

from hub.core.actor import Permission
from hub.core.runtime import runtime
from hub.core.typed import shown
from hub.speakers import registry
from hub.speakers.joining import claims, desk, following, lists
from hub.speakers.joining.claims import MOST_CODES, Place
from hub.speakers.joining.models import Claim
from hub.speakers.models import Speaker, SpeakerState
from hub.web.api import Input, Output, RegionCode, answers, ms, ms_or_none, room, say
from hub.web.guards import permission_required
from hub.web.idempotency import finish, once
from hub.web.work import actor, now, reading, work

bp = room("joining", "New loudspeakers: claim codes, quarantine, moving.")


class WaitingOut(Output):
    """A device in quarantine. What it says of itself is not proven."""

    claim: str = Field(description="name of the claim; the code cannot be computed from it")
    serial: str
    model: str
    version: str
    address: str
    since: int
    seen_at: int | None


class ExpectedOut(Output):
    """A loudspeaker that has papers and has not connected yet."""

    claim: str
    speaker_id: str
    name: str
    region: str
    replaces: str
    offered_by: str
    seen_at: int | None = Field(description="when the device asked last; null: never yet")
    expires_at: int


class JoiningOut(Output):
    """Who waits, and who is expected."""

    waiting: int = Field(description="devices in quarantine")
    devices: list[WaitingOut] | None = Field(description="null for accounts that do not answer for a whole county")
    expected: list[ExpectedOut]


class PlaceIn(Input):
    """Where a new loudspeaker goes. With `replaces`, name and village are those of the one it replaces."""

    name: str = Field("", max_length=60)
    region_code: RegionCode | None = Field(None, description="its village or group")
    replaces: str = Field("", max_length=32, description="id of the loudspeaker whose place it takes")

    def place(self) -> Place:
        """Return it for the service."""
        return Place(self.name, self.region_code or "", self.replaces)


class ClaimIn(PlaceIn):
    """A code that stands on a device, and where the device goes."""

    code: str = Field(min_length=16, max_length=200, description="as printed; small letters and hyphens are all right")


class CodesIn(PlaceIn):
    """How many codes to make, for devices that bring none."""

    count: StrictInt = Field(1, ge=1, le=MOST_CODES)


class MoveIn(Input):
    """A loudspeaker's new place."""

    region_code: RegionCode


class SpeakerPath(Input):
    """Which loudspeaker."""

    speaker_id: str = Field(max_length=32)


class ClaimPath(Input):
    """Which claim."""

    claim: str = Field(max_length=40)


class PlacedOut(Output):
    """A loudspeaker and where it hangs or will hang."""

    speaker_id: str
    number: int = Field(description="a new one whenever it joins or moves")
    name: str
    region: str
    state: SpeakerState


class CodeOut(Output):
    """A new code. It is shown this once and kept nowhere."""

    code: str
    speaker: PlacedOut


class CodesOut(Output):
    """New codes."""

    items: list[CodeOut]


@bp.get("/joining", responses=answers(JoiningOut, 403))
@permission_required(Permission.EDIT_SPEAKERS)
def list_joining() -> Response:
    """List devices that wait for their code, and loudspeakers that have not connected yet."""
    with reading() as session:
        return say(_joining(lists.waiting(session, actor()), lists.offered(session, actor())))


@bp.post("/joining/claims", responses=answers(PlacedOut, 403, 404, 409, status=201))
@once
def claim_speaker(body: ClaimIn) -> Response:
    """Let in the device that waits under this code."""
    with work() as session:
        speaker = claims.offer(session, actor(), body.code, body.place(), desk.issuer(runtime()), now=now())
        answer = finish(session, _placed(speaker), 201)
    desk.tell_new(runtime())
    return answer


@bp.post("/joining/codes", responses=answers(CodesOut, 403, 404, 409, status=201))
@once
def make_claim_codes(body: CodesIn) -> Response:
    """Make codes for devices that bring none; each is good for one device and 30 days."""
    with work() as session:
        labels = claims.make_codes(session, actor(), body.place(), desk.issuer(runtime()), now=now(), count=body.count)
        items = [CodeOut(code=shown(label.code), speaker=_placed(label.speaker)) for label in labels]
        answer = finish(session, CodesOut(items=items), 201)
    desk.tell_new(runtime())
    return answer


@bp.post("/joining/<claim>/dismiss", responses=answers(JoiningOut, 403, 404, 409))
@once
def dismiss_claim(path: ClaimPath) -> Response:
    """Send a waiting device away, or take a code back that nobody has used."""
    with work() as session:
        claims.dismiss(session, actor(), path.claim, now=now())
        found = _joining(lists.waiting(session, actor()), lists.offered(session, actor()))
        answer = finish(session, found)
    desk.tell_new(runtime())
    return answer


@bp.post("/speakers/<speaker_id>/move", responses=answers(PlacedOut, 403, 404, 409))
@once
def move_speaker(path: SpeakerPath, body: MoveIn) -> Response:
    """Hang a loudspeaker in another village or group; commands made before do not mean it there."""
    with work() as session:
        speaker = registry.move(session, actor(), path.speaker_id, body.region_code, now=now())
        following.follow(session, speaker)
        answer = finish(session, _placed(speaker))
    desk.tell_moved(runtime(), [speaker.id])
    return answer


def _joining(quarantine: lists.Quarantine, offered: Sequence[tuple[Claim, Speaker]]) -> JoiningOut:
    expected = [
        ExpectedOut(
            claim=claim.id,
            speaker_id=speaker.id,
            name=speaker.name,
            region=speaker.region_code,
            replaces=speaker.replaces,
            offered_by=claim.made_by_name,
            seen_at=ms_or_none(claim.seen_at),
            expires_at=ms(claim.expires_at),
        )
        for claim, speaker in offered
    ]
    return JoiningOut(waiting=quarantine.count, devices=_devices(quarantine), expected=expected)


def _devices(quarantine: lists.Quarantine) -> list[WaitingOut] | None:
    if quarantine.devices is None:
        return None
    return [
        WaitingOut(
            claim=each.id,
            serial=each.serial,
            model=each.model,
            version=each.version,
            address=each.address,
            since=ms(each.made_at),
            seen_at=ms_or_none(each.seen_at),
        )
        for each in quarantine.devices
    ]


def _placed(speaker: Speaker) -> PlacedOut:
    return PlacedOut(
        speaker_id=speaker.id,
        number=speaker.number,
        name=speaker.name,
        region=speaker.region_code,
        state=speaker.state,
    )
