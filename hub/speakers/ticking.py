"""A tree of places to tick, each with its loudspeakers: whom something is for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hub.regions.service import Node
from hub.speakers.registry import Count

NONE = Count(0, 0)


@dataclass(frozen=True, slots=True)
class Branch:
    """One place to tick, counts including everything below it. `open`: something below is ticked, so it is unfolded."""

    code: str
    name: str
    speakers: int
    offline: int
    checked: bool
    open: bool
    children: tuple["Branch", ...]


def branch(
    node: Node, ticked: Collection[str], counts: Mapping[str, Count], *, within: Collection[str] | None = None
) -> Branch:
    """Return a place and what lies below it; `within`: only these places, all if None."""
    children = tuple(
        branch(child, ticked, counts, within=within)
        for child in node.children
        if within is None or child.code in within
    )
    count = counts.get(node.code, NONE)
    unfolded = any(child.checked or child.open for child in children)
    return Branch(node.code, node.name, count.total, count.offline, node.code in ticked, unfolded, children)
