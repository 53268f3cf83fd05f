"""The region tree, for programs."""

from flask import Response
from pydantic import Field

from hub.regions import service
from hub.regions.service import Node
from hub.regions.tree import Level
from hub.web.api import Input, Output, RegionCode, answers, room, say
from hub.web.work import actor, reading

bp = room("regions", "County, townships, villages and groups.")


class RegionOut(Output):
    """A region with everything below it."""

    code: str
    name: str
    level: Level
    children: list["RegionOut"]

    @classmethod
    def of(cls, node: Node) -> "RegionOut":
        """Return a region for showing."""
        return cls(code=node.code, name=node.name, level=node.level, children=[cls.of(n) for n in node.children])


class Regions(Output):
    """The parts of the tree the account may see, each from its top."""

    items: list[RegionOut]


class RegionPath(Input):
    """Which region."""

    code: RegionCode = Field(description="12 digits (county, township, village) or 14 (group)")


@bp.get("/regions", responses=answers(Regions))
def list_regions() -> Response:
    """Return the whole tree as far as the account may see it."""
    with reading() as session:
        return say(Regions(items=[RegionOut.of(node) for node in service.forest(session, actor())]))


@bp.get("/regions/<code>", responses=answers(RegionOut, 404))
def get_region(path: RegionPath) -> Response:
    """Return one region with everything below it."""
    with reading() as session:
        return say(RegionOut.of(service.subtree(session, actor(), path.code)))
