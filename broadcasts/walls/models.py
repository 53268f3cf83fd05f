"""Screens: each holds a random token in its browser, and the hub its hash."""

from datetime import datetime

from sqlalchemy import LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.core.db import Base


class WallScreen(Base):
    """A browser that asked to be a screen, and the place it shows once somebody has let it."""

    __tablename__ = "wall_screen"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    code: Mapped[str] = mapped_column(String(8), unique=True)
    """What it shows until it is let in, to be typed in by who may let it."""
    asked_at: Mapped[datetime]
    origin: Mapped[str] = mapped_column(String(60), default="")
    name: Mapped[str] = mapped_column(String(40), default="")
    region_path: Mapped[str] = mapped_column(String(64), default="", index=True)
    """Empty until it is let in."""
    made_by_name: Mapped[str] = mapped_column(String(60), default="")
    made_at: Mapped[datetime | None]
    seen_at: Mapped[datetime]
