"""What installed packages offer under an entry point group, looked up once."""

import sys
from functools import cache
from importlib.metadata import EntryPoints, entry_points


def offered(group: str) -> EntryPoints:
    """Return what is offered under a group; asking reads a file of every installed package, so it is kept."""
    return _offered(group, tuple(sys.path))


@cache
def _offered(group: str, _path: tuple[str, ...]) -> EntryPoints:
    return entry_points(group=group)
