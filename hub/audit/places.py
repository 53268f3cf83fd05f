"""What places are called, told by the room above, which knows them."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session


@dataclass(frozen=True)
class PlaceNames:
    """Region codes to names. Provided by the regions' room."""

    of: Callable[[Session, set[str]], dict[str, str]]
